"""``rdo resolve`` on a small distribution whose sources are in the cache: no network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.cli.main import main
from rdo.upstream.source_cache import SourceCache
from tests.unit.upstream.sdists import make_sdist, pkg_info

RELEASE = """\
series: "2026.1"
codename: gazpacho
phase: maintained
released: 2026-04-01
platforms: [debian13]
projects:
  keystone: {type: service, version: "29.0.0", commit: "%s"}
  oslo.config: {type: library, version: "10.0.0", commit: "%s"}
constraints:
  newer: "2.0"
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
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "distribution"
    (data / "releases").mkdir(parents=True)
    (data / "platforms").mkdir()
    (data / "releases/2026.1.yaml").write_text(RELEASE % ("a" * 40, "b" * 40))
    (data / "platforms/debian13.yaml").write_text(PLATFORM)
    (data / "platforms/debian13.provides").write_text("newer 1.0 python3-newer\nsteady 1.0 python3-steady\n")
    cache = SourceCache(tmp_path / "cache/sources")
    lines = []
    for name, version, *requires in (
        ("keystone", "29.0.0", "oslo.config", "newer>=2"),
        ("oslo.config", "10.0.0", "steady"),
        ("newer", "2.0"),
    ):
        text = pkg_info(name, version, *(f"Requires-Dist: {r}" for r in requires))
        project = '[build-system]\nrequires = []\nbuild-backend = "flit_core.buildapi"\n'
        made = make_sdist(tmp_path, name, version, {"PKG-INFO": text, "pyproject.toml": project})
        content = made.path.read_bytes()
        cache.add(made.filename, made.sha256, lambda target, content=content: _write(target, content))  # type: ignore[misc]
        dist = name.replace(".", "-")
        lines.append(f"{made.sha256} {len(content)} 2026-01-01T00:00:00Z {made.filename} {dist} {version}\n")
    (data / "releases/2026.1.lock").write_text("".join(sorted(lines, key=lambda line: line.split()[4])))
    monkeypatch.setenv("RDO_HOME", str(tmp_path))
    monkeypatch.setenv("RDO_DISTRIBUTION", str(data))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/nowhere")
    for name in ("RDO_CACHE", "RDO_RELEASE"):
        monkeypatch.delenv(name, raising=False)
    return data


def _write(target: object, content: bytes) -> None:
    target.write(content)  # type: ignore[attr-defined]


def rdo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["resolve", "--platform", "debian13", *arguments])
    return int(caught.value.code or 0)


def test_what_is_built_and_what_is_provided(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("keystone") == 0
    out = capsys.readouterr().out
    assert "3 to be built, 1 from the platform" in out
    assert "openstack-keystone" in out
    assert "keystone requires newer>=2" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("openstack-keystone", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["asked"] == ["keystone"]
    assert data["layers"] == [[["newer"], ["oslo-config"]], [["keystone"]]]
    assert data["nodes"]["steady"]["origin"] == "platform"


def test_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("keystone", "--order") == 0
    assert capsys.readouterr().out.split() == [
        *("1", "python-newer", "python-oslo-config"),
        *("2", "openstack-keystone"),
    ]


def test_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("keystone", "--why", "steady") == 0
    assert capsys.readouterr().out.splitlines() == [
        "steady 1.0: debian13's own package python3-steady",
        "  you asked for keystone",
        "  keystone requires oslo.config",
        "  oslo-config requires steady",
    ]
    assert rdo("oslo.config", "--why", "keystone") == 2


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("keystoned") == 2
    assert "Nearest: keystone" in capsys.readouterr().err
    assert rdo("keystone", "--release", "2026.9") == 2


def test_everything(distribution: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("--all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["asked"] == ["keystone", "oslo-config"]
    (distribution / "coverage.yaml").write_text("not_shipped: {keystone: Of no use here.}\n")
    assert rdo("--all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["asked"] == ["oslo-config"]
    assert rdo("--all") == 0
    assert "Everything of 2026.1 on debian13" in capsys.readouterr().out


def test_names_and_everything_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("keystone", "--all") == 2
    assert "Say either names or --all" in capsys.readouterr().err
    assert rdo() == 2
    assert "--all for everything" in capsys.readouterr().err
