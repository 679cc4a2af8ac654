"""Lines of text for people, in which nothing steers a terminal.

Anybody may have written a name on an index, the log of a build or the answer of a host. So the commands print
through this module or ``rdo.cli.show``, and never by themselves.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from rdo.common.text import escaped, visible


def write(*lines: object) -> None:
    """Write results, a line each, on standard output. Control characters are shown as text."""
    for line in lines:
        print(escaped(str(line)))


def note(*lines: object) -> None:
    """Write what isn't a result, a line each, on standard error. Control characters are shown as text."""
    for line in lines:
        print(escaped(str(line)), file=sys.stderr)


def note_error(text: str) -> None:
    """Write an error; its long lines are cut, since they are most often another program's."""
    note(visible(f"rdo: {text}"))


def show_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the traceback of a defect of ours, as ``sys.excepthook`` does."""
    note(visible("".join(traceback.format_exception(kind, error, trace)).rstrip("\n")))
