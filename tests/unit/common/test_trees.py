"""Files of foreign trees, whose links lead nowhere outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdo.common.errors import RdoError
from rdo.common.trees import find_within, read_within


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text("outside")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hosts").write_text("inside")
    return tree


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/etc/hosts", "link"),
        ("etc/hosts", "link"),
        ("../../../etc/hosts", "link"),
        ("/..//../etc/./hosts", "link"),
        ("/etc", "link/hosts"),
        ("/", "link/etc/../../../etc/hosts"),
        ("/link2", "link"),
    ],
)
def test_links_are_taken_as_in_the_tree(tree: Path, target: str, path: str) -> None:
    (tree / "link").symlink_to(target)
    (tree / "link2").symlink_to("/etc/hosts")
    assert read_within(tree, path) == b"inside"
    assert find_within(tree, path) == tree / "etc/hosts"


@pytest.mark.parametrize("target", ["/secret", "../secret", "link", "/etc/hosts/x", "x" * 300])
def test_what_is_not_in_the_tree_is_not_there(tree: Path, target: str) -> None:
    (tree / "link").symlink_to(target)
    assert read_within(tree, "/link") is None
    assert read_within(tree, "../secret") is None


def test_only_plain_files_are_read(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "zero").symlink_to("/dev/zero")
    assert [read_within(tree, name) for name in ("pipe", "zero", "etc", "")] == [None] * 4


def test_a_file_without_end_is_refused(tree: Path) -> None:
    with (tree / "large").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(RdoError, match="large has more than 1 MB"):
        read_within(tree, "large", most=1 << 20)


_PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "tree", "out"]), max_size=6)


@given(
    links=st.dictionaries(
        st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "b/b"]), st.tuples(st.booleans(), _PARTS), max_size=5
    ),
    wanted=_PARTS,
)
def test_no_links_lead_out(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, tuple[bool, list[str]]], wanted: list[str]
) -> None:
    top = tmp_path_factory.mktemp("t")
    tree = top / "tree"
    tree.mkdir()
    (top / "out").write_text("out")
    for place, (absolute, parts) in sorted(links.items()):
        link = tree / place
        if link.parent.is_symlink() or (link.parent.exists() and not link.parent.is_dir()):
            continue
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink() and not link.exists():
            link.symlink_to(("/" if absolute else "") + "/".join(parts) or ".")
    found = find_within(tree, "/".join(wanted))
    if found is not None:
        assert found == tree or tree in found.parents
        assert not found.is_symlink()
        assert found.resolve() == found
