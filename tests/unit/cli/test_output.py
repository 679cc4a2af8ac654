"""What commands print, when a part of it was written by somebody else."""

from __future__ import annotations

import ast
import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from rdo.cli import main as entry
from rdo.cli import show
from rdo.cli.output import print, print_defect, print_error
from rdo.common.errors import RdoError
from rdo.common.text import is_visible

HOSTILE = "\x1b[2J\x1b]0;title\x07 [red]done[/red] \x1b[31mhere\u202e\x9b"
SHOWN = r"\x1b[2J\x1b]0;title\x07 [red]done[/red] \x1b[31mhere\u202e\x9b"


def test_lines_show_control_characters_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print(HOSTILE, Path("/a\x1bb"), sep="\n")
    print(HOSTILE, 1, end="", file=sys.stderr)
    assert capsys.readouterr() == (f"{SHOWN}\n/a\\x1bb\n", f"{SHOWN} 1")


@given(st.text())
def test_whatever_text_a_table_has_nothing_steers_the_terminal(text: str) -> None:
    console = show.VisibleConsole(file=io.StringIO(), markup=False, highlight=False, width=100)
    made = show.table(text, "name")
    made.add_row(text)
    console.print(made)
    console.print(text)
    assert isinstance(console.file, io.StringIO)
    assert all(one in "\n\t" or is_visible(one) for one in console.file.getvalue())


def test_what_is_told_of_progress_is_text_and_no_markup() -> None:
    console = show.VisibleConsole(
        file=io.StringIO(), force_terminal=True, markup=False, highlight=False, width=400
    )
    with Bars(TextColumn("{task.description}"), console=console, auto_refresh=False) as bars:
        progress = show.LiveProgress(bars)
        progress.message(HOSTILE)
        with progress.task(f"Building {HOSTILE}") as task:
            task.describe(HOSTILE + "\nmore")
            bars.refresh()
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert SHOWN in text and "[red]done[/red]" in text
    # what is left is rich's own: colours, the cursor, erased lines
    assert not re.search(r"\x1b(?!\[(\?25[lh]|[0-9;]*m|[0-9]*[AK]))|\x07|\x9b|\x1b\[31m", text)


def test_errors_are_cut_and_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(f"it ended\n{HOSTILE}{'x' * 12_000}")
    text = capsys.readouterr().err
    assert text.startswith(f"rdo: it ended\n{SHOWN}xxx")
    assert len(text) < 1100 and "more characters)" in text


def test_tracebacks_of_defects_are_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        print_defect(type(error), error, error.__traceback__)
    assert f"ValueError: {SHOWN}\n" in capsys.readouterr().err


def test_an_error_of_a_command_goes_through_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def application(known: object) -> object:
        def run(**_: object) -> None:
            raise RdoError(f"The log says: {HOSTILE}")

        return run

    monkeypatch.setattr(entry, "application", application)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit):
        entry.main(["build"])
    assert capsys.readouterr().err == f"rdo: The log says: {SHOWN}\n"


COMMANDS = sorted(Path(entry.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", COMMANDS, ids=lambda path: path.stem)
def test_commands_print_in_no_other_way(module: Path) -> None:
    tree = ast.parse(module.read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    others = {"typer.echo", "typer.secho", "sys.stderr.write", "Console", "rich.print", "builtins.print"}
    if module.stem == "output":
        return
    assert not calls & others, "print with rdo.cli.output or rdo.cli.show"
    if "print" in calls:
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        named = {name.name for node in imports if node.module == "rdo.cli.output" for name in node.names}
        assert "print" in named, "from rdo.cli.output import print"
