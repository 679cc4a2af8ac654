from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdo.building.graph import BuildGraph, CycleError, Step, build_graph
from rdo.building.models import BuildRequest
from rdo.common.errors import RdoError
from tests.unit.building.fakes import request

NAMES = [f"p{number:02}" for number in range(12)]


@st.composite
def requests(draw: st.DrawFn) -> list[BuildRequest]:
    """Packages that build-require only earlier ones, and check-require whatever."""
    made = []
    for number, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        made.append((name, draw(st.sets(st.sampled_from(NAMES[:number]))) if number else set()))
    names = [name for name, _ in made]
    result = []
    for name, hard in made:
        check = draw(st.sets(st.sampled_from(names), max_size=3)) - hard - {name}
        after = sorted(hard | check)
        only = tuple(sorted(check))
        result.append(request(name, *after, check_requires=only, check_after=only))
    return draw(st.permutations(result))


def positions(graph: BuildGraph) -> dict[Step, int]:
    return {step: number for number, step in enumerate(graph.order)}


@given(requests())
def test_order_respects_needs_and_every_package_is_built_once_in_full(made: list[BuildRequest]) -> None:
    graph = build_graph(made)
    place = positions(graph)
    assert len(place) == len(graph.order)
    for step, needs in graph.needs.items():
        assert all(place[need] < place[step] for need in needs)
    assert sorted(s.package for s in graph.order if s.stage == "full") == sorted(r.package for r in made)


@given(requests())
def test_cycles_are_broken_only_by_the_rule(made: list[BuildRequest]) -> None:
    graph = build_graph(made)
    members = {name for cycle in graph.cycles for name in cycle}
    assert {s.package for s in graph.order if s.stage == "bootstrap"} == members
    by_name = {r.package: r for r in made}
    for step in graph.order:
        original = by_name[step.package]
        needed = {need.package for need in graph.needs[step]} - {step.package}
        if step.stage == "full":
            assert graph.requests[step] == original
            assert needed == set(original.after)
        else:
            assert not graph.requests[step].with_check
            assert needed == set(original.after) - set(original.check_after)
    for cycle in graph.cycles:
        for name in cycle:
            inside = [n for n in graph.needs[Step(name)] if n.package in cycle]
            assert all(need.stage == "bootstrap" for need in inside)


@given(requests())
def test_layers_and_priorities_follow_the_longest_chain(made: list[BuildRequest]) -> None:
    graph = build_graph(made)
    layers = graph.layers()
    assert sum(len(layer) for layer in layers) == len(graph.order)
    priorities = graph.priorities(dict.fromkeys(NAMES, 1.0))
    assert max(priorities.values()) == len(layers)
    for step, needs in graph.needs.items():
        assert all(priorities[need] > priorities[step] for need in needs)


def test_order_does_not_depend_on_the_order_given() -> None:
    made = [request("c", "a"), request("b", "a"), request("a")]
    assert build_graph(made).order == build_graph(reversed(made)).order


def test_cycle_without_checks_is_named() -> None:
    with pytest.raises(CycleError) as caught:
        build_graph([request("a", "b"), request("b", "c"), request("c", "a"), request("d")])
    assert {name.split()[0] for name in caught.value.cycle} == {"a", "b", "c"}


def test_package_does_not_need_itself() -> None:
    assert build_graph([request("setuptools", "setuptools")]).order == (Step("setuptools"),)


@pytest.mark.parametrize("made", [[request("a"), request("a")], [request("a", "nobody")]])
def test_wrong_requests(made: list[BuildRequest]) -> None:
    with pytest.raises(RdoError):
        build_graph(made)
