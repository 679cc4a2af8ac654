from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.cli.main import main


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return int(str(ended.value.code or 0)), out, err


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RDO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RDO_CACHE", raising=False)
    return tmp_path / "home"


@pytest.mark.slow
def test_from_no_key_to_an_exported_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    status, out, err = _run(capsys, "key", "show")
    assert (status, out) == (2, "")
    assert "rdo key create" in err
    assert not home.exists()

    status, out, _ = _run(capsys, "key", "create", "--name", "Me", "--email", "me@example.org", "--json")
    created = json.loads(out)
    assert status == 0
    assert created["user_id"] == "Me <me@example.org>"

    status, out, err = _run(capsys, "key", "create")
    assert (status, out) == (2, "")
    assert "never overwritten" in err

    status, out, _ = _run(capsys, "key", "show", "--json")
    assert json.loads(out) == created
    assert created["fingerprint"] in _run(capsys, "key", "show")[1]

    status, out, _ = _run(capsys, "key", "export")
    assert out.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert _run(capsys, "key", "export", "-o", str(tmp_path / "public.asc"))[0] == 0
    assert (tmp_path / "public.asc").read_text() == out


def test_a_bad_owner(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert _run(capsys, "key", "create", "--email", "nobody")[0] == 2
    assert not home.exists()


def test_no_repositories(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert _run(capsys, "repo", "list", "--json")[:2] == (0, "[]\n")
    assert not home.exists()
