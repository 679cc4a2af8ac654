"""Runs on a real cluster: workers that die, Ctrl-C, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rdo.building.engine import DaskEngine
from tests.unit.building.fakes import House, request, statuses
from tests.unit.building.test_verification import REQUESTS, require_going_on

SCRIPT = """
import sys
from pathlib import Path
from rdo.building.engine import DaskEngine
from tests.unit.building.fakes import House, request
if __name__ == "__main__":
    house = House.at(Path(sys.argv[1])).with_builder(seconds=float(sys.argv[2]))
    packages = [request("pbr"), *(request(f"p{n}", "pbr") for n in range(8))]
    house.run(*packages, engine=DaskEngine(2, scratch=house.paths.cache / "engine"))
"""


def start(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    here = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(seconds)],
        env={**os.environ, "PYTHONPATH": str(here)},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def wait(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(folder: Path) -> list[int]:
    """Processes started in the session of a run: all of them have the folder's script as ancestor."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                session = (entry / "stat").read_text().rpartition(")")[2].split()[3]
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if session == folder.name and state != "Z":
                found.append(int(entry.name))
    return found


def resume(folder: Path) -> None:
    house = House.at(folder)
    finished = set(house.builder.built())
    run = house.state.last_run()
    assert run is not None and run.outcome == "interrupted"
    done = {build.package for build in run.builds if build.status == "built"}
    assert "pbr" in done
    assert all(build.status != "building" for build in run.builds)
    packages = [request("pbr"), *(request(f"p{n}", "pbr") for n in range(8))]
    after = statuses(house.run(*packages))
    assert done <= {name for name, status in after.items() if status == "cached"} <= finished
    assert set(after.values()) == {"built", "cached"}


def test_cluster_builds_side_by_side_and_survives_a_dead_worker(tmp_path: Path) -> None:
    house = House.at(tmp_path).with_builder(
        suicidal=frozenset({"p1"}), broken=frozenset({"p2"}), failing=frozenset({"p3"})
    )
    packages = [request("pbr"), *(request(f"p{n}", "pbr") for n in range(5)), request("last", "p1")]
    engine = DaskEngine(2, scratch=house.paths.cache / "engine")
    summary = house.run(*packages, engine=engine)
    assert statuses(summary) == {
        "pbr": "built",
        "p0": "built",
        "p1": "built",
        "p2": "failed",
        "p3": "failed",
        "p4": "built",
        "last": "built",
    }
    assert house.builder.built().count("p1") == 2
    broken = next(r for r in summary.results if r.package == "p2")
    assert broken.reason == "ZeroDivisionError: a defect"


def test_kill_9_loses_nothing_finished(tmp_path: Path) -> None:
    process = start(tmp_path, 1.0)
    house = House.at(tmp_path)
    wait(lambda: len(house.builder.built()) >= 3)
    session = Path(str(process.pid))
    assert len(processes_of(session)) >= 3
    process.kill()
    process.wait()
    wait(lambda: not processes_of(session), 20)
    resume(tmp_path)


def test_ctrl_c_stops_and_leaves_no_process(tmp_path: Path) -> None:
    process = start(tmp_path, 1.0)
    house = House.at(tmp_path)
    wait(lambda: len(house.builder.built()) >= 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    assert process.wait(30) != 0
    wait(lambda: not processes_of(Path(str(process.pid))), 10)
    resume(tmp_path)


def test_run_without_work_does_not_import_the_cluster(tmp_path: Path) -> None:
    House.at(tmp_path).run(request("pbr"))
    script = f"""
import sys
from pathlib import Path
from rdo.building.engine import DaskEngine
from tests.unit.building.fakes import House, request
House.at(Path({str(tmp_path)!r})).run(request("pbr"), engine=DaskEngine(2))
sys.exit("distributed" in sys.modules or "networkx" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_verification_goes_on_after_differences_and_failures(tmp_path: Path) -> None:
    house = House.at(tmp_path)
    house.run(*REQUESTS)
    require_going_on(house, DaskEngine(2, scratch=house.paths.cache / "engine"))
