"""What dead processes left goes; what is alive or not ours stays."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rdo.building.cleanup import abandoned, clean_up
from rdo.building.roots import temporary
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.sealed import owner_mark, scratch_folder, start_time
from rdo.common.errors import RdoError
from rdo.common.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(state=tmp_path / "state", cache=tmp_path / "cache", distribution=tmp_path)


def dead_mark() -> str:
    with subprocess.Popen(["sleep", "60"]) as process:
        mark = f"{process.pid}-{start_time(process.pid)}"
        process.kill()
    return mark


def test_marks() -> None:
    assert not abandoned(f"{owner_mark()}-0")
    assert not abandoned(f"tmp-{owner_mark()}-abcd")
    assert abandoned(f"tmp-{dead_mark()}-abcd")
    assert abandoned(f"tmp-{os.getpid()}-1-abcd"), "the id was given to another process since"
    assert not abandoned("tmp-what")
    assert not abandoned("3f0c9e")


def test_only_abandoned_folders_are_removed(paths: Paths) -> None:
    mark = dead_mark()
    dead = [
        scratch_folder(paths) / f"{mark}-3",
        paths.roots / f"tmp-{mark}-00ff",
        paths.layers / "deb" / f"tmp-{mark}-00ff",
    ]
    alive = [scratch_folder(paths) / f"{owner_mark()}-3", paths.layers / "deb" / "00ff", paths.roots / "abc"]
    for folder in [*dead, *alive]:
        (folder / "sub").mkdir(parents=True)
    (dead[0] / "0").symlink_to(alive[1])
    assert len(clean_up(paths)) == len(dead)
    assert not any(folder.exists() for folder in dead)
    assert all((folder / "sub").exists() for folder in alive)
    assert clean_up(paths) == []


def test_processes_of_dead_owners_are_ended(paths: Paths) -> None:
    argument = str(scratch_folder(paths).resolve() / f"{dead_mark()}-0")
    paths.cache.mkdir()
    with subprocess.Popen(["sh", "-c", "echo; sleep 60; :", argument], stdout=subprocess.PIPE) as process:
        # Popen returns before the kernel has set the new program's arguments; a line shows that it runs.
        assert process.stdout is not None and process.stdout.readline()
        assert f"ended process {process.pid}" in clean_up(paths)
        assert process.wait(60) != 0


def test_somebody_who_looks_at_what_was_left_is_left_alone(paths: Paths) -> None:
    folder = scratch_folder(paths) / f"{dead_mark()}-0"
    folder.mkdir(parents=True)
    (folder / "log").write_text("words\n")
    with subprocess.Popen(["tail", "-f", str(folder.resolve() / "log")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"words\n"
        assert not any("process" in line for line in clean_up(paths))
        assert process.poll() is None
        process.kill()


def test_nothing_to_clean_where_there_is_no_cache(paths: Paths) -> None:
    assert clean_up(paths) == []


def test_temporary_folders_vanish(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), temporary(tmp_path / "x") as folder:
        (folder / "file").write_text("")
        raise ValueError("stop")
    assert not folder.exists()


def test_file_that_is_no_rpm(tmp_path: Path) -> None:
    (tmp_path / "x.rpm").write_text("no")
    with pytest.raises(RdoError, match="can't be read as an RPM"):
        read_rpm(tmp_path / "x.rpm")


def test_evr() -> None:
    info = RpmInfo(name="a", epoch="1", version="2", release="3", arch="noarch")
    assert info.nevra == "a-1:2-3.noarch"
    assert RpmInfo.model_validate_json(info.model_dump_json()) == info
