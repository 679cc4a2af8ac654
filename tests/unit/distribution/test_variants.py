"""Platforms that are another one offering less, and what is done about versions older than the pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.common.errors import DataError
from rdo.distribution.load import Distribution

BASE = """\
name: big
title: Big
architecture: x86_64
python: "3.13"
python_version: "3.13.5"
dist: .big
tested: true
root: {kind: debootstrap, suite: trixie, packages: [rpm]}
"""


def written(folder: Path, variant: str) -> Distribution:
    platforms = folder / "platforms"
    platforms.mkdir(parents=True)
    (platforms / "big.yaml").write_text(BASE)
    (platforms / "big.provides").write_text("a 2 python3-a\nb 3 python3-b\nmeson 1 meson\n")
    (platforms / "small.yaml").write_text(BASE.replace("big", "small").replace("Big", "Small"))
    (platforms / "small.provides").write_text("a 1 python3-a\nc 1 python3-c\n")
    (platforms / "lean.yaml").write_text(variant)
    return Distribution.load(folder)


def test_a_variant_offers_what_another_does_at_its_own_versions(tmp_path: Path) -> None:
    text = "name: lean\ntitle: Lean\nlike: big\noffers_as: small\n"
    lean = written(tmp_path, text).platform("lean")
    assert {dist: found.version for dist, found in lean.provides.items()} == {"a": "2", "meson": "1"}
    assert lean.own == {"b"}, "what the platform has of it is hidden"
    assert (lean.name, lean.title, lean.dist) == ("lean", "Lean", ".big")


def test_a_variant_keeps_what_cannot_be_built(tmp_path: Path) -> None:
    text = "name: lean\ntitle: Lean\nlike: big\noffers_as: small\nkept:\n  b: in Rust, without its crates\n"
    lean = written(tmp_path, text).platform("lean")
    assert lean.provides["b"].version == "3"
    assert lean.own == frozenset()


def test_what_a_variant_keeps_must_make_a_difference(tmp_path: Path) -> None:
    text = "name: lean\ntitle: Lean\nlike: big\noffers_as: small\nkept:\n  a: why\n  d: why\n"
    with pytest.raises(DataError) as caught:
        written(tmp_path, text).platform("lean")
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (6, "small has it"),
        (7, "big has no d"),
    ]


def test_mistakes_in_a_variant(tmp_path: Path) -> None:
    text = "name: thin\ntitle: Lean\nlike: huge\noffers_as: lean\n"
    with pytest.raises(DataError) as caught:
        written(tmp_path, text).platform("lean")
    assert [(problem.line, problem.message.split(",")[0]) for problem in caught.value.problems] == [
        (1, "the file is named lean"),
        (3, "there is no platform named 'huge'"),
        (4, "there is no platform named 'lean'"),
    ]
