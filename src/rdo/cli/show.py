"""Showing things to people: progress on standard error, results and JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.segment import Segment
from rich.table import Table

from rdo.cli.output import print
from rdo.common.progress import Progress, Task
from rdo.common.text import escaped, plain, visible


class VisibleConsole(Console):
    """A console that shows control characters in texts as text; what it sends by itself moves and colours."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as any console does, and escape every piece of text of it."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped(segment.text), segment.style)


#: Tables are never cut to 80 columns when standard output is a file or a pipe. No text is taken for markup.
OUT = VisibleConsole(
    soft_wrap=True, width=None if sys.stdout.isatty() else 160, highlight=False, markup=False
)
ERR = VisibleConsole(stderr=True, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """Print a value (models, dictionaries, lists) as indented JSON on standard output."""
    print(json.dumps(_plain(value), indent=2, default=str))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def table(title: str | None, *columns: str) -> Table:
    """Return an empty table in the house's style; print it with ``OUT.print``."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column)
    return made


def markdown_row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table, whose cells are taken for what they are."""
    plain = (
        c.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for c in cells
    )
    return f"| {' | '.join(plain)} |"


class _LiveTask:
    def __init__(self, bars: Bars, identity: Any, title: str) -> None:
        self._bars, self._identity, self._title = bars, identity, title

    def advance(self, steps: int = 1) -> None:
        self._bars.advance(self._identity, steps)

    def describe(self, text: str) -> None:
        self._bars.update(self._identity, description=f"{escape(self._title)} [dim]{escape(plain(text))}")


class LiveProgress:
    """Bars that move, for a terminal."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Task]:
        """Show a bar for as long as the task lasts."""
        identity = self._bars.add_task(escape(title), total=total)
        try:
            yield _LiveTask(self._bars, identity, title)
        finally:
            self._bars.remove_task(identity)

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(visible(text))


class _LineTask:
    """Says only what is new, since a log file has no bars."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total, self._done = title, total, 0
        self._shown = 0

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        if self._total and self._done * 10 // self._total > self._shown:
            self._shown = self._done * 10 // self._total
            ERR.print(f"{self._title}: {self._done}/{self._total}")

    def describe(self, text: str) -> None:
        pass


class LineProgress:
    """Lines, for a log file or a pipe."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Task]:
        """Say when the task starts, and every tenth of it."""
        ERR.print(title)
        yield _LineTask(title, total)

    def message(self, text: str) -> None:
        """Print a line."""
        ERR.print(visible(text))


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield what work reports its progress to: bars on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=ERR, transient=True) as bars:
        yield LiveProgress(bars)
