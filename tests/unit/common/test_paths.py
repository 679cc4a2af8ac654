"""Where things are kept: the settings that move them, and whose data is taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.common.errors import InputError


def test_settings_move_state_and_cache(tmp_path: Path) -> None:
    paths = open_installation({"RDO_HOME": str(tmp_path / "home")}).paths
    assert (paths.state, paths.cache) == (tmp_path / "home/state", tmp_path / "home/cache")
    both = open_installation({"RDO_HOME": str(tmp_path / "home"), "RDO_CACHE": str(tmp_path / "cache")}).paths
    assert (both.state, both.cache) == (tmp_path / "home/state", tmp_path / "cache")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_data_of_strangers_is_not_taken_by_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "distribution"
    (data / "releases").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert open_installation({}).paths.distribution == data
    os.chown(data, 12345, 12345)
    with pytest.raises(InputError, match="belongs to another user"):
        open_installation({})
    assert open_installation({"SUDO_UID": "12345"}).paths.distribution == data
    assert open_installation({"RDO_DISTRIBUTION": str(data)}).paths.distribution == data
