"""``rdo projects`` on the distribution's own data and an empty state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.cli.main import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RDO_HOME", str(tmp_path))
    for name in ("RDO_CACHE", "RDO_RELEASE", "RDO_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def rdo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["projects", *arguments])
    return int(caught.value.code or 0)


def test_table_json_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("2026.1", "--platform", "debian13") == 0
    out = capsys.readouterr().out
    assert "Projects in RDO 2026.1 on debian13" in out
    assert "0 built, 0 failed" in out
    assert "nothing for" in out
    assert rdo("2026.1", "--platform", "debian13", "--json") == 0
    found = {entry["project"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert found["keystone"]["package"] == "openstack-keystone"
    assert found["keystone"]["hand_written"] > 10
    assert found["packstack"]["state"] == "not shipped"
    assert rdo("2026.1", "--platform", "debian13", "--markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# Projects in RDO 2026.1 on debian13"
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_a_list_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "list.json"
    listed.write_text(
        '[{"project": "nova", "source_package": "nova"}, {"project": "puppet-nova", "kind": "puppet"}]'
    )
    assert rdo("2026.1", "--compare", str(listed)) == 0
    out = capsys.readouterr().out
    assert "listed as nova" in out
    assert "1 of 2 are shipped, 1 of them as another source package; 1 are not" in out
    listed.write_text('[{"project": "nova"}, {"project": "unheard-of"}]')
    assert rdo("2026.1", "--compare", str(listed), "--json") == 1
    captured = capsys.readouterr()
    assert [entry["status"] for entry in json.loads(captured.out)] == ["shipped", "unexplained"]
    assert "1 of 2 are neither shipped nor explained: unheard-of" in captured.err
    assert "coverage.yaml" in captured.err


def test_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "list.json"
    bad.write_text('[\n{"project": "nova"},\n{}]')
    assert rdo("2026.1", "--compare", str(bad)) == 2
    assert f"{bad}:3: 'project' is missing" in capsys.readouterr().err
    assert rdo("2026.1", "--compare", str(tmp_path / "absent")) == 2
    assert rdo("2026.9") == 2
