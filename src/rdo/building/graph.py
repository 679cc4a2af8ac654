"""In which order packages are built: the build graph, its cycles, and which step comes first.

The bootstrap rule: packages that need each other in a cycle are each built once without their ``%check`` and
without what only it needs (``bootstrap`` steps), and then once more in full with the results of that in the
root. A cycle that remains without checks can't be broken by the rule; it is an error that names its members.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rdo.building.models import BuildRequest
from rdo.common.errors import RdoError

Stage = Literal["bootstrap", "full"]

#: Seconds taken for a build that was never seen, where nothing better is known.
UNKNOWN_SECONDS = 3.0


class CycleError(RdoError):
    """Packages need each other even without their checks."""

    def __init__(self, cycle: Sequence[str]) -> None:
        super().__init__(
            f"These packages need each other to be built, even without checks: {' -> '.join(cycle)}.",
            hint="One of them must come from the platform, or give up a build requirement.",
        )
        self.cycle = tuple(cycle)


@dataclass(frozen=True, order=True)
class Step:
    """One build to be done: a package, before or after its cycle is broken."""

    package: str
    stage: Stage = "full"

    def __str__(self) -> str:
        return self.package if self.stage == "full" else f"{self.package} (bootstrap)"


@dataclass(frozen=True)
class BuildGraph:
    """Steps in an order that respects their needs; packages without any cycle have one step, ``full``."""

    order: tuple[Step, ...]
    requests: Mapping[Step, BuildRequest]
    needs: Mapping[Step, tuple[Step, ...]]
    cycles: tuple[tuple[str, ...], ...] = ()
    wanted_by: Mapping[Step, tuple[Step, ...]] = field(default_factory=dict)

    def layers(self) -> list[list[Step]]:
        """Return the steps by depth: each layer needs only steps of earlier ones."""
        depth: dict[Step, int] = {}
        for step in self.order:
            depth[step] = 1 + max((depth[need] for need in self.needs[step]), default=-1)
        layers: list[list[Step]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
        for step in self.order:
            layers[depth[step]].append(step)
        return layers

    def priorities(self, seconds: Mapping[str, float]) -> dict[Step, float]:
        """Return for each step the seconds from its start to the end of the longest chain that it begins.

        :param seconds: what packages took before; the mean of them stands for those not in it
        """
        mean = sum(seconds.values()) / len(seconds) if seconds else UNKNOWN_SECONDS
        longest: dict[Step, float] = {}
        for step in reversed(self.order):
            after = max((longest[other] for other in self.wanted_by[step]), default=0.0)
            longest[step] = seconds.get(step.package, mean) + after
        return longest


def build_graph(requests: Iterable[BuildRequest]) -> BuildGraph:
    """Return the graph of some requests.

    :raises RdoError: two requests of one package, or one after a package that nobody builds
    :raises CycleError: a cycle that the bootstrap rule doesn't break
    """
    by_package = _by_package(requests)
    edges = {name: _needed(request, by_package) for name, request in by_package.items()}
    cycles = _cycles(edges)
    member_of = {name: number for number, cycle in enumerate(cycles) for name in cycle}
    needs: dict[Step, tuple[Step, ...]] = {}
    steps: dict[Step, BuildRequest] = {}
    for name in sorted(by_package):
        steps[Step(name)] = by_package[name]
        mine = member_of.get(name)

        def step_of(other: str, cycle: int | None = mine) -> Step:
            inside = cycle is not None and member_of.get(other) == cycle
            return Step(other, "bootstrap" if inside else "full")

        full = [step_of(other) for other in edges[name]]
        if mine is not None:
            first = Step(name, "bootstrap")
            steps[first] = without_check(by_package[name])
            needs[first] = tuple(step_of(other) for other in _needed(steps[first], by_package))
            # Its own bootstrap result is needed as well: others of the cycle may require it when installed.
            full.append(first)
        needs[Step(name)] = tuple(sorted(full))
    order = _ordered(needs)
    wanted_by: dict[Step, list[Step]] = {step: [] for step in order}
    for step in order:
        for need in needs[step]:
            wanted_by[need].append(step)
    return BuildGraph(
        order=tuple(order),
        requests=steps,
        needs=needs,
        cycles=cycles,
        wanted_by={step: tuple(others) for step, others in wanted_by.items()},
    )


def without_check(request: BuildRequest) -> BuildRequest:
    """Return a request's bootstrap form: no ``%check``, and nothing in the root that only it needs."""
    return request.model_copy(
        update={
            "with_check": False,
            "build_requires": tuple(r for r in request.build_requires if r not in request.check_requires),
            "after": tuple(name for name in request.after if name not in request.check_after),
            "check_requires": (),
            "check_after": (),
        }
    )


def _by_package(requests: Iterable[BuildRequest]) -> dict[str, BuildRequest]:
    by_package: dict[str, BuildRequest] = {}
    for request in requests:
        if request.package in by_package:
            raise RdoError(f"{request.package} is to be built twice in one run.")
        by_package[request.package] = request
    for request in by_package.values():
        if unknown := sorted(set(request.after) - by_package.keys()):
            raise RdoError(
                f"{request.package} comes after {', '.join(unknown)}, which this run doesn't build."
            )
    return by_package


def _needed(request: BuildRequest, known: Mapping[str, BuildRequest]) -> list[str]:
    """Return which packages must be built before. None needs itself: the platform's serves to build it."""
    return sorted({name for name in request.after if name in known and name != request.package})


def _cycles(edges: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        import networkx  # only here: it takes longer to import than the rest of the tool

        digraph: networkx.DiGraph[str] = networkx.DiGraph()
        digraph.add_edges_from((name, need) for name, needs in edges.items() for need in needs)
        found = (tuple(sorted(c)) for c in networkx.strongly_connected_components(digraph) if len(c) > 1)
        return tuple(sorted(found))
    return ()


def _ordered(needs: Mapping[Step, Sequence[Step]]) -> list[Step]:
    sorter = graphlib.TopologicalSorter({step: needs[step] for step in sorted(needs)})
    try:
        return list(sorter.static_order())
    except graphlib.CycleError as error:
        raise CycleError([str(step) for step in reversed(error.args[1])]) from None
