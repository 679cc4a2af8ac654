from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdo.building.state import State, process_start
from tests.unit.building import state_checks


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.at(f"sqlite:///{tmp_path}/rdo.sqlite")


def test_run_comes_back_as_recorded(state: State) -> None:
    state_checks.run_comes_back_as_recorded(state)


def test_last_build_prefers_what_has_a_log(state: State) -> None:
    state_checks.last_build_prefers_what_has_a_log(state)


def test_dead_process_leaves_an_interrupted_run(tmp_path: Path) -> None:
    state_checks.dead_process_leaves_an_interrupted_run(f"sqlite:///{tmp_path}/rdo.sqlite")


def test_process_is_told_from_a_later_one_of_its_number() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(2**22 + 1) is None
