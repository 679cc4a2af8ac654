"""Real packages built in our way and in EL's plain way: the same files, the same dependencies."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.closure import Closure, built_closure
from benchmarks.el_way import ReadyRoot
from benchmarks.places import Bench
from benchmarks.same import Comparison, compare

from rdo.common.progress import SilentProgress
from tests.integration.repository_tools import paths_in

pytestmark = [pytest.mark.root, pytest.mark.mirror, pytest.mark.index]

PACKAGES = ("python-pbr", "python-oslo-i18n", "python-oslo-config")

# What differs by the tool that installs: pip and ours write scripts with other words, pip leaves no trace of
# itself but for the wheel's own words about its maker.
CONTENTS = {"*.pyc", "WHEEL", "pbr", "oslo-config-generator", "oslo-config-validator", "convert-json"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    paths = paths_in(tmp_path_factory.mktemp("el"))
    shared = Path(os.environ.get("RDO_CACHE", "/var/cache/rdo"))
    for name in ("sources", "metadata"):
        (shared / name).mkdir(exist_ok=True)
        (paths.cache / name).symlink_to(shared / name)
    return replace(Bench.open(paths), paths=paths)


@pytest.fixture(scope="module")
def closure(bench: Bench) -> Closure:
    return built_closure(bench, SilentProgress(), ("oslo.config",), PACKAGES)


@pytest.fixture(scope="module")
def comparison(bench: Bench, closure: Closure, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("compared")
    ours = folder / "ours"
    ours.mkdir()
    for package in PACKAGES:
        for artifact in closure.results[package].artifacts:
            os.link(bench.store.path(artifact.sha256), ours / artifact.filename)
    ready = ReadyRoot.make(bench, closure, folder / "el")
    _, theirs, _ = ready.build(closure.measured, "built", el=True)
    return compare(bench, ours, theirs, folder / "said")


def test_every_package_was_compared(comparison: Comparison) -> None:
    assert comparison.packages >= 2 * len(PACKAGES)
    assert comparison.files > 100
    assert comparison.dependencies > 50


def test_same_files_modes_scripts_and_dependencies(comparison: Comparison) -> None:
    assert comparison.differences == []


def test_contents_differ_only_where_the_installer_writes(comparison: Comparison) -> None:
    assert set(comparison.contents) <= CONTENTS
