"""``rdo spec``'s own part: what it refuses; generating is tested in the packaging room."""

from __future__ import annotations

import pytest

from rdo.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["spec", *arguments])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert "rdo spec keystone --diff" in out


def test_unknown_projects_and_series(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "keyston")
    assert (status, out) == (2, "")
    assert "keystone" in err
    status, _, err = run(capsys, "keystone", "--release", "2026.9")
    assert status == 2
    assert "2026.1" in err
