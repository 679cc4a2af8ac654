"""Links that installation scripts would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.building.rpm_layers import make_alternatives


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ld.bfd").write_text("linker")
    return tmp_path


def test_alternatives_become_links(root: Path) -> None:
    make_alternatives(
        "/usr/sbin/alternatives --install /usr/bin/ld ld \\\n  /usr/bin/ld.bfd 50 \\\n"
        "  --follower /usr/bin/linker linker /usr/bin/ld.bfd || :\n",
        root,
    )
    for name in ("ld", "linker"):
        link = root / "usr/bin" / name
        assert link.is_symlink() and str(link.readlink()) == "/usr/bin/ld.bfd"


@pytest.mark.parametrize(
    "words",
    [
        "/usr/bin/ld.bfd x /usr/bin/ld.bfd",  # it is there
        "/usr/bin/x x /usr/bin/absent",
        "/usr/bin/$x x /usr/bin/ld.bfd",
        "/usr/../../x x /usr/bin/ld.bfd",
        "/usr/share/man/man1/ld.1 x /usr/bin/ld.bfd",
    ],
)
def test_other_alternatives_are_left_out(root: Path, words: str) -> None:
    make_alternatives(f"alternatives --install {words} 50", root)
    assert [path.name for path in root.rglob("*") if path.is_symlink()] == []
    assert (root / "usr/bin/ld.bfd").read_text() == "linker"


def test_script_of_another_kind_makes_nothing(root: Path) -> None:
    make_alternatives("(none)", root)
    assert not [path for path in root.rglob("*") if path.is_symlink()]
