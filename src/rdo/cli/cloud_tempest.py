"""``rdo cloud verify --tempest``: upstream's tests, told as they run and as a table at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from rdo.cli.output import print

if TYPE_CHECKING:
    from rdo.cloud.deployment import Deployment
    from rdo.cloud.tempest import Result, TempestReport
    from rdo.common.progress import Progress, Task


def run(deployment: Deployment, *, regex: str | None, concurrency: int, as_json: bool) -> None:
    """Run them and show what was found; exit status 1 where a test failed or something is left.

    :raises InputError: the regular expression finds no test
    """
    from rdo.cli.defaults import open_distribution
    from rdo.cli.installation import open_installation
    from rdo.cli.show import print_json, progress
    from rdo.cloud.guestimage import ensure_guest_image
    from rdo.cloud.tempest import run_tempest
    from rdo.common.errors import InputError

    installation = open_installation()
    with progress() as report, ExitStack() as open_tasks:
        image = None
        if "nova" in deployment.site.cloud.services:
            image = ensure_guest_image(open_distribution(installation), installation, report)
        teller = _Teller(report, open_tasks, deployment.name)
        found = run_tempest(deployment, image, regex=regex, concurrency=concurrency, listener=teller)
    if not found.chosen:
        raise InputError(f"--regex {regex} finds no test of tempest's.")
    if as_json:
        print_json({**found.model_dump(mode="json"), "ok": found.ok})
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(1)


def require_regex(text: str) -> None:
    """Do nothing where a text is a regular expression.

    :raises InputError: it is none
    """
    from rdo.common.errors import InputError

    try:
        re.compile(text)
    except re.error as error:
        raise InputError(f"--regex {text}: {error}") from error


class _Teller:
    """Says on the screen what a run tells."""

    def __init__(self, report: Progress, open_tasks: ExitStack, name: str) -> None:
        self.report, self.open_tasks, self.name = report, open_tasks, name
        self.task: Task | None = None
        self.failed = 0

    def step(self, title: str) -> None:
        """Tell of a step that begins."""
        self.report.message(title)

    def count(self, number: int) -> None:
        """Open the bar of the tests."""
        self.task = self.open_tasks.enter_context(self.report.task(f"Tempest on {self.name}", number))

    def test(self, result: Result, settled: int) -> None:
        """Tell of a test that ended; of one that failed, why."""
        if self.task is None:
            return
        self.task.advance(settled)
        if result.failed:
            self.failed += 1
            self.report.message(f"FAILED {result.name}: {_last_line(result)}")
        self.task.describe(f"{self.failed} failed; {_short(result.name)}")


def _show(found: TempestReport) -> None:
    from rdo.cli.show import OUT, table

    shown = table(None, "tests of", "passed", "skipped", "failed", "seconds")
    for place, numbers in _by_place(found):
        shown.add_row(place, *numbers)
    OUT.print(shown)
    failures = table(None, "failed", "seconds", "")
    for one in found.failed:
        failures.add_row(one.name, f"{one.seconds:.1f}", _last_line(one))
    if found.failed:
        OUT.print(failures)
    print(f"{found.chosen} tests of OpenStack {found.series} on {found.cloud}, {found.seconds:.0f} s.")
    for what in found.left:
        print(f"In the cloud now, and not before: {what}")
    print(f"The results are in {found.folder}.")


def _by_place(found: TempestReport) -> Iterator[tuple[str, list[str]]]:
    """Yield rows of the table: ``api.compute`` and its like, and all together."""
    places: dict[str, list[Result]] = {}
    for one in found.results:
        words = (one.group or one.name).removeprefix("tempest.").split(".")
        places.setdefault(".".join(words[:2]) if words[0] == "api" else words[0], []).append(one)
    places = dict(sorted(places.items())) | {"all": list(found.results)}
    for place, results in places.items():
        passed = sum(one.status in ("success", "xfail") for one in results)
        skipped = sum(one.status == "skip" for one in results)
        failed = sum(one.failed for one in results)
        yield place, [str(passed), str(skipped), str(failed), f"{sum(one.seconds for one in results):.0f}"]


def _last_line(result: Result) -> str:
    lines = [line.strip() for line in result.words.splitlines() if line.strip()]
    return lines[-1][:300] if lines else result.status


def _short(name: str) -> str:
    return ".".join(name.rpartition(" (")[2].rstrip(")").split(".")[-2:])
