from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from rdo.building.models import Artifact, BuildResult
from rdo.building.store import DamagedError, LocalStore, MissingError, RemoteStore, Store, open_store
from rdo.common.files import sha256_bytes
from rdo.common.paths import Paths

CONTENT = b"some bytes"
DIGEST = sha256_bytes(CONTENT)


@pytest.fixture(params=["local", "memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    local = LocalStore(tmp_path / "local")
    if request.param == "local":
        return local
    if request.param == "memory":
        return RemoteStore(f"memory://{tmp_path.name}", local)
    return RemoteStore(f"file://{tmp_path}/remote", local)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def result(digest: str = DIGEST) -> BuildResult:
    artifact = Artifact(filename="a.rpm", sha256=digest, size=len(CONTENT))
    return BuildResult(package="a", input_hash="1" * 64, status="built", artifacts=(artifact,))


def test_content_comes_back_by_its_hash(store: Store, file: Path) -> None:
    assert not store.has(DIGEST)
    assert store.put(file) == DIGEST
    assert store.put(file) == DIGEST
    assert store.has(DIGEST)
    assert store.path(DIGEST).read_bytes() == CONTENT
    assert store.path(DIGEST).stat().st_mode & 0o222 == 0


def test_store_crosses_process_borders(store: Store, file: Path) -> None:
    store.put(file)
    other: Store = pickle.loads(pickle.dumps(store))
    assert other.has(DIGEST)


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(MissingError):
        store.path(DIGEST)
    assert store.recorded("1" * 64) is None


def test_record_counts_only_with_its_artifacts(store: Store, file: Path) -> None:
    store.record(result())
    assert store.recorded("1" * 64) is None
    store.put(file)
    assert store.recorded("1" * 64) == result()


def test_damage_is_seen_and_set_aside(tmp_path: Path, file: Path) -> None:
    store = LocalStore(tmp_path / "local")
    store.put(file)
    store.record(result())
    place = store.path(DIGEST)
    place.chmod(0o644)
    place.write_bytes(b"other byte")
    with pytest.raises(DamagedError):
        store.path(DIGEST)
    assert not store.has(DIGEST)
    assert store.recorded("1" * 64) is None
    store.put(file)
    assert store.recorded("1" * 64) == result()


def test_remote_content_is_fetched_and_verified(tmp_path: Path, file: Path) -> None:
    here = RemoteStore(f"file://{tmp_path}/remote", LocalStore(tmp_path / "here"))
    there = RemoteStore(f"file://{tmp_path}/remote", LocalStore(tmp_path / "there"))
    here.put(file)
    assert there.path(DIGEST).read_bytes() == CONTENT
    bad = RemoteStore(f"file://{tmp_path}/remote", LocalStore(tmp_path / "third"))
    next((tmp_path / "remote/content").rglob(DIGEST)).write_bytes(b"rubbish")
    with pytest.raises(DamagedError):
        bad.path(DIGEST)


def test_place_is_a_setting(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache", tmp_path)
    assert isinstance(local := open_store(paths, {}), LocalStore) and local.folder == paths.store
    named = open_store(paths, {"RDO_STORE": f"file://{tmp_path}/x"})
    assert isinstance(named, LocalStore) and named.folder == tmp_path / "x"
    assert isinstance(open_store(paths, {"RDO_STORE": "memory://x"}), RemoteStore)
