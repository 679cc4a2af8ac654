"""The key of a repository elsewhere is taken once, compared with what the operator says, and kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from rdo.cloud import repositorykey
from rdo.cloud.topology import Cloud, Host
from rdo.common.errors import InputError
from rdo.common.paths import Paths
from rdo.repository import keys

# each test makes an RSA key, which takes seconds
pytestmark = pytest.mark.slow

PLACE = "debian13-2026.1/current/RPM-GPG-KEY-rdo"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> str:
    return keys.create(paths_of(tmp_path_factory.mktemp("key"))).public


@pytest.fixture
def server(tmp_path: Path, public: str) -> Iterator[str]:
    folder = tmp_path / "served"
    (folder / PLACE).parent.mkdir(parents=True)
    (folder / PLACE).write_text(public)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def paths_of(folder: Path) -> Paths:
    return Paths(state=folder / "state", cache=folder / "cache", distribution=folder)


def cloud(repository: str | None, key: str | None = None) -> Cloud:
    only = Host(name="one", address=ip_address("192.0.2.10"))
    return Cloud(hosts=(only,), repository=repository, repository_key=key)


def test_a_key_is_taken_once_and_kept(tmp_path: Path, server: str, public: str) -> None:
    paths, described = paths_of(tmp_path), cloud(server)
    told = repositorykey.ensure(paths, described, "debian13", "2026.1")
    assert told == f"The key of {server} is taken for true from now on: {keys.fingerprint(public)}"
    assert repositorykey.kept(paths, described).read_text() == public
    (tmp_path / "served" / PLACE).write_text("another one")
    assert repositorykey.ensure(paths, described, "debian13", "2026.1") is None
    assert repositorykey.kept(paths, described).read_text() == public


def test_a_key_that_is_not_the_said_one_is_refused(tmp_path: Path, server: str, public: str) -> None:
    paths, right = paths_of(tmp_path), keys.fingerprint(public)
    with pytest.raises(InputError, match=f"is {right}, and repository_key says {'0' * 40}"):
        repositorykey.ensure(paths, cloud(server, "0" * 40), "debian13", "2026.1")
    assert not repositorykey.kept(paths, cloud(server)).exists()
    spaced = " ".join(right[i : i + 4] for i in range(0, 40, 4)).lower()
    told = repositorykey.ensure(paths, cloud(server, spaced), "debian13", "2026.1")
    assert told is not None
    assert right in told


def test_a_file_may_say_the_key(tmp_path: Path, public: str) -> None:
    paths, file = paths_of(tmp_path), tmp_path / "key"
    gone = "http://127.0.0.1:9"
    with pytest.raises(InputError, match="can't be read"):
        repositorykey.ensure(paths, cloud(gone, str(file)), "debian13", "2026.1")
    for wrong, words in (("nothing", "no OpenPGP key"), ("-BEGIN PGP PRIVATE KEY BLOCK-", "private key")):
        file.write_text(wrong)
        with pytest.raises(InputError, match=words):
            repositorykey.ensure(paths, cloud(gone, str(file)), "debian13", "2026.1")
    file.write_text(public)
    assert repositorykey.ensure(paths, cloud(gone, str(file)), "debian13", "2026.1") is None
    assert repositorykey.kept(paths, cloud(gone)).read_text() == public
    another = keys.create(paths_of(tmp_path / "another")).public
    file.write_text(another)
    told = repositorykey.ensure(paths, cloud(gone, str(file)), "debian13", "2026.1")
    wanted = f"The key {keys.fingerprint(another)} of {file} takes the place of {keys.fingerprint(public)}."
    assert told == wanted


def test_what_only_hosts_reach_may_be_this_machine_s_own(tmp_path: Path) -> None:
    paths, gone = paths_of(tmp_path), "http://127.0.0.1:9"
    with pytest.raises(InputError, match="can't be had"):
        repositorykey.ensure(paths, cloud(gone), "debian13", "2026.1")
    own = keys.create(paths).public
    told = repositorykey.ensure(paths, cloud(gone), "debian13", "2026.1")
    assert told is not None
    assert f"This machine's own key is taken: {keys.fingerprint(own)}" in told
    assert repositorykey.kept(paths, cloud(gone)).read_text() == own


def test_who_answers_without_a_key_has_not_this_machine_s_own(tmp_path: Path, server: str) -> None:
    paths = paths_of(tmp_path)
    keys.create(paths)
    (tmp_path / "served" / PLACE).unlink()
    with pytest.raises(InputError, match=r"can't be had: .*404"):
        repositorykey.ensure(paths, cloud(server), "debian13", "2026.1")
    # there is no TLS there
    with pytest.raises(InputError, match="can't be had"):
        repositorykey.ensure(paths, cloud(server.replace("http:", "https:")), "debian13", "2026.1")
    assert not repositorykey.kept(paths, cloud(server)).exists()


def test_a_key_without_a_repository_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="goes with repository"):
        cloud(None, "0" * 40)
