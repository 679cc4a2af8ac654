from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from rdo.building.expectation import FORMAT, Expectation
from rdo.building.models import Artifact, BuildResult
from rdo.building.store import DamagedError, LocalStore, MissingError, RemoteStore, Store, open_store
from rdo.common.errors import InputError
from rdo.common.files import sha256_bytes
from rdo.common.paths import Paths
from tests.settings import installation_of

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
    with pytest.raises(MissingError):
        store.record(result())
    assert store.recorded("1" * 64) is None
    store.put(file)
    store.record(result())
    assert store.recorded("1" * 64) == result()
    lose(store, DIGEST)
    assert store.recorded("1" * 64) is None
    store.put(file)
    assert store.recorded("1" * 64) == result()


def test_record_without_its_log_promises_none(store: Store, file: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("words")
    with_log = result().model_copy(update={"log": sha256_bytes(b"words")})
    store.put(file)
    with pytest.raises(MissingError):
        store.record(with_log)
    digest = store.put(log)
    store.record(with_log)
    assert store.recorded("1" * 64) == with_log
    lose(store, digest)
    assert store.recorded("1" * 64) == result()


@pytest.mark.parametrize("content", [b"", b"some", CONTENT + b"more"])
def test_content_of_another_size_heals(store: Store, file: Path, content: bytes) -> None:
    """Only its existence was asked: an upload that was cut off was never repaired."""
    store.put(file)
    store.record(result())
    damage(store, DIGEST, content)
    assert store.recorded("1" * 64) is None
    assert store.put(file) == DIGEST
    assert store.recorded("1" * 64) == result()
    assert elsewhere(store).path(DIGEST).read_bytes() == CONTENT


def test_content_of_the_same_size_heals_once_it_was_read(store: Store, file: Path) -> None:
    store.put(file)
    damage(store, DIGEST, b"x" * len(CONTENT))
    with pytest.raises(DamagedError):
        elsewhere(store).path(DIGEST)
    with pytest.raises(MissingError):
        elsewhere(store).path(DIGEST)
    assert store.put(file) == DIGEST
    assert elsewhere(store).path(DIGEST).read_bytes() == CONTENT


def test_damaged_record_is_none(store: Store, file: Path) -> None:
    store.put(file)
    store.record(result())
    for place in records(store):
        filesystem(store).pipe_file(place, b'{"package": "a", "inp')
    assert store.recorded("1" * 64) is None
    store.record(result())
    assert store.recorded("1" * 64) == result()


def test_many_writers_and_readers_at_once(store: Store, tmp_path: Path) -> None:
    contents = {sha256_bytes(text): text for text in (b"x" * 50_000 + bytes([n]) for n in range(4))}
    files = []
    for digest, text in contents.items():
        (tmp_path / digest).write_bytes(text)
        files.append(tmp_path / digest)

    def work(number: int) -> None:
        # as processes have it: each its own object
        own: Store = pickle.loads(pickle.dumps(store))
        for turn in range(6):
            digest = own.put(files[(number + turn) % len(files)])
            assert own.path(digest).read_bytes() == contents[digest]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert not [place for place in filesystem(store).find(root(store)) if "new" in place]


def test_writer_that_is_cut_off_leaves_nothing(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a lost connection in the middle of the content."""

    def half(source: IO[bytes], target: IO[bytes], *_: object) -> None:
        target.write(source.read(3))
        raise OSError("no space")

    def half_sent(place: str, content: bytes, **_: object) -> None:
        with filesystem(store).open(place, "wb") as target:
            target.write(content[:3])
        raise OSError("connection lost")

    with monkeypatch.context() as broken:
        if isinstance(store, LocalStore):
            broken.setattr("shutil.copyfileobj", half)
        else:
            broken.setattr(filesystem(store), "pipe_file", half_sent)
        with pytest.raises(OSError, match=r"no space|connection lost"):
            store.put(file)
        assert not store.has(DIGEST)
    store.put(file)
    assert elsewhere(store).path(DIGEST).read_bytes() == CONTENT


def test_damaged_local_copy_is_fetched_again(tmp_path: Path, file: Path) -> None:
    store = RemoteStore(f"memory://{tmp_path.name}-again", LocalStore(tmp_path / "local"))
    store.put(file)
    damage(store.local, DIGEST, b"other byte")
    assert store.path(DIGEST).read_bytes() == CONTENT


def filesystem(store: Store) -> AbstractFileSystem:
    """Return the file system that a store's content lies in."""
    url = store.url if isinstance(store, RemoteStore) else "file:///"
    return url_to_fs(url)[0]


def root(store: Store) -> str:
    """Return where a store's content lies in it."""
    if isinstance(store, RemoteStore):
        return str(url_to_fs(store.url)[1])
    assert isinstance(store, LocalStore)
    return str(store.folder)


def lose(store: Store, digest: str) -> None:
    filesystem(store).rm(f"{root(store)}/content/{digest[:2]}/{digest}")


def damage(store: Store, digest: str, content: bytes) -> None:
    if not isinstance(store, RemoteStore):
        Path(root(store), "content", digest[:2], digest).chmod(0o644)
    filesystem(store).pipe_file(f"{root(store)}/content/{digest[:2]}/{digest}", content)


def records(store: Store) -> list[str]:
    found: list[str] = filesystem(store).find(f"{root(store)}/results")
    return found


def elsewhere(store: Store) -> Store:
    """Return the same store as another machine sees it: nothing is in its local cache."""
    if not isinstance(store, RemoteStore):
        return store
    number = len(list(store.local.folder.parent.glob("elsewhere*")))
    return RemoteStore(store.url, LocalStore(store.local.folder.with_name(f"elsewhere{number}")))


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
    local = open_store(installation_of(paths))
    assert isinstance(local, LocalStore) and local.folder == paths.store
    named = open_store(installation_of(paths, store=f"file://{tmp_path}/x"))
    assert isinstance(named, LocalStore) and named.folder == tmp_path / "x"
    assert isinstance(open_store(installation_of(paths, store="memory://x")), RemoteStore)


@pytest.mark.parametrize("url", ["nope://u:opensesame@x", "s3x://u:opensesame@x"])
def test_a_kind_of_place_that_nobody_knows_is_said(tmp_path: Path, url: str) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache", tmp_path)
    with pytest.raises(InputError, match=f"begins with {url.partition(':')[0]}://") as caught:
        open_store(installation_of(paths, store=url))
    assert "opensesame" not in caught.value.diagnostics()


def judged_result() -> BuildResult:
    return result().model_copy(update={"expected": Expectation(package="a", packages=(), sources={})})


@pytest.mark.parametrize(("format", "judged"), [(FORMAT - 1, False), (FORMAT, True), (FORMAT + 1, True)])
def test_what_a_newer_rdo_compared_need_not_be_compared_again(format: int, judged: bool) -> None:
    """Else two versions of rdo on one store would undo each other's work in turn."""
    expected = Expectation(format=format, package="a", packages=(), sources={})
    assert result().model_copy(update={"expected": expected}).judged is judged


def test_what_a_result_was_compared_with_comes_back_with_it(store: Store, file: Path) -> None:
    store.put(file)
    store.record(result())
    before = store.recorded("1" * 64)
    assert before is not None
    assert not before.judged
    store.record(judged_result())
    found = store.recorded("1" * 64)
    assert found is not None
    assert found.judged
    assert found == judged_result()
    assert store.maker(DIGEST) == judged_result()


def test_a_judgement_of_other_artifacts_does_not_count(store: Store, file: Path, tmp_path: Path) -> None:
    """Earlier versions of rdo record results without looking at what lies beside them."""
    store.put(file)
    store.record(judged_result())
    other = tmp_path / "other"
    other.write_bytes(CONTENT[::-1])
    again = result(store.put(other))
    store.record(again)
    found = store.recorded("1" * 64)
    assert found is not None
    assert not found.judged
    assert store.maker(DIGEST) is None, "the record has another artifact now"


def test_nobody_made_what_no_record_has(store: Store, file: Path) -> None:
    store.put(file)
    assert store.maker(DIGEST) is None
