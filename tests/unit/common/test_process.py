"""Running programs: what they leave behind and what they don't end on must not hold us up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdo.common.process import CommandError, run


def alive(pid: int) -> bool:
    """Return True if a process runs; one that only waits to be reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually_dead(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_outputs_and_status() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], input="é\n", check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "é\n", "err\n")


def test_large_input_and_output_at_once() -> None:
    text = "x" * (4 << 20)
    assert run(["cat"], input=text, timeout=20).stdout == text


def test_input_that_nobody_reads() -> None:
    assert run(["true"], input="x" * (4 << 20)).status == 0


def test_failures_say_what_and_why(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="exit 4\nwords"):
        run(["sh", "-c", "echo words; exit 4"])
    with pytest.raises(CommandError, match="not found"):
        run(["no-such-program"])
    (tmp_path / "x").write_text("")
    with pytest.raises(CommandError, match="may not be run"):
        run([str(tmp_path / "x")])


def test_time_limit_ends_grandchildren(tmp_path: Path) -> None:
    """Only the direct child was killed; its children went on, and their pipe was waited for."""
    began = time.monotonic()
    with pytest.raises(CommandError, match=r"no end after 0\.5 s\nbegun"):
        run(["sh", "-c", f"echo begun; sleep 60 & echo $! >{tmp_path}/pid; wait"], timeout=0.5)
    assert time.monotonic() - began < 5
    assert eventually_dead(int((tmp_path / "pid").read_text()))


def test_time_limit_does_not_wait_for_who_left_the_group(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandError, match="no end after"):
        run(["sh", "-c", f"setsid sleep 60 & echo $! >{tmp_path}/pid; sleep 60"], timeout=0.5)
    assert time.monotonic() - began < 8
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_what_a_program_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run(["sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid; echo done"])
    assert (done.status, done.stdout) == (0, "done\n")
    assert time.monotonic() - began < 8
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid), "a daemon is started on purpose"
    os.kill(pid, signal.SIGKILL)


POOL = """
import sys
from concurrent.futures import ThreadPoolExecutor
from rdo.common.process import end_programs_with_us, run
end_programs_with_us()
script = f"echo $$ >>{sys.argv[1]}; sleep 60"
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda _: run(["sh", "-c", script], check=False), range(2)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_programs_of_all_threads(tmp_path: Path, number: signal.Signals) -> None:
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", POOL, str(pids)], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not pids.exists() or len(pids.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(60) != 0
    assert all(eventually_dead(int(pid)) for pid in pids.read_text().split())
