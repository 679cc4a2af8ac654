"""How long a run still takes, from what its packages took before."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rdo.building.graph import UNKNOWN_SECONDS, BuildGraph, Step


class Estimate:
    """The time left of one run. All times are seconds.

    :param seconds: what packages took before; the running mean stands for the others
    """

    def __init__(self, seconds: Mapping[str, float], graph: BuildGraph) -> None:
        self._before, self._graph = seconds, graph
        self._left = set(graph.order)
        self._begun: dict[Step, float] = {}
        self._seen: list[float] = []

    def begin(self, step: Step) -> None:
        """A step is being built from now on."""
        self._begun[step] = time.monotonic()

    def end(self, step: Step, seconds: float) -> None:
        """A step was really built, in this time."""
        self._begun.pop(step, None)
        self._seen.append(seconds)

    def done(self, step: Step) -> None:
        """A step is over, built or not."""
        self._left.discard(step)

    def left(self, slots: int) -> float:
        """Return the time left with so many builds at once: all work shared out, or the longest chain."""
        known = [*self._before.values(), *self._seen]
        mean = sum(known) / len(known) if known else UNKNOWN_SECONDS
        work = 0.0
        chain: dict[Step, float] = {}
        for step in reversed(self._graph.order):
            if step not in self._left:
                continue
            mine = self._before.get(step.package, mean)
            if step in self._begun:
                mine = max(mine - (time.monotonic() - self._begun[step]), 0.0)
            work += mine
            chain[step] = mine + max((chain.get(o, 0.0) for o in self._graph.wanted_by[step]), default=0.0)
        return max(work / slots, max(chain.values(), default=0.0))
