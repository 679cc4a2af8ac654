from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import IO

import pysequoia
import pytest

from rdo.common.errors import InputError
from rdo.distribution.models import Project, Release, SourceLock
from rdo.upstream.git import GitError, GitSource
from rdo.upstream.source_cache import HashMismatchError, SourceCache
from rdo.upstream.tarball import SignatureError, TarballSource


class NoNetwork:
    def download(self, url: str, target: IO[bytes]) -> None:
        raise AssertionError(url)


def write_content(target: IO[bytes]) -> None:
    target.write(b"content")


def git(folder: Path, *arguments: str, when: str = "2026-01-02T03:04:05Z") -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=env
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg/run.sh").write_text("#!/bin/sh\n")
    (folder / "pkg/run.sh").chmod(0o755)
    (folder / "README").write_text("read me")
    (folder / "link").symlink_to("README")
    git(folder, "init", "--quiet", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "One")
    return folder


def test_a_commit_becomes_the_same_tar_everywhere(tmp_path: Path, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "README").write_text("newer")
    git(repository, "commit", "--quiet", "-am", "Two")
    wanted = GitSource(repository.as_uri(), commit, "thing")
    source = wanted.fetch(SourceCache(tmp_path / "one"))
    again = wanted.fetch(SourceCache(tmp_path / "two"))
    assert source.sha256 == again.sha256
    with tarfile.open(source.path) as tar:
        members = {member.name: member for member in tar}
        readme = tar.extractfile("thing/README")
        assert readme is not None
        assert readme.read() == b"read me"
    assert list(members) == ["thing/README", "thing/link", "thing/pkg/run.sh"]
    assert members["thing/pkg/run.sh"].mode == 0o755
    assert members["thing/link"].linkname == "README"
    assert {(m.mtime, m.uid, m.uname) for m in members.values()} == {(1767323045, 0, "")}


def test_a_fetched_commit_needs_the_repository_no_more(tmp_path: Path, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    cache = SourceCache(tmp_path / "cache")
    source = GitSource(repository.as_uri(), commit, "thing").fetch(cache)
    repository.rename(tmp_path / "gone")
    assert GitSource(repository.as_uri(), commit, "thing").fetch(cache) == source


def test_a_commit_that_is_not_there(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(GitError):
        GitSource(repository.as_uri(), "0" * 39 + "1", "thing").fetch(SourceCache(tmp_path / "cache"))


@pytest.mark.parametrize("commit", ["main", "abc1234", "A" * 40])
def test_only_full_hashes_are_commits(commit: str) -> None:
    with pytest.raises(InputError):
        GitSource("https://example.org/x", commit, "x")


@pytest.fixture(scope="module")
def key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Series <series@example.org>")


def signed(tmp_path: Path, key: pysequoia.Tsk, content: bytes = b"content") -> TarballSource:
    certificate = key.extract_certificate()
    (tmp_path / "a-1.tar.gz").write_bytes(b"content")
    signature = pysequoia.sign(key.signer(), content, mode=pysequoia.SignatureMode.DETACHED)
    (tmp_path / "a-1.tar.gz.asc").write_bytes(signature)
    return TarballSource(
        url=(tmp_path / "a-1.tar.gz").as_uri(),
        signature_url=(tmp_path / "a-1.tar.gz.asc").as_uri(),
        signers=(bytes(certificate),),
        fingerprints=(certificate.fingerprint.upper(),),
    )


def test_a_good_signature(tmp_path: Path, key: pysequoia.Tsk) -> None:
    source = signed(tmp_path, key).fetch(SourceCache(tmp_path / "cache"), NoNetwork())
    assert source.filename == "a-1.tar.gz"
    assert source.path.read_bytes() == b"content"


def test_a_signature_of_something_else(tmp_path: Path, key: pysequoia.Tsk) -> None:
    cache = SourceCache(tmp_path / "cache")
    with pytest.raises(SignatureError, match="not good"):
        signed(tmp_path, key, b"other").fetch(cache, NoNetwork())
    assert len(list((tmp_path / "cache/rejected").iterdir())) == 1


def test_a_signature_by_somebody_else(tmp_path: Path, key: pysequoia.Tsk) -> None:
    tarball = signed(tmp_path, key)
    other = signed(tmp_path, pysequoia.Tsk.generate("Other <other@example.org>"))
    with pytest.raises(SignatureError, match="no certificate at hand"):
        replace(tarball, fingerprints=("0" * 40,)).fetch(SourceCache(tmp_path / "one"), NoNetwork())
    mixed = replace(other, signers=tarball.signers, fingerprints=tarball.fingerprints)
    with pytest.raises(SignatureError, match="not good"):
        mixed.fetch(SourceCache(tmp_path / "two"), NoNetwork())


def test_a_tarball_by_hash(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"content")
    url = (tmp_path / "a.tar").as_uri()
    with pytest.raises(HashMismatchError):
        TarballSource(url, sha256="0" * 64).fetch(SourceCache(tmp_path / "cache"), NoNetwork())
    with pytest.raises(SignatureError, match="neither"):
        TarballSource(url).fetch(SourceCache(tmp_path / "cache"), NoNetwork())


def release_of(tmp_path: Path, tarball: TarballSource, **changed: object) -> Release:
    """Return a release that locks ``a`` and names the tarball's key; put the tarball on a site."""
    folder = tmp_path / "site/openstack/a"
    folder.mkdir(parents=True)
    for name in ("a-1.tar.gz", "a-1.tar.gz.asc"):
        (tmp_path / name).rename(folder / name)
    digest = hashlib.sha256(b"content").hexdigest()
    values: dict[str, object] = {
        "series": "2026.1",
        "codename": "gazpacho",
        "phase": "maintained",
        "released": "2026-04-01",
        "signing_keys": tarball.fingerprints,
        "platforms": ["p"],
        "projects": {"a": Project(name="a", dist="a", type="service", repository="openstack/a", version="1")},
        "pins": {"a": [{"version": "1", "origin": "deliverable"}]},
        "sources": {
            ("a", "1"): SourceLock(
                dist="a", version="1", filename="a-1.tar.gz", sha256=digest, size=7, uploaded=""
            )
        },
    }
    return Release.model_validate(values | changed)


def test_a_locked_source_is_what_the_series_key_signed(tmp_path: Path, key: pysequoia.Tsk) -> None:
    tarball = signed(tmp_path, key)
    release, cache = release_of(tmp_path, tarball), SourceCache(tmp_path / "cache")
    site, project = (tmp_path / "site").as_uri(), release.projects["a"]
    wanted = TarballSource.of_release(release, project, site, tarball.signers)
    assert wanted.fetch(cache, NoNetwork()).path.read_bytes() == b"content"
    # in the cache by its hash now: only the signature is brought
    (tmp_path / "site/openstack/a/a-1.tar.gz").unlink()
    wanted.fetch(cache, NoNetwork())


def test_what_was_in_the_cache_before_stays_there_without_a_good_signature(
    tmp_path: Path, key: pysequoia.Tsk
) -> None:
    tarball = signed(tmp_path, key, b"other")
    release, cache = release_of(tmp_path, tarball), SourceCache(tmp_path / "cache")
    site, project = (tmp_path / "site").as_uri(), release.projects["a"]
    lock = release.sources["a", "1"]
    cache.add(lock.filename, lock.sha256, write_content)
    with pytest.raises(SignatureError, match="not good"):
        TarballSource.of_release(release, project, site, tarball.signers).fetch(cache, NoNetwork())
    assert cache.find(lock.filename, lock.sha256) is not None


def test_releases_without_keys_or_locks(tmp_path: Path, key: pysequoia.Tsk) -> None:
    release = release_of(tmp_path, signed(tmp_path, key))
    project = release.projects["a"]
    for changed, words in (({"signing_keys": ()}, "no signing keys"), ({"sources": {}}, "locks no source")):
        with pytest.raises(InputError, match=words):
            TarballSource.of_release(release.model_copy(update=changed), project, "file:///x", ())


@pytest.mark.parametrize("end", ["", "..", "%2e%2e%2fa.tar", "a%0ab.tar", "-rf"])
def test_addresses_that_end_in_no_file_name(tmp_path: Path, end: str) -> None:
    with pytest.raises(InputError, match="no plain file name"):
        TarballSource(f"file:///tmp/{end}", sha256="0" * 64).fetch(SourceCache(tmp_path), NoNetwork())
