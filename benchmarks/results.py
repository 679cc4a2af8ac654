"""Results: kept as JSON in ``results/``, shown as tables, and written into README.md."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.measure import Result, Row

FOLDER = Path(__file__).with_name("results")
README = Path(__file__).with_name("README.md")

_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def save(result: Result) -> Path:
    """Write a result's file and return its path."""
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / f"{result.name}.json"
    target.write_text(result.model_dump_json(indent=1) + "\n")
    return target


def saved(order: list[str]) -> list[Result]:
    """Return the results that there are files of, in an order of names."""
    files = [FOLDER / f"{name}.json" for name in order]
    return [Result.model_validate_json(file.read_bytes()) for file in files if file.exists()]


def update_readme(results: list[Result]) -> None:
    """Put the tables of results between the marks of README.md."""
    text = README.read_text()
    tables = "\n\n".join(markdown(result) for result in results)
    between = re.compile(f"{_BEGIN}.*{_END}", re.DOTALL)
    README.write_text(between.sub(lambda _: f"{_BEGIN}\n\n{tables}\n\n{_END}", text))


def markdown(result: Result) -> str:
    """Return a result as a heading, its conditions, a table and remarks."""
    machine = result.machine
    lines = [
        f"### {result.name}: {result.title}",
        "",
        f"{result.date}, commit {result.commit}, {result.rounds} rounds, medians; {machine.conditions}, "
        f"{machine.memory_gib:g} GiB, {machine.system}, Linux {machine.kernel}.",
        "",
        "| | seconds | processor seconds | ratio | goal | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [f"| {' | '.join(cells(one))} |" for one in result.rows]
    if result.remarks:
        lines += ["", *(f"- {remark}" for remark in result.remarks)]
    return "\n".join(lines)


def cells(row: Row) -> list[str]:
    """Return a row's columns as text: what, seconds, processor seconds, ratio, goal, remark."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} × {row.against}"
    goal = "" if row.goal is None else f"{row.goal:g} {'×' if row.goal_is == 'ratio' else 's'}"
    if row.met is not None:
        goal += ", met" if row.met else ", missed"
    return [row.what, _seconds(row.seconds), _seconds(row.cpu), ratio, goal, row.note]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"
