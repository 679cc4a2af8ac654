"""What is known of flows on this machine: with which inputs each passed, and what happened since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rdo.common.files import write_atomically
from tests.flows.flow import Flow
from tests.flows.inputs import digest_of


@dataclass(frozen=True)
class Record:
    """A flow that passed: its inputs (path -> SHA-256), when, and how many seconds it took."""

    flow: str
    inputs: dict[str, str]
    passed: str
    seconds: float


@dataclass
class Trouble:
    """What happened to a flow since it last passed: whether it failed, how often the time ran out for it."""

    failed: bool = False
    left_out: int = 0


class Records:
    """What is known of flows on this machine: one file for each set of inputs with which a flow passed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, flow: Flow, inputs: Mapping[str, str]) -> Record | None:
        """Return the record of a flow with exactly these inputs; None if it never passed with them."""
        return _read(self._place(flow.name, inputs))

    def newest(self, flow: Flow) -> Record | None:
        """Return the record of the last time that a flow passed."""
        records = [_read(file) for file in self._folder.glob(f"{flow.name}@*.json")]
        return max((record for record in records if record), key=lambda record: record.passed, default=None)

    def passed(self, flow: Flow, inputs: Mapping[str, str], seconds: float) -> None:
        """Record that a flow passed with these inputs."""
        now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        value = {"flow": flow.name, "inputs": dict(inputs), "passed": now, "seconds": round(seconds, 1)}
        write_atomically(self._place(flow.name, inputs), json.dumps(value, indent=1))
        self._trouble(flow).unlink(missing_ok=True)

    def trouble(self, flow: Flow) -> Trouble:
        """Return what happened to a flow since it last passed."""
        try:
            return Trouble(**json.loads(self._trouble(flow).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return Trouble()

    def remember(self, flow: Flow, trouble: Trouble) -> None:
        """Record a failure, or that the time ran out for a flow."""
        write_atomically(self._trouble(flow), json.dumps(trouble.__dict__))

    def _place(self, name: str, inputs: Mapping[str, str]) -> Path:
        return self._folder / f"{name}@{digest_of(inputs)[:32]}.json"

    def _trouble(self, flow: Flow) -> Path:
        return self._folder / f"{flow.name}.trouble.json"


def _read(file: Path) -> Record | None:
    try:
        return Record(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
