from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from rdo.common.errors import InputError
from rdo.common.files import sha256_bytes
from rdo.common.paths import Paths
from rdo.distribution.models import SourceLock
from rdo.upstream.index import Index, PackageIndexError
from rdo.upstream.index_settings import IndexSettings
from rdo.upstream.models import Source
from rdo.upstream.sources import FetchError, HashMismatchError, SourceCache, fetch_all, fetch_sdist
from tests.settings import installation_of
from tests.unit.upstream.sdists import Server, make_sdist, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("rdo.upstream.index._FIRST_PAUSE", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


def index_at(server: Server) -> Index:
    return Index(IndexSettings(url=f"{server.address}/simple"))


def lock_of(dist: str, source: Source, sha256: str | None = None) -> SourceLock:
    return SourceLock(
        dist=dist,
        version="1",
        filename=source.filename,
        sha256=sha256 or source.sha256,
        size=source.path.stat().st_size,
        uploaded="2026-01-01T00:00:00Z",
    )


def test_versions_from_a_plain_html_mirror(tmp_path: Path, server: Server) -> None:
    one = make_sdist(tmp_path, "a", "1", {"x": ""})
    two = make_sdist(tmp_path, "a", "2.0", {"x": ""})
    server.offer("a", one, two)
    files = index_at(server).versions("a")
    assert [(f.version, f.kind, f.sha256) for f in files] == [
        ("1", "sdist", one.sha256),
        ("2.0", "sdist", two.sha256),
    ]
    assert index_at(server).sdist("a", "2").filename == "a-2.0.tar.gz"
    with pytest.raises(PackageIndexError, match="no sdist of a 3"):
        index_at(server).sdist("a", "3")
    with pytest.raises(PackageIndexError, match="no project 'b'"):
        index_at(server).versions("b")


@pytest.mark.parametrize(("limit", "value"), [("_SIZE", 100), ("_TRANSFER", -1.0)])
def test_download_without_end_is_given_up(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    made = make_sdist(tmp_path, "a", "1", {"x": "y" * 1000})
    server.offer("a", made)
    (offered,) = index_at(server).versions("a")
    monkeypatch.setattr(f"rdo.upstream.index.{limit}", value)
    with (tmp_path / "target").open("w+b") as target, pytest.raises(PackageIndexError, match="download"):
        index_at(server).download(offered.url, target)


def test_fetch_verifies_and_is_idempotent(tmp_path: Path, server: Server) -> None:
    made = make_sdist(tmp_path, "a", "1", {"x": ""})
    server.offer("a", made)
    cache = SourceCache(tmp_path / "cache")
    source = fetch_sdist(lock_of("a", made), index_at(server), cache)
    assert source.path.read_bytes() == made.path.read_bytes()
    before = list(server.requests)
    assert fetch_sdist(lock_of("a", made), index_at(server), cache) == source
    assert server.requests == before
    assert not list((tmp_path / "cache/incoming").iterdir())


def test_a_wrong_hash_is_refused_and_kept_aside(tmp_path: Path, server: Server) -> None:
    made = make_sdist(tmp_path, "a", "1", {"x": ""})
    server.offer("a", made)
    cache = SourceCache(tmp_path / "cache")
    stated = sha256_bytes(b"something else")
    with pytest.raises(HashMismatchError, match="Refused") as caught:
        fetch_sdist(lock_of("a", made, stated), index_at(server), cache)
    assert caught.value.aside.parent == tmp_path / "cache/rejected"
    assert caught.value.aside.read_bytes() == made.path.read_bytes()
    assert cache.find(made.filename, stated) is None
    assert cache.find(made.filename, made.sha256) is None


def test_transient_failures_are_tried_again(tmp_path: Path, server: Server) -> None:
    made = make_sdist(tmp_path, "a", "1", {"x": ""})
    server.offer("a", made)
    server.failures = {"/simple/a/": 2, "/files/a-1.tar.gz": 1}
    assert fetch_sdist(lock_of("a", made), index_at(server), SourceCache(tmp_path / "cache")).path.exists()


def test_a_cut_off_transfer_leaves_nothing(tmp_path: Path, server: Server) -> None:
    made = make_sdist(tmp_path, "a", "1", {"x": ""})
    server.offer("a", made)
    server.pages["/files/a-1.tar.gz"] = (200, made.path.read_bytes()[:50], {"Content-Length": "5000"})
    cache = SourceCache(tmp_path / "cache")
    with pytest.raises(PackageIndexError, match="download"):
        fetch_sdist(lock_of("a", made), index_at(server), cache)
    assert cache.find(made.filename, made.sha256) is None
    assert not list((tmp_path / "cache/incoming").iterdir())


def test_several_failures_are_told_together_and_the_rest_is_kept(tmp_path: Path, server: Server) -> None:
    good = make_sdist(tmp_path, "good", "1", {"x": ""})
    bad = make_sdist(tmp_path, "bad", "1", {"x": ""})
    server.offer("good", good)
    server.offer("bad", bad)
    cache = SourceCache(tmp_path / "cache")
    locks = [lock_of("good", good), lock_of("bad", bad, "0" * 64), lock_of("gone", bad)]
    with pytest.raises(FetchError, match="2 sources") as caught:
        fetch_all(locks, index_at(server), cache)
    assert set(caught.value.failures) == {"bad 1", "gone 1"}
    server.requests.clear()
    assert set(fetch_all(locks[:1], index_at(server), cache)) == {("good", "1")}
    assert server.requests == []


def test_damage_on_disk_is_found(tmp_path: Path) -> None:
    cache = SourceCache(tmp_path / "cache")

    def write(target: IO[bytes]) -> None:
        target.write(b"content")

    source = cache.add("a.tar", None, write)
    source.path.chmod(0o644)
    source.path.write_bytes(b"contemt")
    with pytest.raises(HashMismatchError):
        cache.check(source)
    assert cache.find("a.tar", source.sha256) is None


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"index_url": "file:///srv/wheels"}, "http: and https:"),
        ({"index_certificates": Path("/nowhere.pem")}, "/nowhere.pem"),
    ],
)
def test_settings_that_no_index_can_be_used_with(
    tmp_path: Path, stated: dict[str, object], said: str
) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache", tmp_path)
    with pytest.raises(InputError, match=said):
        Index.open(installation_of(paths, **stated))


def test_credentials_are_not_shown() -> None:
    index = Index(IndexSettings(url="https://user:secret@mirror.example/simple"))
    assert index.address == "https://mirror.example/simple/"
