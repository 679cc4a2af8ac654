"""An installation of RDO as its users have one: the command in a process of its own, with its own state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdo.building.state import State
from rdo.cli.installation import open_installation

CHECKOUT = Path(__file__).resolve().parents[1]
#: What builds in different installations may share, since it is content-addressed and known by hash.
SHARED = ("sources", "metadata", "roots", "layers")


@dataclass
class Installation:
    """State, cache and store below ``home``; sources, roots and layers are shared with the machine."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, home: Path, *, like: Installation | None = None, **variables: str) -> Installation:
        """Make an installation.

        :param like: another one whose signing key and signatures it gets, so that both publish alike
        """
        cache = home / "cache"
        cache.mkdir(parents=True)
        for name in SHARED:
            (shared_cache() / name).mkdir(parents=True, exist_ok=True)
            (cache / name).symlink_to(shared_cache() / name)
        if like is not None:
            shutil.copytree(like.state / "keys", home / "state/keys")
            (cache / "signed").symlink_to(like.home / "cache/signed")
        return cls(home, variables)

    @property
    def state(self) -> Path:
        """The folder of its state."""
        return self.home / "state"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that makes the command use this installation."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RDO_")}
        return {**ours, "RDO_HOME": str(self.home), **self.variables}

    def own_distribution(self) -> Path:
        """Give it a copy of the distribution's data to be changed, and return that."""
        copy = self.home / "distribution"
        shutil.copytree(CHECKOUT / "distribution", copy)
        self.variables["RDO_DISTRIBUTION"] = str(copy)
        return copy

    def rdo(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, whatever its status."""
        return subprocess.run(
            command(*arguments),
            env=self.environment,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str, status: int = 0, timeout: float = 600) -> Any:
        """Run the command with ``--json`` and return what it printed; its exit status must be ``status``."""
        done = self.rdo(*arguments, "--json", timeout=timeout)
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def on_host(self, host: str, script: str, *, status: int = 0, timeout: float = 600) -> str:
        """Run a script on a test host as root and return what it printed."""
        done = self.rdo("host", "shell", host, "--", "bash", "-c", script, timeout=timeout)
        assert done.returncode == status, f"exit {done.returncode} of\n{script}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def start(self, *arguments: str) -> Running:
        """Start the command; what it says goes to a file."""
        messages = self.home / "messages"
        with messages.open("w") as stream:
            process = subprocess.Popen(
                command(*arguments),
                env=self.environment,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        return Running(process, messages)

    def built(self) -> dict[str, str]:
        """Return what the last run has built so far: package -> hash of its inputs. Empty before any run."""
        return {b["package"]: b["input_hash"] for b in self.builds() if b["status"] == "built"}

    def builds(self) -> list[dict[str, Any]]:
        """Return the last run's builds as ``rdo build --status`` tells them."""
        done = self.rdo("build", "--status", "--json")
        builds: list[dict[str, Any]] = json.loads(done.stdout)["builds"] if done.returncode == 0 else []
        return builds

    def running_builds(self, pid: int) -> list[str]:
        """Return the states of the builds of the run that a process does now; quicker than the command."""
        installation = open_installation(self.environment)
        if not installation.paths.database.exists():
            return []
        state = State.open(installation)
        try:
            run = state.last_run()
            return [] if run is None or run.pid != pid else [build.status for build in run.builds]
        finally:
            state.close()

    def snapshot(self, repository: str = "debian13-2026.1") -> str | None:
        """Return the digest of the snapshot that is published, None where none is."""
        link = self.state / "repositories" / repository / "current"
        return link.readlink().name if link.is_symlink() else None

    def published(self, repository: str = "debian13-2026.1") -> dict[str, str]:
        """Return the packages that are published, file name -> SHA-256; empty where nothing is.

        Without rdo-release, which says where this very installation's repository is, and its companion.
        """
        own = ("rdo-release-", "rdo-obsolete-packages-")
        manifest = self.state / "repositories" / repository / "current/manifest.json"
        if not manifest.exists():
            return {}
        entries = json.loads(manifest.read_text())["packages"]
        return {e["filename"]: e["sha256"] for e in entries if not e["filename"].startswith(own)}


class EndedEarlyError(AssertionError):
    """A command ended well before the moment that was waited for."""


@dataclass
class Running:
    """A command under way."""

    process: subprocess.Popen[bytes]
    messages: Path

    def wait_until(self, ready: Callable[[], bool], timeout: float = 300) -> None:
        """Wait for a moment of its life; it must not end before."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self.process.poll() == 0:
                raise EndedEarlyError(self.messages.read_text())
            assert self.process.poll() is None, f"it ended too early:\n{self.messages.read_text()}"
            assert time.monotonic() < deadline, self.messages.read_text()
            time.sleep(0.05)

    def end(self, number: signal.Signals, *, everybody: bool = False) -> list[Process]:
        """Send a signal, wait for its end, and return all processes that it had started until then.

        :param everybody: to its whole process group, as a terminal does with Ctrl-C
        """
        known = list(descendants(self.process.pid))
        if everybody:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(timeout=60)
        return known


@dataclass(frozen=True)
class Process:
    """A process, told from later ones of the same id by its start time."""

    pid: int
    started: int
    command: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that only waits to be reaped doesn't."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.started and fields[0] not in ("Z", "X")


def eventually(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something holds, as services tell others of themselves every ten seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(1)


def shared_cache() -> Path:
    """Return the cache that tests share with this machine's own installation."""
    return Path(os.environ.get("RDO_CACHE", "/var/cache/rdo"))


def command(*arguments: str) -> list[str]:
    """Return the command line of ``rdo`` in this Python."""
    return [sys.executable, "-c", "from rdo.cli.main import main; main()", *arguments]


def descendants(pid: int) -> Iterator[Process]:
    """Yield the processes that stem from one, as far as their parents live."""
    parents: dict[int, list[Process]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields is not None:
            process = Process(int(entry.name), int(fields[19]), command_line(int(entry.name)))
            parents.setdefault(int(fields[1]), []).append(process)
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            yield child
            waiting.append(child.pid)


def command_line(pid: int) -> str:
    """Return a process's arguments, nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def users_of(folder: Path) -> list[str]:
    """Return the processes and mounts that have to do with a folder, and what lies in it for the time being.

    Processes are known by their arguments, environment and open folders, this one left out.
    """
    text, found = str(folder), []
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) == os.getpid():
            continue
        try:
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            about += os.fsencode((entry / "cwd").readlink())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if os.fsencode(text) in about:
            found.append(f"process {entry.name}: {command_line(int(entry.name))}")
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return found + [f"mount {line}" for line in mounts if text in line]


def wait_for_end(processes: list[Process], seconds: float = 10) -> list[Process]:
    """Wait for processes to end and return those that don't."""
    deadline = time.monotonic() + seconds
    while (living := [process for process in processes if process.alive]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return living


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on (number 3 of proc(5)), None where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
