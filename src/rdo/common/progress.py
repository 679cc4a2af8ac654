"""One protocol for telling people how far long work is; the command line shows it live."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """A piece of work of a known number of steps."""

    def advance(self, steps: int = 1) -> None:
        """Say that steps are done."""

    def describe(self, text: str) -> None:
        """Say what is going on within the task just now."""


class Progress(Protocol):
    """Where work reports to."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a task; ``total`` counts its steps, None where it is unknown."""

    def message(self, text: str) -> None:
        """Say one line that stays on the screen."""


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class SilentProgress:
    """Reports to nobody."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a task that nobody sees."""
        return nullcontext(_SilentTask())

    def message(self, text: str) -> None:
        """Say nothing."""
