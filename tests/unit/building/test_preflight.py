from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from rdo.building.preflight import NotReadyError, open_folders, preflight, require_ready
from rdo.building.runlock import only_run
from rdo.common.errors import RdoError
from rdo.common.paths import Paths

Space = namedtuple("Space", ["f_bavail", "f_frsize"])


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(state=tmp_path / "state", cache=tmp_path / "cache", distribution=tmp_path)


def test_full_disk_is_said_with_both_figures(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: Space(1 << 18, 4096))
    said = [str(one) for one in preflight(paths) if "GiB" in str(one)]
    assert len(said) == 1
    assert "has 1.0 GiB free" in said[0] and "about 4.5 GiB" in said[0]
    assert not paths.cache.exists()


def test_everything_is_said_at_once(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: Space(0, 4096))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotReadyError) as caught:
        require_ready(paths)
    assert "root's rights" in caught.value.what and "GiB" in caught.value.what


def test_only_one_run_at_a_time(paths: Paths) -> None:
    with only_run(paths, "debian13", "2026.1"):
        with (
            pytest.raises(RdoError, match=f"by process {os.getpid()}"),
            only_run(paths, "debian13", "2026.1"),
        ):
            pass
        with only_run(paths, "debian13", "2025.2"):
            pass
    with only_run(paths, "debian13", "2026.1"):
        pass


def test_lock_goes_with_its_holder(paths: Paths) -> None:
    script = f"""
import os
from pathlib import Path
from rdo.building.runlock import only_run
from rdo.common.paths import Paths
here = Path({str(paths.distribution)!r})
with only_run(Paths(state=here / "state", cache=here / "cache", distribution=here), "debian13", "2026.1"):
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    with only_run(paths, "debian13", "2026.1"):
        pass


def test_folders_that_anybody_can_write_to_are_named(tmp_path: Path) -> None:
    paths = Paths(state=tmp_path / "state dir", cache=tmp_path / "cache", distribution=tmp_path)
    assert open_folders(paths) == []
    for folder, mode in (("state dir/keys", 0o700), ("cache/store", 0o777), ("cache/temporary", 0o1777)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder).chmod(mode)
    assert [one.what for one in open_folders(paths)] == [
        f"{tmp_path}/cache/store can be written by every user."
    ]
    (tmp_path / "state dir").chmod(0o777)
    (first, _) = open_folders(paths)
    assert f"chmod -R o-w '{tmp_path}/state dir'" in first.mend
