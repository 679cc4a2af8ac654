"""What debs offer, in RPM's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.building.stubs import Facts, Names, debian_version, facts_of, layer_facts, read_sonames
from rdo.distribution.models import DebootstrapRoot, Platform, Provided


@pytest.fixture
def names() -> Names:
    return Names(
        Platform(
            name="p",
            title="P",
            architecture="x86_64",
            python="3.13",
            python_version="3.13.5",
            dist=".p",
            tested=True,
            root=DebootstrapRoot(kind="debootstrap", suite="trixie", packages=()),
            native={
                "python3-devel": ("python3-dev",),
                "gcc": ("gcc", "libc6-dev"),
                "glibc-devel": ("libc6-dev",),
                "zlib-devel": ("zlib1g-dev",),
                "zlib-ng-compat-devel": ("zlib1g-dev",),
                "tools": ("one", "two"),
                "python3-rpm-macros": (),
            },
            provides={
                "pyyaml": Provided(version="6.0.2", package="python3-yaml"),
                "oslo-config": Provided(version="9.7.0", package="python3-oslo.config"),
                "python-dateutil": Provided(version="2.9.0", package="python3-dateutil"),
                "odd": Provided(version="1.0rc1", package="python3-odd"),
            },
        )
    )


def test_python_package_bears_el_s_name_and_the_distribution_s_version(names: Names) -> None:
    record = names.record("python3-yaml", "6.0.2-1+b2", "x")
    assert (record.name, record.version, record.release) == ("python3-pyyaml", "6.0.2", "0.deb")
    assert {"python3-yaml = 6.0.2", "python3dist(pyyaml) = 6.0.2", "python3.13dist(pyyaml) = 6.0.2"} <= set(
        record.provides
    )


def test_capabilities_have_trimmed_versions_as_the_generator_writes_them(names: Names) -> None:
    record = names.record("python3-oslo.config", "1:9.7.0-3", "x")
    assert (record.name, record.evr) == ("python3-oslo-config", "9.7.0-0.deb")
    assert "python3dist(oslo-config) = 9.7" in record.provides
    assert "python3dist(odd) = 1~rc1" in names.record("python3-odd", "1.0~rc1-1", "x").provides


def test_leading_python_goes_as_in_our_own_packages(names: Names) -> None:
    assert names.record("python3-dateutil", "2.9.0-4", "x").name == "python3-dateutil"


def test_native_names(names: Names) -> None:
    devel = names.record("python3-dev", "3.13.5-1", "x")
    assert devel.name == "python3-devel"
    assert {"deb(python3-dev)", "python3-dev = 3.13.5"} <= set(devel.provides)
    zlib = names.record("zlib1g-dev", "1:1.3.dfsg+really1.3.1-1+b1", "x")
    assert zlib.name == "zlib-devel"
    assert any(p.startswith("zlib-ng-compat-devel = ") for p in zlib.provides)


def test_name_that_stands_for_several_debs(names: Names) -> None:
    assert names.record("gcc", "4:14.2.0-1", "x").requires == ("deb(libc6-dev)",)
    (tools,) = names.meta_records()
    assert (tools.name, tools.requires) == ("tools", ("deb(one)", "deb(two)"))


def test_what_comes_with_macros_and_users_of_the_base(names: Names, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:::\nnobody:x:65534:65534:::\n")
    record = names.platform_record(tmp_path)
    assert record.provides == ("python3-rpm-macros", "user(root)", "user(nobody)")


def test_facts_of_files(tmp_path: Path) -> None:
    info = tmp_path / "usr/lib/python3/dist-packages/Foo.Bar-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.2\n\nVersion: no\n")
    egg = tmp_path / "usr/lib/python3/dist-packages/old.egg-info"
    egg.write_text("Metadata-Version: 1.0\nName: old\nVersion: 3\n")
    pc = tmp_path / "usr/lib/x86_64-linux-gnu/pkgconfig/zz.pc"
    pc.parent.mkdir(parents=True)
    pc.write_text("prefix=/usr\nName: zz\nVersion: 1.5\n")
    library = "usr/lib/x86_64-linux-gnu/libzz.so.1.5"
    files = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    facts = facts_of(
        [*files, "usr/bin/zz", "usr/share/zz", library], tmp_path, {f"/{library}": ["libzz.so.1()"]}
    )
    assert facts == Facts({"foo-bar": "1.2", "old": "3"}, ["/usr/bin/zz"], {"zz": "1.5"}, ["libzz.so.1()"])


def test_commands_are_provided_under_both_paths(names: Names) -> None:
    record = names.record("bash", "5", "x", Facts(commands=["/usr/bin/bash"]))
    assert {"/usr/bin/bash", "/bin/bash"} <= set(record.provides)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1:2.0-3", "2.0"), ("2.0", "2.0"), ("1.2~rc1-1", "1.2~rc1"), ("1.0+dfsg-1-2", "1.0+dfsg.1")],
)
def test_debian_versions(version: str, expected: str) -> None:
    assert debian_version(version) == expected


def test_libraries_behind_alternatives_are_provided(tmp_path: Path) -> None:
    layer = tmp_path / "root"
    folder = layer / "usr/lib/x86_64-linux-gnu"
    (folder / "own").mkdir(parents=True)
    (folder / "own/libzz-1.2.so").write_bytes(b"\x7fELF\x02\x01")
    (folder / "own/libzz.so.1").symlink_to("libzz-1.2.so")
    (folder / "libzz.so.1").symlink_to("/usr/lib/x86_64-linux-gnu/own/libzz.so.1")
    (folder / "libyy.so.1").symlink_to("/usr/lib/elsewhere/libyy.so.1")
    (folder / "libxx.so.1").symlink_to("own/libzz.so.1")
    (tmp_path / "sonames").write_text("")
    first = layer_facts(layer, tmp_path / "sonames")
    assert first.sonames == ["libzz.so.1()(64bit)"]
    assert layer_facts(layer, tmp_path / "sonames") == first, "kept"


def test_sonames_by_path() -> None:
    assert read_sonames("/a b()\n/a c(X)(64bit)\n") == {"/a": ["b()", "c(X)(64bit)"]}
