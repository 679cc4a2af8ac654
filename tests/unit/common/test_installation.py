"""An installation: what is made of it once, and what of it goes to other machines."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

from rdo.building.state import State
from rdo.building.store import LocalStore, open_store
from rdo.common.installation import Installation, utc_now
from rdo.common.paths import Paths
from rdo.common.process import run
from tests.settings import installation_of, settings_of


def paths_in(folder: Path) -> Paths:
    return Paths(state=folder / "state", cache=folder / "cache", distribution=folder)


def test_a_part_is_made_once_or_is_the_tests(tmp_path: Path) -> None:
    installation = installation_of(paths_in(tmp_path))
    assert installation.part(open_store) is installation.part(open_store)
    assert installation.part(State.open) is installation.part(State.open)
    other = LocalStore(tmp_path / "other")
    assert Installation(installation.settings, parts={open_store: other}).part(open_store) is other


def test_workers_get_no_database_and_no_parts(tmp_path: Path) -> None:
    proxy = "http://proxy:3128"
    stated = {"database": "postgresql+psycopg://rdo:opensesame@db/rdo", "https_proxy": proxy}
    installation = installation_of(paths_in(tmp_path), **stated)
    installation.part(open_store)
    sent = pickle.dumps(installation)
    assert b"opensesame" not in sent
    got = pickle.loads(sent)
    assert (got.paths, got.settings.https_proxy, got.parts) == (installation.paths, proxy, {})
    assert got.settings.database is None
    assert got.clock is utc_now


def test_equal_settings_are_one_installation(tmp_path: Path) -> None:
    """A worker keeps what it made for an installation, by its value."""
    one, other = installation_of(paths_in(tmp_path)), installation_of(paths_in(tmp_path))
    one.part(open_store)
    assert one == other and hash(one) == hash(other)
    assert one != installation_of(paths_in(tmp_path), release="2026.1")


def test_state_takes_the_installations_clock(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    state = State.open(Installation(settings_of(paths_in(tmp_path)), lambda: moment))
    state.finish_run(state.start_run("2026.1", "debian13", ["nova"], 1), "failed")
    found = state.last_run()
    assert found is not None
    assert found.started == found.finished == moment.replace(tzinfo=None)


def test_programs_get_variables_beside_the_environment() -> None:
    done = run(["sh", "-c", 'echo $RDO_TEST; test -n "$PATH"'], variables={"RDO_TEST": "said"})
    assert done.stdout == "said\n"
    alone = run(["/usr/bin/env"], env={"ONE": "1"}, variables={"TWO": "2"})
    assert sorted(alone.stdout.split()) == ["ONE=1", "TWO=2"]
