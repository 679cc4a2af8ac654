from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rdo.building.identity as identity
from rdo.building.models import SourceFile
from tests.unit.building.fakes import request


def source(name: str, digest: str, place: str = "/a") -> SourceFile:
    return SourceFile(filename=name, sha256=digest * 64, path=Path(place))


BASE = request("pbr", "x", sources=(source("a", "1"), source("b", "2")))
WHERE: dict[str, Any] = {"platform": "debian13", "macros": "m"}
HASH = identity.input_hash(BASE, ("l1", "l2"), **WHERE)


def changed(**changes: Any) -> str:
    return identity.input_hash(BASE.model_copy(update=changes), ("l1", "l2"), **WHERE)


@pytest.mark.parametrize(
    "other",
    [
        changed(spec="other"),
        changed(with_check=False),
        changed(sources=(source("a", "1"), source("b", "3"))),
        changed(sources=(source("a", "1"), source("c", "2"))),
        changed(sources=(source("a", "1"),)),
        identity.input_hash(BASE, ("l2", "l1"), **WHERE),
        identity.input_hash(BASE, ("l1",), **WHERE),
        identity.input_hash(BASE, ("l1", "l2"), platform="el10", macros="m"),
        identity.input_hash(BASE, ("l1", "l2"), platform="debian13", macros="n"),
    ],
)
def test_any_input_changes_it(other: str) -> None:
    assert other != HASH


@pytest.mark.parametrize(
    "same",
    [
        changed(timeout=1.0),
        changed(after=()),
        changed(sources=(source("b", "2"), source("a", "1"))),
        changed(sources=(source("a", "1", "/elsewhere"), source("b", "2"))),
    ],
)
def test_what_does_not_go_in_does_not_change_it(same: str) -> None:
    assert same == HASH


def test_way_of_building_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "BUILD_FORMAT", identity.BUILD_FORMAT + 1)
    assert identity.input_hash(BASE, ("l1", "l2"), **WHERE) != HASH
