"""How a command ends, whatever ends it: the status, and what is said."""

from __future__ import annotations

import errno
import sys
import types
from pathlib import Path

import pytest
import typer

from rdo.cli import main as entry
from rdo.common.errors import InputError


def end_with(problem: BaseException, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """Run a command that raises ``problem`` and return its exit status."""
    app = typer.Typer()

    @app.command()
    def spoil() -> None:
        raise problem

    module = types.ModuleType("spoiling_command")
    module.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spoiling_command", module)
    monkeypatch.setattr(entry, "COMMANDS", {"spoil": "spoiling_command"})
    with pytest.raises(SystemExit) as caught:
        entry.main(["spoil"])
    return caught.value.code if isinstance(caught.value.code, int) else None


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "rdo: interrupted; what was finished is kept\n"),
        (InputError("No.", hint="Say yes."), 2, "rdo: No.\nSay yes.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/var/x"),
            1,
            "rdo: /var/x: No space left on device\n",
        ),
        (typer.Exit(130), 130, ""),
        (typer.Exit(0), 0, ""),
    ],
    ids=["interrupt", "input", "disk", "a command's own status", "well"],
)
def test_ends(
    problem: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end_with(problem, monkeypatch) == status
    assert capsys.readouterr().err == said


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        end_with(ZeroDivisionError(), monkeypatch)


def test_reader_that_goes_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", (tmp_path / "out").open("w"))
    monkeypatch.setattr(sys, "stderr", (tmp_path / "err").open("w"))
    assert end_with(BrokenPipeError(errno.EPIPE, "Broken pipe"), monkeypatch) == 1
