"""A whole run from the outside: one at a time, on a machine that is fit for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rdo.building.cleanup import clean_up
from rdo.building.engine import DaskEngine, Engine, InlineEngine
from rdo.building.preflight import require_ready
from rdo.building.runlock import only_run
from rdo.common.paths import Paths
from rdo.common.process import end_programs
from rdo.common.progress import Progress


def default_jobs() -> int:
    """Return how many builds run at once where nobody says otherwise: one a processor that we may use."""
    return max(1, len(os.sched_getaffinity(0)))


def make_engine(jobs: int, scheduler: str | None, paths: Paths) -> Engine:
    """Return an engine; it starts with its first task. One job without a scheduler needs no cluster."""
    if scheduler is None and jobs == 1:
        return InlineEngine()
    return DaskEngine(jobs, scheduler=scheduler, scratch=paths.cache / "engine")


@contextmanager
def run_session(paths: Paths, platform: str, series: str, progress: Progress) -> Iterator[None]:
    """Hold what a run needs for as long as it lasts.

    What killed runs left is removed first. SIGTERM ends the run as Ctrl-C does; both leave nothing.

    :raises NotReadyError: this machine lacks something
    :raises RdoError: another run of this platform and series is under way
    """
    require_ready(paths)
    with only_run(paths, platform, series), _terminable():
        for line in clean_up(paths):
            progress.message(f"left by a killed process: {line}")
        try:
            yield
        except KeyboardInterrupt:
            # The workers were stopped in the middle of their builds; nobody needs what they have so far.
            clean_up(paths)
            raise


@contextmanager
def _terminable() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        end_programs()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
