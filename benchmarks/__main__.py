"""The command line: ``python -m benchmarks NAME…``, or ``benchmarks/run NAME…``."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import Result, accounted, load, machine, today
from benchmarks.places import Bench
from benchmarks.results import cells, save, saved, update_readme
from rdo.cli.show import OUT, print_json, progress, table
from rdo.common.errors import RdoError, UnknownNameError

#: Benchmark -> rounds where nobody says otherwise; each is a module with a ``TITLE`` and a ``run``.
NAMES = {
    "builds": 3,
    "rerun": 5,
    "resolution": 5,
    "roots": 1,
    "publication": 3,
    "phases": 3,
    "distribution": 2,
}


def measure(
    names: Annotated[list[str], typer.Argument(help=f"Which: {', '.join(NAMES)}, or all.")],
    rounds: Annotated[
        int | None, typer.Option("--rounds", "-n", min=1, help="How often each thing is measured.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[
        bool, typer.Option("--save", help="Write results/NAME.json and the tables of README.md anew.")
    ] = False,
) -> None:
    """Measure the factory's parts against the plain tools that they stand for, as ratios within one run.

    Nothing here passes or fails by the clock. Run it as root, on a machine that has nothing else to do;
    caches are taken from the installation (RDO_HOME, RDO_CACHE).

    Examples: benchmarks/run builds · benchmarks/run phases --json · benchmarks/run all --save
    """
    chosen = list(NAMES) if names == ["all"] else names
    for name in chosen:
        if name not in NAMES:
            raise UnknownNameError("benchmark", name, [*NAMES, "all"])
    bench = Bench.open()
    results = []
    for name in chosen:
        result = _measured(name, bench, rounds or NAMES[name])
        results.append(result)
        if keep:
            save(result)
            update_readme(saved(list(NAMES)))
        if not as_json:
            _show(result)
    if as_json:
        print_json(results)


def _measured(name: str, bench: Bench, rounds: int) -> Result:
    module = importlib.import_module(f"benchmarks.{name}")
    before = load()
    with progress() as report, accounted():
        rows, remarks = module.run(bench, rounds, report)
    return Result(
        name=name,
        title=module.TITLE,
        date=today(),
        commit=_commit(),
        machine=machine(before),
        rounds=rounds,
        rows=tuple(rows),
        remarks=tuple(remarks),
    )


def _show(result: Result) -> None:
    shown = table(
        f"\n{result.name}: {result.title}", "what", "seconds", "processor s", "ratio", "goal", "remark"
    )
    for row in result.rows:
        shown.add_row(*cells(row))
    OUT.print(shown)
    for remark in result.remarks:
        OUT.print(remark, markup=False)
    size = f"{result.machine.memory_gib:g} GiB, {result.machine.system}, Linux {result.machine.kernel}"
    OUT.print(f"{result.rounds} rounds, medians; {result.machine.conditions}, {size}")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Run the command line and exit as ``rdo`` does."""
    try:
        typer.run(measure)
    except RdoError as error:
        print(f"benchmarks: {error.diagnostics()}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
