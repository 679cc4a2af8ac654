"""``rdo package show`` on a small distribution whose source is in the cache, before and after a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

import pytest

from rdo.building.models import Artifact, BuildResult
from rdo.building.state import State
from rdo.building.store import open_store
from rdo.cli.installation import open_installation
from rdo.cli.main import main
from rdo.upstream.source_cache import SourceCache
from tests.settings import installation_of
from tests.unit.building.fakes import request
from tests.unit.repository.tiny_rpm import write_rpm
from tests.unit.upstream.sdists import make_sdist, pkg_info

RELEASE = """\
series: "2026.1"
codename: gazpacho
phase: maintained
released: 2026-04-01
platforms: [debian13]
projects:
  oslo.small: {type: library, version: "1.0"}
"""
PLATFORM = """\
name: debian13
title: Small
architecture: x86_64
python: "3.13"
python_version: "3.13.5"
dist: .deb13
tested: true
root: {kind: debootstrap, suite: trixie, packages: []}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "distribution"
    (data / "releases").mkdir(parents=True)
    (data / "platforms").mkdir()
    (data / "releases/2026.1.yaml").write_text(RELEASE)
    (data / "platforms/debian13.yaml").write_text(PLATFORM)
    (data / "platforms/debian13.provides").write_text("steady 1.0 python3-steady\n")
    lines = ("License-Expression: MIT", "Summary: A small library", "Requires-Dist: steady>=0.9")
    made = make_sdist(
        tmp_path,
        "oslo.small",
        "1.0",
        {
            "PKG-INFO": pkg_info("oslo.small", "1.0", *lines, metadata_version="2.4"),
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "flit_core.buildapi"\n',
            "oslo_small/__init__.py": "",
            "oslo_small/tests/__init__.py": "",
        },
    )
    content = made.path.read_bytes()

    def write(target: IO[bytes]) -> None:
        target.write(content)

    SourceCache(tmp_path / "cache/sources").add(made.filename, made.sha256, write)
    (data / "releases/2026.1.lock").write_text(
        f"{made.sha256} {len(content)} 2026-01-01T00:00:00Z {made.filename} oslo-small 1.0\n"
    )
    monkeypatch.setenv("RDO_HOME", str(tmp_path))
    monkeypatch.setenv("RDO_DISTRIBUTION", str(data))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/nowhere")
    for name in ("RDO_CACHE", "RDO_RELEASE", "RDO_STORE", "RDO_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def rdo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["package", "show", "--platform", "debian13", *arguments])
    return int(caught.value.code or 0)


def build(folder: Path, version: str = "1.0") -> None:
    """Let a run end that has made two RPMs by hand."""
    paths = open_installation().paths
    store, state = open_store(installation_of(paths)), State.open(installation_of(paths))
    modules = "/usr/lib/python3.13/site-packages/oslo_small"
    made = [
        write_rpm(
            folder,
            "python3-oslo-small",
            version,
            requires=["python3.13dist(steady) >= 0.9", "python(abi) = 3.13"],
            files={f"{modules}/__init__.py": b"", "/usr/lib/x": b""},
        ),
        write_rpm(folder, "python3-oslo-small-tests", version, files={f"{modules}/tests/t.py": b""}),
    ]
    artifacts = tuple(
        Artifact(filename=file.path.name, sha256=store.put(file.path), size=file.path.stat().st_size)
        for file in made
    )
    wanted = request("python-oslo-small", version=version)
    result = BuildResult(
        package="python-oslo-small", input_hash="1" * 64, status="built", artifacts=artifacts
    )
    run = state.start_run("2026.1", "debian13", ["oslo.small"], 1)
    state.finish_builds(run, [(wanted, "full", result)])
    state.finish_run(run, "succeeded")


def test_before_it_is_built_the_spec_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("oslo.small") == 0
    out = capsys.readouterr().out
    assert "python-oslo-small 1.0-1 (MIT), not built at this version: as its spec has it" in out
    assert "upstream     python3dist(steady) >= 0.9  (steady>=0.9)" in out
    assert "python3-oslo-small-tests: Tests of oslo.small" in out


def test_what_was_built_is_shown_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(home)
    assert rdo("python-oslo-small", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["built"]
    modules, tests = found["packages"]
    assert [(part["text"], part["origin"]) for part in modules["requires"]] == [
        ("python(abi) = 3.13", "generator"),
        ("python3.13dist(steady) >= 0.9", "upstream"),
    ]
    assert [part["text"] for part in tests["files"]] == [
        "/usr/lib/python3.13/site-packages/oslo_small/tests/t.py"
    ]
    assert rdo("oslo.small") == 0
    out = capsys.readouterr().out
    assert "/usr/lib/x" in out
    assert "and 1 more of its modules: rdo package show python3-oslo-small" in out


def test_a_binary_package_is_shown_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(home)
    assert rdo("python3-oslo-small-tests") == 0
    out = capsys.readouterr().out
    assert "oslo_small/tests/t.py" in out
    assert "Is built with" not in out
    assert "/usr/lib/x" not in out


def test_a_build_of_another_version_does_not_count(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(home, "0.9")
    assert rdo("oslo.small") == 0
    assert "as its spec has it" in capsys.readouterr().out


def test_names_that_are_none_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("oslo.smal") == 2
    assert "Nearest: oslo.small" in capsys.readouterr().err
    assert rdo("steady") == 2
    assert "debian13 provides steady 1.0 itself" in capsys.readouterr().err
