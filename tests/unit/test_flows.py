"""Which system flows a change makes stale, in which order they run, and that they name what they stand on."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rdo.cli.main import COMMANDS
from tests.flows.__main__ import all_flows
from tests.flows.flow import ALL_ROOMS, CORE_SERVICES, Flow
from tests.flows.inputs import imported_modules, inputs_of, tracked_files
from tests.flows.records import Records, Trouble
from tests.flows.runner import Outcome, run_flows
from tests.flows.standing import Standing, in_order, standing_of
from tests.installation import CHECKOUT

ONE = Flow("one", "test_one", rooms=("common",), minutes=10, likelihood=0.5)
TWO = Flow("two", "test_two", rooms=("common", "cloud"), minutes=20)
MAIN = Flow("main", "test_main", rooms=("common",), minutes=12, always=True)


def tree(folder: Path) -> Path:
    """A small checkout with two rooms, the tests of two flows and the data of two series."""
    files = {
        ".gitignore": "*.pyc\n",
        "setup.sh": "",
        "src/rdo/common/errors.py": "",
        "src/rdo/cloud/plan.py": "",
        "src/rdo/cloud/plan.pyc": "",
        "tests/helper.py": "import tests.deeper\n",
        "tests/deeper.py": "",
        "tests/flows/flow.py": "",
        "tests/system/test_one.py": "from tests import helper\nfrom tests.flows.flow import Flow\n",
        "tests/system/test_two.py": "",
        "distribution/releases/2026.1.yaml": "",
        "distribution/releases/2025.2.yaml": "",
        "distribution/packages/lxml/package.yaml": "project: lxml\n",
        "distribution/packages/nova/package.yaml": "project: nova\nservice:\n  uid: 162\n",
        "distribution/packages/nova/0001.patch": "",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    tracked_files.cache_clear()
    return folder


def files_of(flow: Flow, folder: Path) -> set[str]:
    return {path for path in inputs_of(flow, folder) if not path.startswith("(")}


def test_a_flow_stands_on_what_it_names_and_what_its_tests_import(tmp_path: Path) -> None:
    checkout = tree(tmp_path)
    assert files_of(ONE, checkout) == {
        "setup.sh",
        "src/rdo/common/errors.py",
        "tests/helper.py",
        "tests/deeper.py",
        "tests/system/test_one.py",
        "distribution/releases/2026.1.yaml",
        "distribution/packages/lxml/package.yaml",
    }
    more = Flow("more", "test_two", ("cloud",), 1, series=("2025.2",), services=("nova",))
    assert files_of(more, checkout) - files_of(ONE, checkout) == {
        "src/rdo/cloud/plan.py",
        "tests/system/test_two.py",
        "distribution/releases/2025.2.yaml",
        "distribution/packages/nova/package.yaml",
        "distribution/packages/nova/0001.patch",
    }


def test_only_what_a_flow_stands_on_makes_it_stale(tmp_path: Path) -> None:
    checkout, records = tree(tmp_path / "tree"), Records(tmp_path / "flows")
    before = inputs_of(ONE, checkout)
    assert not standing_of(ONE, records, before).fresh
    records.passed(ONE, before, 60)
    assert standing_of(ONE, records, inputs_of(ONE, checkout)).fresh
    (checkout / "src/rdo/cloud/plan.py").write_text("x = 1\n")
    assert standing_of(ONE, records, inputs_of(ONE, checkout)).fresh
    (checkout / "src/rdo/common/errors.py").write_text("x = 1\n")
    standing = standing_of(ONE, records, inputs_of(ONE, checkout))
    assert not standing.fresh
    assert standing.changed == ("src/rdo/common/errors.py",)
    assert "src/rdo/common/errors.py" in standing.reason
    assert standing.minutes == 1
    (checkout / "src/rdo/common/errors.py").write_text("")
    assert standing_of(ONE, records, inputs_of(ONE, checkout)).fresh


def test_a_file_that_is_gone_makes_a_flow_stale(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.passed(ONE, {"a": "1", "b": "2"}, 60)
    assert standing_of(ONE, records, {"a": "1"}).changed == ("b",)


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.passed(ONE, {"a": "1"}, 60)
    for file in tmp_path.iterdir():
        file.write_text("{")
    assert not standing_of(ONE, records, {"a": "1"}).fresh


def standing(flow: Flow, changed: int, trouble: Trouble | None = None) -> Standing:
    return Standing(
        flow, {"a": "1"}, False, tuple(str(n) for n in range(changed)), None, trouble or Trouble()
    )


def test_what_failed_comes_first_then_what_has_changed_most() -> None:
    order = in_order(
        [
            standing(ONE, 9),
            standing(TWO, 5),
            standing(MAIN, 0),
            standing(Flow("bad", "m", (), 30), 1, Trouble(failed=True)),
        ]
    )
    assert [one.flow.name for one in order] == ["main", "bad", "two", "one"]


def test_a_flow_that_was_left_out_often_gets_its_turn() -> None:
    assert in_order([standing(ONE, 9, Trouble(left_out=1)), standing(TWO, 5)])[0].flow is ONE


class Clock:
    """A clock that only running flows move, and what they were told."""

    def __init__(self, failing: frozenset[str] = frozenset()) -> None:
        self.now, self.failing, self.ran = 0.0, failing, list[str]()

    def run(self, flow: Flow, _minutes: float) -> bool:
        self.now += 60 * flow.minutes
        self.ran.append(flow.name)
        return flow.name not in self.failing

    def __call__(self) -> float:
        return self.now


def same(_flow: Flow) -> Mapping[str, str]:
    return {"a": "1"}


def go(records: Records, clock: Clock, chosen: list[Standing], minutes: float | None) -> Outcome:
    return run_flows(chosen, records, clock.run, minutes=minutes, clock=clock, inputs=same)


def test_what_does_not_fit_into_the_time_is_left_out_and_remembered(tmp_path: Path) -> None:
    records, clock = Records(tmp_path), Clock()
    outcome = go(records, clock, [standing(MAIN, 0), standing(TWO, 5), standing(ONE, 2)], minutes=25)
    assert (outcome.passed, outcome.left_out, outcome.failed) == (["main", "one"], ["two"], [])
    assert records.trouble(TWO).left_out == 1
    assert standing_of(ONE, records, {"a": "1"}).fresh
    assert not standing_of(TWO, records, {"a": "1"}).fresh


def test_what_always_runs_needs_no_time(tmp_path: Path) -> None:
    clock = Clock()
    assert go(Records(tmp_path), clock, [standing(MAIN, 0)], minutes=1).passed == ["main"]


def test_a_flow_that_fails_is_stale_until_it_passes(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.passed(ONE, {"a": "1"}, 60)
    outcome = go(records, Clock(frozenset({"one"})), [standing(ONE, 1), standing(TWO, 1)], minutes=None)
    assert (outcome.failed, outcome.passed) == (["one"], ["two"])
    assert not standing_of(ONE, records, {"a": "1"}).fresh
    assert go(records, Clock(), [standing(ONE, 1)], minutes=None).passed == ["one"]
    assert standing_of(ONE, records, {"a": "1"}).fresh


def test_what_changed_while_it_ran_has_not_passed(tmp_path: Path) -> None:
    records, clock = Records(tmp_path), Clock()
    run_flows([standing(ONE, 1)], records, clock.run, clock=clock, inputs=lambda _flow: {"a": "2"})
    assert records.newest(ONE) is None


def rooms_behind(start: set[str]) -> set[str]:
    """Return the rooms of all modules that some modules import, directly or not."""
    found: set[str] = set()
    waiting = {name for name in start if file_of(name) is not None}
    while waiting:
        name = waiting.pop()
        found.add(name)
        file = file_of(name)
        assert file is not None
        waiting |= {other for other in imported_modules(file, "rdo") if file_of(other)} - found
    return {name.split(".")[1] for name in found if "." in name}


def file_of(module: str) -> Path | None:
    place = CHECKOUT / "src" / module.replace(".", "/")
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def first_words(file: Path) -> set[str]:
    """Return the strings that are a call's or a tuple's first value: those that may be commands."""
    values = [
        (node.args if isinstance(node, ast.Call) else node.elts)[:1]
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call | ast.Tuple)
    ]
    return {
        v.value for found in values for v in found if isinstance(v, ast.Constant) and isinstance(v.value, str)
    }


@pytest.mark.parametrize("flow", all_flows(), ids=lambda flow: flow.name)
def test_a_flow_names_every_room_that_it_uses(flow: Flow) -> None:
    # conftest.py asks `rdo doctor`, which looks at everything
    paths = [path for path in inputs_of(flow) if path.startswith("tests/system/") and "conftest" not in path]
    tests = [CHECKOUT / path for path in paths]
    used = {name for file in tests for name in imported_modules(file, "rdo")}
    commands = {word for file in tests for word in first_words(file) & COMMANDS.keys()}
    used |= {COMMANDS[command] for command in commands}
    named = {room.partition("/")[0] for room in flow.rooms}
    assert commands, "it runs no command of rdo"
    assert rooms_behind(used) <= named


def test_every_system_test_belongs_to_one_flow_and_names_are_unique() -> None:
    flows = all_flows()
    assert len({flow.name for flow in flows}) == len(flows)
    assert [flow.name for flow in flows if flow.always] == ["quickstart"]
    for module in {flow.module for flow in flows}:
        marks = sorted(flow.marks for flow in flows if flow.module == module)
        assert marks in ([""], ["long", "not long"])


def test_rooms_services_and_series_that_flows_name_exist() -> None:
    for flow in all_flows():
        names = [f"src/rdo/{room}" for room in flow.rooms] + list(flow.documents)
        names += [f"distribution/packages/{service}" for service in flow.services or ()]
        names += [f"distribution/releases/{series}.yaml" for series in flow.series]
        assert [name for name in names if not (CHECKOUT / name).exists()] == []
    assert {path.name for path in (CHECKOUT / "src/rdo").iterdir() if path.is_dir()} <= {
        *ALL_ROOMS,
        "__pycache__",
    }


def test_the_services_of_a_cloud_are_those_that_flows_name() -> None:
    from rdo.cloud.topology import CORE

    assert set(CORE) == set(CORE_SERVICES)
