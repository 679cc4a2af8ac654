"""What sealed commands may use by default, and the ways to enforce it that tests can't count on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdo.building import limits
from rdo.building.cgroups import SystemdScope
from rdo.building.enforcement import Watcher, descendants
from rdo.building.limits import GIB, Limits, SealedResult


@pytest.mark.parametrize(
    ("total", "processors", "memory", "processes"),
    [
        (24, 2, 9, 512),
        (4, 2, 2, 512),
        (16, 16, 4, 512),
        (512, 128, 4, 2048),
        (2048, 512, 4, 4096),
    ],
)
def test_defaults_are_a_share_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, total: int, processors: int, memory: float, processes: int
) -> None:
    monkeypatch.setattr(limits, "_machine_memory", lambda: total * GIB)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    default = Limits()
    assert default.memory == pytest.approx(memory * GIB, rel=0.01)
    assert default.processes == processes
    assert default.files <= default.memory * 3 // 4


def test_result_that_met_a_limit_is_not_well() -> None:
    assert SealedResult(0, 1.0, False, False, "").ok
    assert not SealedResult(0, 1.0, False, False, "", limit="It reached its limit").ok
    assert not SealedResult(1, 1.0, False, False, "").ok


def test_watcher_adds_up_the_memory_of_all_descendants() -> None:
    """Two processes that hold 40 MiB each, the second one a daemon."""
    script = "import os, time; os.fork() or os.setsid(); x = bytearray(b'x' * (40 << 20))"
    script += "; print('.'); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(4) == b".\n.\n"
            assert len(list(descendants(process.pid))) == 2
            met = {
                memory: Watcher(Limits(memory=memory << 20)).met(process.pid, files << 20)
                for memory, files in ((60, 0), (1000, 0), (200, 190))
            }
            assert "60 MiB of memory" in (met[60] or "")
            assert met[1000] is None
            assert "200 MiB of memory" in (met[200] or ""), "files count, too"
            assert "2 processes" in (Watcher(Limits(processes=2)).met(process.pid, 0) or "")
        finally:
            for pid in descendants(process.pid):
                os.kill(pid, 9)


def test_shared_pages_count_once() -> None:
    """Ten forks of a process that holds 40 MiB have 40 MiB, and not 400."""
    script = (
        "import os, time; x = bytearray(b'x' * (40 << 20))\n"
        "for _ in range(10): os.fork() or time.sleep(60)\n"
        "print('.'); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.read(1)
            assert Watcher(Limits(memory=200 << 20)).met(process.pid, 0) is None
        finally:
            for pid in list(descendants(process.pid)):
                os.kill(pid, 9)


FAKE = """#!{python}
import os, sys
words = sys.argv[1:]
unit = next(word[7:] for word in words if word.startswith("--unit="))
open({folder!r} + "/asked", "w").write(" ".join(words[: words.index("--")]))
os.execvp(words[words.index("--") + 1], words[words.index("--") + 1 :])
"""


class FakeScope:
    """A systemd-run that makes no group: what can be tried of scopes on a machine without cgroup v2."""

    def __init__(self, folder: Path) -> None:
        program = folder / "systemd-run"
        program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        self.asked = folder / "asked"


def test_scope_that_systemd_did_not_make_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is still in a group of other processes: their limits and counters are not the command's."""
    fake = FakeScope(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(OSError, match="left the process in"):
        SystemdScope(Limits(memory=GIB, processes=100), "rdo-1-2-3-4-5", tmp_path)
    assert time.monotonic() - began < 10
    asked = fake.asked.read_text()
    assert "MemoryMax=1073741824" in asked and "TasksMax=101" in asked and "--unit=rdo-1-2-3-4-5" in asked


def test_scope_without_systemd_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemd-run"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(OSError, match="made no scope"):
        SystemdScope(Limits(), "rdo-x", tmp_path)
