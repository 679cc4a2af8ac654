"""Modes of files and folders, whatever the umask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdo.common.errors import RdoError
from rdo.common.files import locked, make_folder, write_atomically


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_modes_are_not_the_umask_s(tmp_path: Path, umask: int) -> None:
    top = tmp_path / "new"
    write_atomically(top / "deep/public", "x")
    write_atomically(top / "deep/secret", "x", mode=0o600)
    make_folder(top / "keys", private=True)
    assert [mode(path) for path in (top, top / "deep", top / "deep/public")] == [0o755, 0o755, 0o644]
    assert [mode(path) for path in (top / "deep/secret", top / "keys")] == [0o600, 0o700]
    with locked(top / "locks/one"):
        assert mode(top / "locks") == 0o755
        assert mode(top / "locks/one") & ~0o644 == 0


def test_a_private_folder_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    assert make_folder(tmp_path / "keys", private=True) == tmp_path / "keys"
    assert mode(tmp_path / "keys") == 0o700
    make_folder(tmp_path / "keys")
    assert mode(tmp_path / "keys") == 0o700, "what is there keeps its mode"


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(OSError, match="file"):
            make_folder(path)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "link")


def test_a_lock_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    said = r"lock was locked by another process for 0\.1 s"
    with locked(lock), pytest.raises(RdoError, match=said), locked(lock, limit=0.1):
        pytest.fail("two had it")
    with locked(lock, limit=0.1), pytest.raises(RdoError), locked(lock, shared=True, limit=0.1):
        pytest.fail("two had it")
    with locked(lock, shared=True, limit=0.1), locked(lock, shared=True, limit=0.1):
        pass
