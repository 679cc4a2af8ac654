from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdo.common.errors import RdoError
from rdo.distribution.debian import (
    mirror_of_host,
    parse_contents,
    parse_packages,
    provides_of_contents,
    provides_of_table,
    upstream_version,
)
from rdo.distribution.platformfile import parse_provides, render_provides

PACKAGES = """\
Package: python3-yaml
Source: pyyaml
Version: 6.0.2-1+b2
Description: has a word, Version: 9, in it

Package: python3-old
Version: 1:2.0~rc1+dfsg-3

Package: python3-pkg-resources
Version: 78.1.1-0.1
"""

CONTENTS = """\
usr/bin/tool                                                       utils/python3-yaml
usr/lib/python3/dist-packages/PyYAML-6.0.2.egg-info/PKG-INFO       python/python3-yaml
usr/lib/python3/dist-packages/PyYAML-6.0.2.egg-info/top_level.txt  python/python3-yaml
usr/lib/python3/dist-packages/old.egg-info                         oldlibs/python3-old
usr/lib/python3/dist-packages/lxml-5.4.0.dist-info/METADATA        python/python3-lxml,debug/lxml-dbg
usr/lib/python3/dist-packages/rpm-4.20.1-py3.13.egg-info           python/python3-rpm
usr/lib/python3/dist-packages/setuptools-78.1.1.egg-info/PKG-INFO  python/python3-pkg-resources
usr/lib/python3/dist-packages/odd-1.x.dist-info/METADATA           python/python3-odd
usr/share/with a space/file                                        misc/thing
"""


def test_provides_of_an_index_of_files() -> None:
    versions = dict(parse_packages(PACKAGES.splitlines()))
    found, notes = provides_of_contents(parse_contents(CONTENTS.splitlines()), versions)
    assert {dist: (item.version, item.package) for dist, item in found.items()} == {
        "pyyaml": ("6.0.2", "python3-yaml"),
        "old": ("2.0rc1", "python3-old"),
        "lxml": ("5.4.0", "python3-lxml"),
        "rpm": ("4.20.1", "python3-rpm"),
        "setuptools": ("78.1.1", "python3-setuptools"),
    }
    assert notes == ["odd: python3-odd has no version that Python knows"]


def test_provides_of_the_table() -> None:
    versions = {
        "python3-yaml": "6.0.2-1",
        "python3-azure": "2025-1",
        "python3-click": "8.2.0+0.really.8.1.8-1",
    }
    table = [
        "# comment",
        "PyYAML python3-yaml",
        "azure_core python3-azure",
        "azure_ml python3-azure",
        "click python3-click",
        "gone python3-gone",
        "strange line of words",
    ]
    found, notes = provides_of_table(table, versions)
    assert {dist: item.version for dist, item in found.items()} == {"pyyaml": "6.0.2", "click": "8.1.8"}
    assert [note.partition(":")[0] for note in notes] == ["azure-core", "azure-ml"]


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [
        ("1.2.3-4", "1.2.3"),
        ("2:1.8.0+dfsg-3", "1.8.0"),
        ("25.1.1+dfsg-1", "25.1.1"),
        ("3.0~rc1-1", "3.0rc1"),
        ("1.0~b2+ds1-1", "1.0b2"),
        ("8.2.0+0.really.8.1.8-1", "8.1.8"),
        ("2.0+really1.9-1", "1.9"),
        ("1.5~ds-2+deb13u1", "1.5"),
        ("0.4.0+git20240101.abcdef-1", "0.4.0"),
        ("1.4", "1.4"),
        ("", None),
        ("abc-1", None),
    ],
)
def test_upstream_version_in_a_debian_one(debian: str, upstream: str | None) -> None:
    assert upstream_version(debian) == upstream


@given(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), st.integers(1, 9))
def test_plain_versions_come_back(parts: tuple[int, int, int], revision: int) -> None:
    version = ".".join(map(str, parts))
    assert upstream_version(f"{version}-{revision}") == version


def test_provides_file_reads_back_the_same() -> None:
    versions = dict(parse_packages(PACKAGES.splitlines()))
    found, _ = provides_of_contents(parse_contents(CONTENTS.splitlines()), versions)
    assert parse_provides(render_provides(found, "two\nlines"), Path("x.provides")) == found


def test_mirror_in_both_formats_of_apt_sources(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    with pytest.raises(RdoError, match="no Debian archive"):
        mirror_of_host(tmp_path)
    (folder / "debian.sources").write_text(
        "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n\n"
        "Types: deb\n# comment\nURIs: http://mirror.example/debian/\nSuites: bookworm bookworm-updates\n"
    )
    assert mirror_of_host(tmp_path) == "http://mirror.example/debian"
    (tmp_path / "sources.list").write_text(
        "deb [arch=amd64] https://third.example/apt main\ndeb http://first.example/debian bookworm main\n"
    )
    assert mirror_of_host(tmp_path) == "http://first.example/debian"
