"""Layers that somebody removed, wholly or in part."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rdo.building.integrity import CacheError, Inspector, set_aside
from rdo.building.roots import Layer


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    root = tmp_path / "deb" / "sha" / "root"
    (root / "usr" / "lib").mkdir(parents=True)
    (root / "usr" / "lib" / "encodings").touch()
    return Layer("deb:sha", root)


def test_whole_layer_stays_whole(layer: Layer) -> None:
    assert Inspector().damaged([layer]) == []
    assert (layer.path.parent / "entries").read_text() == "3"
    assert Inspector().damaged([layer]) == []


def test_layer_that_is_gone(layer: Layer) -> None:
    inspector = Inspector()
    assert inspector.damaged([layer]) == []
    shutil.rmtree(layer.path)
    assert inspector.damaged([layer]) == [layer]


def test_half_of_a_layer(layer: Layer) -> None:
    inspector = Inspector()
    inspector.damaged([layer])
    (layer.path / "usr" / "lib" / "encodings").unlink()
    assert Inspector().damaged([layer]) == [layer], "seen by every process that comes later"
    assert inspector.damaged([layer], again=True) == [layer], "and by one that looks again"


def test_damaged_layer_gets_out_of_the_way_and_counts_as_new_when_made_again(layer: Layer) -> None:
    inspector = Inspector()
    inspector.damaged([layer])
    set_aside([layer])
    set_aside([layer])
    assert not layer.path.parent.exists()
    assert inspector.damaged([layer]) == [layer]
    layer.path.mkdir(parents=True)
    assert inspector.damaged([layer]) == []
    assert (layer.path.parent / "entries").read_text() == "0"


def test_error_says_what_to_do(layer: Layer) -> None:
    error = CacheError([layer] * 5)
    assert str(layer.path.parent) in error.what and "2 more" in error.what
    assert error.hint is not None and error.hint.startswith("Run it again")
