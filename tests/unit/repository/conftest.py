from __future__ import annotations

from pathlib import Path

import pytest

from rdo.common.paths import Paths
from rdo.repository import keys
from rdo.repository.keys import Key


def paths_at(folder: Path) -> Paths:
    return Paths(state=folder / "state", cache=folder / "cache", distribution=folder / "distribution")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_at(tmp_path)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """One real key for all tests: making one takes seconds."""
    return keys.create(paths_at(tmp_path_factory.mktemp("key")), name="Tester", email="tester@example.org")
