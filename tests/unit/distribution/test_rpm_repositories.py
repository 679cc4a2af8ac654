import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import createrepo_c
import pysequoia
import pytest

from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_bytes
from rdo.common.openpgp import BadSignatureError
from rdo.distribution.models import DnfRoot, Platform, RpmRepository
from rdo.distribution.platform_import import ImportedPlatform, import_platform
from rdo.distribution.repository_keys import key_of
from rdo.distribution.rpm_repositories import (
    UnreachableError,
    addresses,
    fetch_package,
    packages_with,
    read_repository,
    resolved,
)


def platform(baseurl: str = "${RDO_EL_MIRROR}/$releasever/$basearch/") -> Platform:
    repository = RpmRepository(id="baseos", baseurl=baseurl, unsigned="a test has no key")
    return Platform(
        name="el10",
        title="EL 10",
        architecture="x86_64",
        python="3.12",
        python_version="3.12.9",
        dist=".el10",
        tested=False,
        root=DnfRoot(kind="dnf", releasever="10", repositories=(repository,), packages=("rpm-build",)),
    )


def write_repository(
    folder: Path,
    provides: dict[str, list[tuple[str, str]]],
    files: dict[str, list[str]] | None = None,
    digests: dict[str, str] | None = None,
) -> Path:
    """Write a repository's metadata; no packages are there, only what is said of them."""
    folder.mkdir(parents=True)
    with createrepo_c.RepositoryWriter(str(folder)) as writer:
        writer.set_num_of_pkgs(len(provides))
        for number, (name, entries) in enumerate(provides.items()):
            package = createrepo_c.Package()
            package.name, package.epoch, package.version, package.release = name, "0", "1", "1.el10"
            package.arch, package.summary, package.description = "noarch", "s", "d"
            package.rpm_license, package.rpm_sourcerpm, package.checksum_type = "MIT", "x.src.rpm", "sha256"
            package.pkgId = (digests or {}).get(name, f"{number:064x}")
            package.files = [
                (None, f"{place.rpartition('/')[0]}/", place.rpartition("/")[2])
                for place in (files or {}).get(name, [])
            ]
            package.location_href = f"{name}.rpm"
            package.provides = [(entry, "EQ", "0", version, None, False) for entry, version in entries]
            writer.add_pkg(package)
    return folder


def test_provides_come_from_the_metadata(tmp_path: Path) -> None:
    first = write_repository(
        tmp_path / "10" / "x86_64",
        {
            "python3-pyyaml": [("python3dist(pyyaml)", "6.0.1"), ("python3.12dist(pyyaml)", "6.0.1")],
            "python3-requests": [
                ("python3.12dist(requests)", "2.32.3"),
                ("python3dist(requests[socks])", "2.32.3"),
            ],
            "python3.13-requests": [("python3.13dist(requests)", "2.99")],
            "python3-pre": [("python3dist(pre)", "1.0~rc1")],
            "python3-odd": [("python3dist(odd)", "1.x")],
            "bash": [("bash", "5.2")],
        },
    )
    updates = write_repository(
        tmp_path / "updates", {"python3-requests": [("python3dist(requests)", "2.32.10")]}
    )
    imported = import_platform(platform(), tmp_path / "cache", repositories=[str(first), updates.as_uri()])
    assert {dist: (p.version, p.package) for dist, p in imported.provides.items()} == {
        "pyyaml": ("6.0.1", "python3-pyyaml"),
        "requests": ("2.32.10", "python3-requests"),
        "pre": ("1.0rc1", "python3-pre"),
    }
    assert [note.partition(":")[0] for note in imported.notes if "no key signs" not in note] == ["odd"]
    assert len([note for note in imported.notes if "no key signs" in note]) == 2


def test_the_platforms_own_repositories(tmp_path: Path) -> None:
    write_repository(tmp_path / "10" / "x86_64", {"python3-six": [("python3dist(six)", "1.16.0")]})
    imported = import_platform(platform(f"{tmp_path}/$releasever/$basearch"), tmp_path / "cache")
    assert list(imported.provides) == ["six"]


def test_a_mirror_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="RDO_EL_MIRROR") as caught:
        import_platform(platform(), tmp_path)
    assert caught.value.exit_status == 2


def test_the_mirror_is_a_setting() -> None:
    assert addresses(platform(), "/mnt/el/") == ["/mnt/el/10/x86_64/"]


def test_what_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RdoError, match="can't be read"):
        import_platform(platform(), tmp_path, repositories=[str(tmp_path)])


def test_dnf_gets_addresses_without_variables(tmp_path: Path) -> None:
    (one,) = resolved(platform(), str(tmp_path), None)
    assert (one.baseurl, one.gpgkey) == (f"file://{tmp_path}/10/x86_64", None)
    (one,) = resolved(platform(), "https://mirror.example.org/el/", "/k")
    assert one.baseurl == "https://mirror.example.org/el/10/x86_64/"
    assert one.gpgkey is None, "a repository without a key stays so"


def test_key_can_be_replaced() -> None:
    signed = platform()
    assert isinstance(signed.root, DnfRoot)
    repository = RpmRepository(
        id="baseos",
        baseurl=signed.root.repositories[0].baseurl,
        gpgkey="https://example.org/key",
        fingerprints=("A" * 40,),
    )
    signed = signed.model_copy(
        update={"root": signed.root.model_copy(update={"repositories": (repository,)})}
    )
    assert resolved(signed, "http://m", None)[0].gpgkey == "https://example.org/key"
    (own,) = resolved(signed, "http://m", "/key.asc")
    assert (own.gpgkey, own.fingerprints) == ("file:///key.asc", ()), "the operator's own file"
    (moved,) = resolved(signed, "http://m", "http://mirror/key")
    assert (moved.gpgkey, moved.fingerprints) == ("http://mirror/key", ("A" * 40,)), "the same key elsewhere"


def test_missing_mirror_is_said_with_how_to_set_it() -> None:
    with pytest.raises(InputError, match="RDO_EL_MIRROR is not set") as caught:
        resolved(platform(), None, None)
    assert "export RDO_EL_MIRROR=" in (caught.value.hint or "")


SCHEMA = re.compile(r"/usr/share/[^/]+/[^/]*-schema\.yaml")


def with_schema(folder: Path, content: bytes) -> Path:
    write_repository(
        folder,
        {"openstack-nova-common": [], "bash": []},
        {
            "openstack-nova-common": ["/usr/bin/nova-manage", "/usr/share/nova/nova-schema.yaml"],
            "bash": ["/usr/bin/bash"],
        },
        {"openstack-nova-common": sha256_bytes(content)},
    )
    (folder / "openstack-nova-common.rpm").write_bytes(content)
    return folder


def test_packages_are_found_by_their_files_and_checked_when_they_are_had(tmp_path: Path) -> None:
    folder = with_schema(tmp_path / "r", b"a package")
    (found,) = packages_with(str(folder), SCHEMA)
    assert found.files == ("/usr/share/nova/nova-schema.yaml",)
    assert fetch_package(str(folder), found, tmp_path).read_bytes() == b"a package"
    (folder / "openstack-nova-common.rpm").write_bytes(b"another")
    with pytest.raises(RdoError, match="not what its metadata say"):
        fetch_package(str(folder), found, tmp_path)


def test_a_repository_that_nobody_reaches_is_told_apart_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be reached from here"):
        packages_with("http://127.0.0.1:9/r", SCHEMA)
    folder = with_schema(tmp_path / "r", b"a package")
    next((folder / "repodata").glob("*-filelists.xml*")).write_bytes(b"")
    with pytest.raises(RdoError, match=r"not what its repomd\.xml says"):
        packages_with(str(folder), SCHEMA)


@pytest.fixture(scope="module")
def keys() -> list[pysequoia.Tsk]:
    return [pysequoia.Tsk.generate(f"{name} <{name}@example.org>") for name in ("one", "two")]


def public(key: pysequoia.Tsk) -> bytes:
    return str(key.extract_certificate()).encode()


def sign(folder: Path, key: pysequoia.Tsk) -> None:
    repomd = folder / "repodata/repomd.xml"
    signed = pysequoia.sign(key.signer(), repomd.read_bytes(), mode=pysequoia.SignatureMode.DETACHED)
    repomd.with_suffix(".xml.asc").write_bytes(signed)


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Return what serves a folder by HTTP until the test ends."""
    servers = []

    def serve(folder: Path) -> str:
        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(folder))

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("remote", [False, True])
def test_metadata_of_a_known_key_must_be_signed_by_it(
    tmp_path: Path, keys: list[pysequoia.Tsk], served: Callable[[Path], str], remote: bool
) -> None:
    folder = with_schema(tmp_path / "r", b"a package")
    place = served(folder) if remote else str(folder)
    with pytest.raises(RdoError, match=r"is not signed .* though its key is known"):
        packages_with(place, SCHEMA, public(keys[0]))
    sign(folder, keys[1])
    with pytest.raises(BadSignatureError, match=r"signature of .* is not good"):
        packages_with(place, SCHEMA, public(keys[0]))
    sign(folder, keys[0])
    assert len(packages_with(place, SCHEMA, public(keys[0]))) == 1
    assert len(packages_with(place, SCHEMA, public(keys[1]) + public(keys[0]))) == 1, "one of several keys"
    assert len(list(read_repository(place, public(keys[0])))) == 2
    repomd = folder / "repodata/repomd.xml"
    repomd.write_text(repomd.read_text() + "<!-- another -->")
    with pytest.raises(BadSignatureError):
        packages_with(place, SCHEMA, public(keys[0]))


def test_nothing_of_unsigned_metadata_is_looked_at(tmp_path: Path, keys: list[pysequoia.Tsk]) -> None:
    """A parser in C must not see what anybody may have written."""
    folder = tmp_path / "r"
    (folder / "repodata").mkdir(parents=True)
    (folder / "repodata/repomd.xml").write_text("no XML")
    (folder / "repodata/repomd.xml.asc").write_text("no signature")
    with pytest.raises(BadSignatureError):
        packages_with(str(folder), SCHEMA, public(keys[0]))
    with pytest.raises(RdoError, match="can't be read"):
        packages_with(str(folder), SCHEMA)


def test_the_platform_s_own_repositories_are_checked_by_their_key(
    tmp_path: Path, keys: list[pysequoia.Tsk]
) -> None:
    folder = write_repository(tmp_path / "r", {"python3-six": [("python3dist(six)", "1.16.0")]})
    (tmp_path / "key").write_bytes(public(keys[0]))
    values = {"id": "baseos", "baseurl": str(folder), "gpgkey": str(tmp_path / "key")}

    def imported(**more: object) -> ImportedPlatform:
        one = platform()
        assert isinstance(one.root, DnfRoot)
        repositories = (RpmRepository.model_validate(values | more),)
        root = one.root.model_copy(update={"repositories": repositories})
        return import_platform(one.model_copy(update={"root": root}), tmp_path / "cache")

    with pytest.raises(RdoError, match="is not signed"):
        imported()
    (note,) = imported(repo_gpgcheck=False).notes
    assert "no key signs them" in note
    sign(folder, keys[0])
    assert (list(imported().provides), imported().notes) == (["six"], ())
    with pytest.raises(InputError, match="and the platform's data says"):
        imported(fingerprints=("B" * 40,))


def test_a_fetched_key_is_compared(
    tmp_path: Path, keys: list[pysequoia.Tsk], served: Callable[[Path], str]
) -> None:
    one, two = (key.extract_certificate().fingerprint.upper() for key in keys)
    (tmp_path / "key").write_bytes(public(keys[0]))
    (tmp_path / "both").write_bytes(public(keys[0]) + public(keys[1]))
    (tmp_path / "private").write_bytes(str(keys[0]).encode())
    (tmp_path / "page").write_text("<html>Not found</html>")
    address = served(tmp_path)

    def key(name: str, *fingerprints: str) -> bytes | None:
        values = {
            "id": "x",
            "baseurl": "http://r",
            "gpgkey": f"{address}/{name}",
            "fingerprints": fingerprints,
        }
        return key_of(RpmRepository.model_validate(values))

    spaced = " ".join(one[n : n + 4] for n in range(0, len(one), 4)).lower()
    assert key("key", spaced) == public(keys[0])
    assert key("both", one, two) == public(keys[0]) + public(keys[1])
    for name, said in (("key", two), ("both", one)):
        with pytest.raises(InputError, match=r"and the platform's data says .*") as caught:
            key(name, said)
        assert caught.value.exit_status == 2
    with pytest.raises(InputError, match="private key"):
        key("private", one)
    with pytest.raises(InputError, match="no OpenPGP key"):
        key("page", one)
    with pytest.raises(RdoError, match="can't be fetched"):
        key("absent", one)
