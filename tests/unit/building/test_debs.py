"""The archive's index and its dependencies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.building.debs import DebPool, parse_depends, parse_packages
from rdo.building.roots import Layer, Root
from rdo.common.errors import UnknownNameError
from rdo.common.paths import Paths
from tests.settings import installation_of

INDEX = """\
Package: app
Version: 1:2.0-1
Architecture: amd64
Pre-Depends: loader (>= 1)
Depends: lib (>= 1.2), here, mail-agent | other, virtual
Size: 10
Description: an app
 Depends: not a field
SHA256: aa

Package: lib
Version: 1.2-3
Architecture: amd64
Depends: app (= 1:2.0-1)
Size: 11
SHA256: bb

Package: loader
Version: 1
Architecture: all
Size: 1
SHA256: cc

Package: other
Version: 1
Architecture: all
Size: 1
SHA256: dd

Package: zz-real
Version: 1
Architecture: all
Provides: virtual (= 3)
Size: 1
SHA256: ee

Package: aa-real
Version: 1
Architecture: all
Provides: x, virtual
Size: 1
SHA256: ff
"""


@pytest.fixture
def pool(tmp_path: Path) -> DebPool:
    base = tmp_path / "cache" / "roots" / "1"
    (base / "lists").mkdir(parents=True)
    (base / "lists" / "mirror_dists_x_main_binary-amd64_Packages").write_text(INDEX)
    (base / "installed.json").write_text(json.dumps({"here": "1"}))
    paths = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=tmp_path)
    return DebPool(Root((Layer("1", base / "root"),)), installation_of(paths))


def test_fields_of_descriptions_are_not_taken_for_the_package_s() -> None:
    first = next(parse_packages(INDEX))
    assert first["Package"] == "app"
    assert first["Depends"].startswith("lib")


def test_alternatives_architectures_and_versions_of_dependencies() -> None:
    assert parse_depends("a (>= 1) | b:any, c [amd64],, d") == (("a", "b"), ("c",), ("d",))
    assert parse_depends("") == ()


def test_closure_leaves_the_base_out_and_survives_cycles(pool: DebPool) -> None:
    assert [deb.name for deb in pool.closure(["app"])] == ["aa-real", "app", "lib", "loader", "other"]


def test_wanted_provider_of_a_virtual_package_is_kept(pool: DebPool) -> None:
    found = [deb.name for deb in pool.closure(["app", "zz-real"])]
    assert "zz-real" in found
    assert "aa-real" not in found


def test_closure_does_not_depend_on_the_order_of_what_is_wanted(pool: DebPool) -> None:
    assert pool.closure(["app", "zz-real"]) == pool.closure(["zz-real", "app"])


def test_base_needs_no_layers(pool: DebPool) -> None:
    assert pool.closure(["here"]) == ()


def test_unknown_deb_names_near_ones(pool: DebPool) -> None:
    with pytest.raises(UnknownNameError, match="loadr") as caught:
        pool.closure(["loadr"])
    assert "loader" in caught.value.nearest


def test_layers_are_named_by_content(pool: DebPool) -> None:
    (deb,) = pool.closure(["loader"])
    assert deb.sha256 == "cc"
    assert "cc" in pool.layer(deb).id
    assert not pool.fetched(deb)


def test_an_alternative_for_upgrades_from_an_older_release_does_not_count() -> None:
    text = "python3, python3-legacy-cgi | python3-supported-max (<< 3.13), only (<< 4)"
    assert parse_depends(text) == (("python3",), ("python3-legacy-cgi",), ("only",))
