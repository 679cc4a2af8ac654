import re
from pathlib import Path

import createrepo_c
import pytest

from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_bytes
from rdo.distribution.models import DnfRoot, Platform, RpmRepository
from rdo.distribution.platform_import import import_platform
from rdo.distribution.rpm_repositories import (
    UnreachableError,
    addresses,
    fetch_package,
    packages_with,
    resolved,
)


def platform(baseurl: str = "${RDO_EL_MIRROR}/$releasever/$basearch/") -> Platform:
    repository = RpmRepository(id="baseos", baseurl=baseurl)
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
    assert len(imported.notes) == 1
    assert imported.notes[0].startswith("odd: ")


def test_the_platforms_own_repositories(tmp_path: Path) -> None:
    write_repository(tmp_path / "10" / "x86_64", {"python3-six": [("python3dist(six)", "1.16.0")]})
    imported = import_platform(platform(f"{tmp_path}/$releasever/$basearch"), tmp_path / "cache")
    assert list(imported.provides) == ["six"]


def test_a_mirror_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="RDO_EL_MIRROR") as caught:
        import_platform(platform(), tmp_path)
    assert caught.value.exit_status == 2


def test_the_mirror_is_a_setting() -> None:
    assert addresses(platform(), {"RDO_EL_MIRROR": "/mnt/el/"}) == ["/mnt/el/10/x86_64/"]


def test_what_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RdoError, match="can't be read"):
        import_platform(platform(), tmp_path, repositories=[str(tmp_path)])


def test_dnf_gets_addresses_without_variables(tmp_path: Path) -> None:
    (one,) = resolved(platform(), {"RDO_EL_MIRROR": str(tmp_path)})
    assert (one.baseurl, one.gpgkey) == (f"file://{tmp_path}/10/x86_64", None)
    (one,) = resolved(platform(), {"RDO_EL_MIRROR": "https://mirror.example.org/el/", "RDO_EL_KEY": "/k"})
    assert one.baseurl == "https://mirror.example.org/el/10/x86_64/"
    assert one.gpgkey is None, "a repository without a key stays so"


def test_key_can_be_replaced() -> None:
    signed = platform()
    assert isinstance(signed.root, DnfRoot)
    repository = signed.root.repositories[0].model_copy(update={"gpgkey": "https://example.org/key"})
    signed = signed.model_copy(
        update={"root": signed.root.model_copy(update={"repositories": (repository,)})}
    )
    environ = {"RDO_EL_MIRROR": "http://m"}
    assert resolved(signed, environ)[0].gpgkey == "https://example.org/key"
    assert resolved(signed, {**environ, "RDO_EL_KEY": "/key.asc"})[0].gpgkey == "file:///key.asc"


def test_missing_mirror_is_said_with_how_to_set_it() -> None:
    with pytest.raises(InputError, match="RDO_EL_MIRROR is not set") as caught:
        resolved(platform(), {})
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
    with pytest.raises(RdoError, match="can't be read"):
        packages_with(str(folder), SCHEMA)
