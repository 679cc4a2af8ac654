"""Bills of materials, held against CycloneDX's own schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from rdo.building.models import BuildRequest, SourceFile
from rdo.building.platform_packages import Held
from rdo.building.rpminfo import RpmInfo
from rdo.common.files import sha256_bytes
from rdo.distribution.models import SourceLock
from rdo.repository.cyclonedx import purl
from rdo.repository.metadata import Described, describe
from rdo.repository.sbom import build_sbom, repository_sbom
from tests.unit.repository.tiny_rpm import write_rpm

_SDIST = b"an sdist"
_FILES = {"/oslo_x-1.tar.gz": _SDIST, "/python-oslo-x.spec": b"a spec", "/mend.patch": b"a patch"}


def valid(text: str) -> dict[str, Any]:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.fixture
def packages(tmp_path: Path) -> list[Described]:
    rpms = [
        write_rpm(tmp_path, "python-oslo-x", source=True, arch="src", files=_FILES),
        write_rpm(tmp_path, "python-oslo-x", requires=["beta", "/usr/bin/tool", "python(abi) = 3.13"]),
        write_rpm(tmp_path, "beta", files={"/usr/bin/tool": b"#!"}, requires=["beta = 1"]),
        write_rpm(tmp_path, "gamma", requires=["(beta >= 1 with beta < 2)"], built=1_700_000_500),
    ]
    return [describe(rpm) for rpm in rpms]


def test_a_repository_says_where_each_package_is_from(packages: list[Described]) -> None:
    bill = valid(repository_sbom("p-2026.1", packages))
    assert bill["metadata"]["component"]["name"] == "p-2026.1"
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:21:40Z"  # the newest package's
    found = {one["bom-ref"]: one for one in bill["components"]}
    assert list(found) == [
        "beta-1-1.noarch",
        "gamma-1-1.noarch",
        "python-oslo-x-1-1.noarch",
        "python-oslo-x-1-1.src",
    ]
    binary, source = found["python-oslo-x-1-1.noarch"], found["python-oslo-x-1-1.src"]
    assert binary["licenses"] == [{"expression": "MIT"}]
    assert binary["hashes"] == [{"alg": "SHA-256", "content": packages[1].sha256}]
    assert binary["purl"] == "pkg:rpm/rdo/python-oslo-x@1-1?arch=noarch&upstream=python-oslo-x-1-1.src.rpm"
    for one in (binary, source):
        (sdist,) = one["pedigree"]["ancestors"]
        assert sdist["purl"] == "pkg:pypi/oslo-x@1"
        assert sdist["hashes"][0]["content"] == sha256_bytes(_SDIST)
    assert [one["name"] for one in source["components"]] == ["mend.patch", "python-oslo-x.spec"]
    assert "pedigree" not in found["beta-1-1.noarch"]  # its source RPM is not in the repository


def test_dependencies_are_those_inside_the_repository(packages: list[Described]) -> None:
    bill = valid(repository_sbom("p-2026.1", packages))
    assert {one["ref"]: one["dependsOn"] for one in bill["dependencies"]} == {
        "beta-1-1.noarch": [],
        "gamma-1-1.noarch": ["beta-1-1.noarch"],
        "python-oslo-x-1-1.noarch": ["beta-1-1.noarch"],
    }


def test_the_same_packages_give_the_same_bytes_and_others_another_number(packages: list[Described]) -> None:
    text = repository_sbom("p-2026.1", packages)
    assert repository_sbom("p-2026.1", list(reversed(packages))) == text
    other = json.loads(repository_sbom("p-2026.1", packages[:2]))
    assert other["serialNumber"] != json.loads(text)["serialNumber"]


def test_a_build_says_what_went_in_and_what_came_out(packages: list[Described]) -> None:
    lock = SourceLock(
        dist="oslo-x",
        version="1",
        filename="oslo_x-1.tar.gz",
        sha256=sha256_bytes(_SDIST),
        size=len(_SDIST),
        uploaded="2026-04-08T09:10:52Z",
    )
    request = BuildRequest(
        package="python-oslo-x",
        version="1",
        release="1",
        spec="a spec",
        sources=(
            SourceFile(filename=lock.filename, sha256=lock.sha256, path=Path("/s")),
            SourceFile(filename="mend.patch", sha256=sha256_bytes(b"a patch"), path=Path("/p")),
        ),
        build_requires=("python3dist(pbr)",),
    )
    pbr = RpmInfo(name="python3-pbr", epoch="1", version="7.0.3", release="1.p", sha256="5" * 64)
    held = [Held.of_rpm(pbr), Held("deb", "debian", "libc6", "2.41-12+deb13u1")]
    bill = valid(build_sbom(request, lock, packages[:2], held))
    assert bill["metadata"]["timestamp"] == "2026-04-08T09:10:52Z"
    assert bill["metadata"]["component"]["version"] == "1-1"
    found = {one["bom-ref"]: one for one in bill["components"]}
    assert found["pkg:pypi/oslo-x@1"]["hashes"][0]["content"] == lock.sha256
    assert found["file:mend.patch"]["type"] == "file"
    pbr_ref = "pkg:rpm/rdo/python3-pbr@7.0.3-1.p?epoch=1"
    assert found[pbr_ref]["scope"] == "excluded"
    assert found[pbr_ref]["hashes"][0]["content"] == "5" * 64
    assert "hashes" not in found["pkg:deb/debian/libc6@2.41-12%2Bdeb13u1"]
    depends = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert set(depends["python-oslo-x"]) == found.keys() - {p.nevra for p in packages[:2]}
    assert depends["python-oslo-x-1-1.noarch"] == ["python-oslo-x"]


@pytest.mark.parametrize(
    ("kind", "vendor", "name", "version", "qualifiers"),
    [
        ("pypi", None, "oslo-config", "1.0", {}),
        ("rpm", "rdo", "python3-x+extra", "1.0~rc1-1.p", {"epoch": "1", "arch": "noarch"}),
        ("deb", "debian", "libstdc++6", "1:14.2.0-19+b1", {"arch": ""}),
        ("rpm", "rdo", "a", "1^2", {"upstream": "a+b-1.src.rpm"}),
    ],
)
def test_package_urls(
    kind: str, vendor: str | None, name: str, version: str, qualifiers: dict[str, str]
) -> None:
    text = purl(kind, vendor, name, version, qualifiers)
    assert text == PackageURL(kind, vendor, name, version, qualifiers).to_string()
    read = PackageURL.from_string(text)
    assert (read.name, read.version) == (name, version)
