"""Lines of text for people, in which nothing steers a terminal.

Anybody may have written a name on an index, the log of a build or the answer of a host. So commands print
with the ``print`` of this module, or with ``rdo.cli.show``; a test looks for other ways.
"""

from __future__ import annotations

import builtins
import sys
import traceback
from types import TracebackType
from typing import TextIO

from rdo.common.text import escaped, visible


def print(*values: object, sep: str = " ", end: str = "\n", file: TextIO | None = None) -> None:
    """Print as Python does, with control characters shown as text."""
    builtins.print(*(escaped(str(value)) for value in values), sep=sep, end=end, file=file)


def print_error(text: str) -> None:
    """Print an error on standard error. Its long lines are cut, since most are another program's."""
    print(visible(f"rdo: {text}"), file=sys.stderr)


def print_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a defect of rdo, as ``sys.excepthook`` does."""
    print(visible("".join(traceback.format_exception(kind, error, trace)).rstrip("\n")), file=sys.stderr)
