"""Build a wheel by calling the project's PEP 517 backend in this very process: what ``pip wheel`` does around
it (an isolated environment, a resolver, metadata built twice) is not needed in a sealed root.

Runs inside the build root on the platform's Python, standard library only.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tomllib
from functools import reduce
from importlib import metadata
from pathlib import Path
from typing import Any

LEGACY = "setuptools.build_meta:__legacy__"


def main() -> None:
    """Build the wheel and print its name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True, help="folder that the wheel is written to")
    parser.add_argument("-C", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("source", type=Path, nargs="?", default=Path())
    arguments = parser.parse_args()
    arguments.wheels.mkdir(parents=True, exist_ok=True)
    wheels = arguments.wheels.resolve()
    os.chdir(arguments.source)
    backend, path = build_system(Path("pyproject.toml"))
    sys.path[:0] = [str(Path(folder).resolve()) for folder in path]
    sys.argv[:] = ["pyproject"]
    if not path:
        remember_entry_points()
    name = load(backend).build_wheel(str(wheels), config_settings(arguments.settings) or None)
    print(f"Wheel: {wheels / name}", flush=True)


def build_system(pyproject: Path) -> tuple[str, list[str]]:
    """Return the backend (module:object) and the folders it is looked for in first (PEP 517, PEP 518)."""
    if not pyproject.exists():
        return LEGACY, []
    table = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("build-system", {})
    return table.get("build-backend", LEGACY), table.get("backend-path", [])


def remember_entry_points() -> None:
    """Read the entry points of what is installed once; setuptools asks for them some fifteen times.

    Not for a project that brings its own backend: its entry points may come to be while it is built.
    """
    known: dict[tuple[str, ...], Any] = {}
    read: Any = metadata.entry_points

    def entry_points(**wanted: str) -> Any:
        path = tuple(sys.path)
        if path not in known:
            known[path] = read()
        return known[path].select(**wanted)

    vars(metadata)["entry_points"] = entry_points


def load(backend: str) -> Any:
    """Import a backend by its entry point."""
    module, _, attribute = backend.partition(":")
    loaded = importlib.import_module(module)
    return reduce(getattr, attribute.split("."), loaded) if attribute else loaded


def config_settings(given: list[str]) -> dict[str, str | list[str]]:
    """Return KEY=VALUE pairs as PEP 517 wants them: a list where a key comes more than once."""
    settings: dict[str, str | list[str]] = {}
    for item in given:
        key, _, value = item.partition("=")
        if key in settings:
            before = settings[key]
            settings[key] = [*(before if isinstance(before, list) else [before]), value]
        else:
            settings[key] = value
    return settings


if __name__ == "__main__":
    main()
