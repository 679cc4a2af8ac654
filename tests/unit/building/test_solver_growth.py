"""Packages that come after a question: libsolv's bindings once wrote past the end of a map then."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from rdo.building.rpminfo import RpmInfo
from rdo.building.solver import Universe
universe = Universe()
for wave in range(6):
    made = [RpmInfo(name=f"w{wave}p{n}", version="1", provides=(f"cap{wave}",)) for n in range(400)]
    universe.add(made)
    found = universe.solve([f"cap{wave}"], considered=made[-1:])
    assert [info.name for info in found.packages] == [f"w{wave}p399"], found
    assert not universe.solve([f"cap{wave}"], considered=[]).ok
del universe
"""


def test_packages_may_be_added_between_questions() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
