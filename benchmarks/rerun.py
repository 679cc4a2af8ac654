"""The quickstart's closure once more with nothing changed, against its first run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Row, Sample, measured, row
from benchmarks.places import Bench
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.common.progress import Progress

TITLE = "`rdo build keystone python-openstackclient`, published: the first run, and again without changes"

ASKED = ("keystone", "python-openstackclient")


def run(bench: Bench, rounds: int, progress: Progress) -> tuple[list[Row], list[str]]:
    """Build in an installation without any RPM; sources, metadata and the platform's layers are there."""
    with bench.apart(("roots", "sources", "layers", "metadata")) as paths:
        progress.message("the first run")
        first = command(paths, "build", *ASKED)
        again = []
        for number in range(rounds):
            progress.message(f"again, {number + 1} of {rounds}")
            again.append(command(paths, "build", *ASKED))
        nothing = command(paths, "--help")
    rows = [
        row("first run, nothing built yet", [first]),
        row("again, nothing changed", again, base=[first], against="first", goal=3.0, goal_is="seconds"),
        row("`rdo --help`, to compare", [nothing]),
    ]
    return rows, [
        "Whole commands, from the start of the process to its end, signing and publication included."
    ]


def command(paths: Paths, *arguments: str) -> Sample:
    """Run ``rdo`` with an installation's places and measure it.

    :raises RdoError: it failed
    """
    with measured() as sample:
        printed(paths, *arguments)
    return sample


def printed(paths: Paths, *arguments: str) -> str:
    """Run ``rdo`` with an installation's places and return its standard output.

    :raises RdoError: it failed
    """
    env = {**os.environ, "RDO_HOME": str(paths.state.parent), "RDO_DISTRIBUTION": str(paths.distribution)}
    env.pop("RDO_CACHE", None)
    env.pop("RDO_STORE", None)
    env.pop("RDO_DATABASE", None)
    script = "import sys; from rdo.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=env,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RdoError(f"rdo {' '.join(arguments)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
