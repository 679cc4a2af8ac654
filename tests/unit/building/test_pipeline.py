from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rdo.building.graph import Step, build_graph
from rdo.building.models import BuildRequest
from rdo.building.pipeline import requests_of
from rdo.packaging.resolution_model import Node, Resolution
from rdo.packaging.spec_model import GeneratedSpec, SpecSource
from rdo.upstream.source_cache import SourceCache

CONTENT = b"[Unit]\n"


def node(dist: str, *, runtime: tuple[str, ...] = (), origin: str = "build") -> Node:
    values = {"dist": dist, "version": "1", "origin": origin, "package": f"python-{dist}", "reasons": ()}
    return Node.model_validate(values | {"runtime": runtime, "imports": runtime})


def spec(dist: str, *build: str, check: tuple[str, ...] = (), subs: tuple[str, ...] = ()) -> GeneratedSpec:
    own = SpecSource("unit.service", hashlib.sha256(CONTENT).hexdigest(), content=CONTENT)
    sdist = SpecSource(f"{dist}-1.tar.gz", "0" * 64, path=Path("/sources/x"))
    return GeneratedSpec(
        package=f"python-{dist}",
        version="1",
        release="1",
        epoch=0,
        text=f"spec of {dist}",
        build_requires=("python3-devel", *build, *check),
        check_requires=check,
        sources=(sdist, own),
        subpackages=(f"python3-{dist}", *subs),
        timeout=1800,
    )


@pytest.fixture
def requests(tmp_path: Path) -> dict[str, BuildRequest]:
    nodes = [
        node("pbr", runtime=("setuptools",)),
        node("setuptools", origin="platform"),
        node("oslo-utils", runtime=("oslo-i18n",)),
        node("oslo-i18n", runtime=("pbr",)),
        node("keystone", runtime=("oslo-utils",)),
        node("plugin", runtime=("keystone",)),
    ]
    specs = {
        "pbr": spec("pbr", "python3dist(setuptools)"),
        "oslo-i18n": spec("oslo-i18n", "python3dist(pbr) >= 2", check=("python3dist(oslo-utils) >= 3",)),
        "oslo-utils": spec(
            "oslo-utils",
            "python3dist(pbr) >= 2",
            check=("(python3dist(oslo-i18n) >= 3 with python3dist(oslo-i18n) < 9)",),
        ),
        "keystone": spec("keystone", "python3dist(oslo-utils[x])", subs=("openstack-keystone",)),
        "plugin": spec("plugin", "openstack-keystone >= 1"),
    }
    resolution = Resolution(
        series="2026.1", platform="fake", asked=("keystone",), nodes={n.dist: n for n in nodes}, metadata={}
    )
    made = requests_of(resolution, specs, SourceCache(tmp_path))
    return {request.package.removeprefix("python-"): request for request in made}


def test_what_comes_before_is_read_from_build_requirements(requests: dict[str, BuildRequest]) -> None:
    assert requests["pbr"].after == ()
    assert requests["keystone"].after == ("python-oslo-i18n", "python-oslo-utils", "python-pbr")
    assert "python-keystone" in requests["plugin"].after  # by the name of a subpackage
    assert requests["keystone"].check_after == ()
    assert requests["keystone"].timeout == 1800


def test_what_only_checks_need_is_told_apart(requests: dict[str, BuildRequest]) -> None:
    utils = requests["oslo-utils"]
    assert utils.after == ("python-oslo-i18n", "python-pbr")
    assert utils.check_after == ("python-oslo-i18n",)
    assert len(utils.check_requires) == 1
    graph = build_graph(requests.values())
    assert graph.cycles == (("python-oslo-i18n", "python-oslo-utils"),)
    first = graph.requests[Step("python-oslo-utils", "bootstrap")]
    assert first.build_requires == ("python3-devel", "python3dist(pbr) >= 2")


def test_files_of_ours_are_kept_by_content(requests: dict[str, BuildRequest]) -> None:
    sdist, unit = requests["pbr"].sources
    assert sdist.path == Path("/sources/x")
    assert (unit.filename, unit.path.read_bytes()) == ("unit.service", CONTENT)
