"""Errors that explain themselves: what happened, where, and what to do about it.

Every error that a user can cause or mend derives from :class:`RdoError`. The command line prints
:meth:`RdoError.diagnostics` and exits with :attr:`RdoError.exit_status`; a traceback means a defect of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RdoError(Exception):
    """Something went wrong that a user can understand.

    :param what: one sentence saying what happened
    :param hint: what to do about it, if anything is known
    """

    exit_status = 1

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross process borders whole, whatever the constructors of subclasses take."""
        return _restored, (type(self), self.args), dict(self.__dict__)

    def diagnostics(self) -> str:
        """Return the text a user is shown."""
        return self.what if self.hint is None else f"{self.what}\n{self.hint}"


def _restored(kind: type[RdoError], arguments: tuple[Any, ...]) -> RdoError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


class InputError(RdoError):
    """The user's input is wrong; nothing was done. Exit status 2."""

    exit_status = 2


class UnknownNameError(InputError):
    """A name that nothing bears; says the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        nearest = difflib.get_close_matches(name, sorted(known), n=5, cutoff=0.5)
        hint = f"Nearest: {', '.join(nearest)}." if nearest else None
        super().__init__(f"There is no {kind} named {name!r}.", hint=hint)
        self.nearest: Sequence[str] = nearest


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a data file.

    ``line`` counts from 1; 0 means the file as a whole.
    """

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.message}"


class DataError(InputError):
    """Mistakes in data files, all that were found, each with its file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} mistake{'s' if count != 1 else ''} in the data:\n{lines}")
