"""What is written down about a test host, and what its state is said to be.

``host.json`` says what the host is and never changes; its launcher keeps ``runtime.json``. Both are plain
JSON read without pydantic: the launcher of each host stays in memory for as long as the host runs.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rdo.cloud.testhosts.processes import ProcessIdentity, machine_boot_id
from rdo.common.errors import InputError
from rdo.common.files import write_atomically

Phase = Literal["starting", "running", "stopped", "crashed"]
"""``starting``: no init process yet; ``stopped``: powered off; ``crashed``: init was killed."""

_RESERVED = frozenset({"localhost", "ssh"})
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


def check_name(name: str) -> str:
    """Return a host's name if it is one: a DNS label of at most 32 characters, beginning with a letter.

    :raises InputError: it isn't
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} can't be the name of a host.",
            hint="Use 1 to 32 lower-case letters, digits and inner dashes, a letter first.",
        )
    if name in _RESERVED:
        raise InputError(f"{name!r} can't be the name of a host: it means something else here.")
    return name


@dataclass(frozen=True)
class HostDescription:
    """What a host is: decided at its creation.

    ``layers`` are the overlay's lower layers, topmost first; ``disk`` holds its ``upper`` and ``work``
    folders; ``namespace`` names its network namespace, ``cgroup`` the folder of its control group.
    """

    name: str
    address: str
    platform: str
    created: str
    layers: tuple[str, ...]
    disk: str
    namespace: str
    cgroup: str

    def save(self, folder: Path) -> None:
        """Write ``host.json`` into the host's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=2) + "\n"
        write_atomically(folder / "host.json", text, durable=False)

    @classmethod
    def load(cls, folder: Path) -> HostDescription:
        """Read ``host.json`` of a host's folder.

        :raises FileNotFoundError: there is none
        """
        value = json.loads((folder / "host.json").read_text())
        return cls(**{**value, "layers": tuple(value["layers"])})


@dataclass(frozen=True)
class Runtime:
    """What the launcher last knew. ``boots`` counts the starts of init since the launcher was started."""

    phase: Phase
    launcher: ProcessIdentity | None = None
    init: ProcessIdentity | None = None
    boots: int = 0

    def save(self, folder: Path) -> None:
        """Write ``runtime.json`` into the host's folder."""
        write_atomically(folder / "runtime.json", json.dumps(dataclasses.asdict(self)), durable=False)

    @classmethod
    def load(cls, folder: Path) -> Runtime:
        """Read ``runtime.json`` of a host's folder; a host that never ran is ``stopped``."""
        try:
            value: dict[str, Any] = json.loads((folder / "runtime.json").read_text())
        except FileNotFoundError:
            return cls("stopped")
        return cls(
            value["phase"],
            ProcessIdentity.from_json(value["launcher"]) if value["launcher"] else None,
            ProcessIdentity.from_json(value["init"]) if value["init"] else None,
            value["boots"],
        )

    @property
    def state(self) -> Phase:
        """The phase, corrected by what is really there: nobody updates it after a kill or a power cut."""
        if self.phase in ("stopped", "crashed"):
            return self.phase
        if self.init is not None and self.init.alive:
            return "running"
        if self.launcher is not None and self.launcher.alive:
            return "starting"
        same_boot = self.launcher is not None and self.launcher.boot == machine_boot_id()
        return "crashed" if same_boot else "stopped"


@dataclass(frozen=True)
class TestHost:
    """A test host as its users see it.

    ``pid`` is that of its init process as the machine counts, None unless it runs; ``created`` an ISO 8601
    time in UTC; ``ssh_config`` the file with which ``ssh -F FILE NAME`` reaches it.
    """

    __test__ = False  # pytest: not a test class

    name: str
    address: str
    platform: str
    state: Phase
    pid: int | None
    created: str
    ssh_config: Path

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {**dataclasses.asdict(self), "ssh_config": str(self.ssh_config)}


def view(description: HostDescription, runtime: Runtime, ssh_config: Path) -> TestHost:
    """Join what a host is and what it does just now."""
    state = runtime.state
    pid = runtime.init.pid if state == "running" and runtime.init else None
    return TestHost(
        description.name,
        description.address,
        description.platform,
        state,
        pid,
        description.created,
        ssh_config,
    )
