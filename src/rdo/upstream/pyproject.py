"""What a pyproject.toml says: the build system, PEP 621's table, and the tables of older backends."""

from __future__ import annotations

import ast
import tomllib
from typing import Any

from rdo.common.errors import RdoError
from rdo.upstream.models import BuildSystem

Table = dict[str, Any]

# Backends whose get_requires_for_build_wheel is known to add nothing but what this room reads itself
# (setup_requires for setuptools; hooks' dependencies for hatchling) or tools that are not Python's
# (ninja, patchelf, cmake, cargo: the platform's own, described as native requirements).
KNOWN_BACKENDS = frozenset(
    {
        "setuptools.build_meta",
        "setuptools.build_meta:__legacy__",
        "pbr.build",
        "hatchling.build",
        "flit_core.buildapi",
        "flit.buildapi",
        "poetry.core.masonry.api",
        "poetry.masonry.api",
        "pdm.backend",
        "pdm.pep517.api",
        "maturin",
        "mesonpy",
        "scikit_build_core.build",
        "uv_build",
        "poetry_dynamic_versioning.backend",
        # hatchling making itself: asks for its own runtime requirements
        "hatchling.ouroboros",
    }
)

# Backends whose PKG-INFO is made by the same code, from the same data, as the wheel's METADATA: what it says
# holds although its Metadata-Version may be older than 2.2.
DECLARATIVE_BACKENDS = frozenset(
    {
        "hatchling.build",
        "flit_core.buildapi",
        "flit.buildapi",
        "poetry.core.masonry.api",
        "poetry.masonry.api",
        "pdm.backend",
        "maturin",
        "mesonpy",
        "uv_build",
        "poetry_dynamic_versioning.backend",
    }
)

SETUPTOOLS_BACKENDS = frozenset({"setuptools.build_meta", "setuptools.build_meta:__legacy__", "pbr.build"})


def parse_pyproject(text: str | None, filename: str) -> Table:
    """Return a pyproject.toml as a mapping; empty where there is none.

    :raises RdoError: it isn't TOML
    """
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RdoError(f"{filename}: its pyproject.toml can't be read: {error}") from error


def build_system(pyproject: Table) -> BuildSystem:
    """Return the declared build system, or PEP 517's stand-in: setuptools, and wheel."""
    table = pyproject.get("build-system")
    if not isinstance(table, dict) or "requires" not in table:
        return BuildSystem(requires=("setuptools", "wheel"), declared=False)
    backend = str(table.get("build-backend", "setuptools.build_meta:__legacy__"))
    requires = _strings(table["requires"])
    if backend == "hatchling.build":
        requires += _hatch_dependencies(pyproject)
    elif backend == "pbr.build":
        requires.append("pbr")
    path = tuple(_strings(table.get("backend-path", [])))
    return BuildSystem(
        backend=backend,
        backend_path=path,
        requires=tuple(dict.fromkeys(requires)),
        # with backend-path and a known name a backend makes itself; another name there is a wrapper
        exact=backend in KNOWN_BACKENDS,
    )


def wrapped_backend(code: bytes) -> str | None:
    """Return the known backend that the code of another one imports.

    None where it says something of the hook for build requirements itself, or where it can't be read. Such
    code hands on what it doesn't change, so it has that backend's hook.
    """
    if b"get_requires_for_build_wheel" in code:
        return None
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            imported |= {node.module, *(f"{node.module}.{item.name}" for item in node.names)}
    known = sorted(imported & KNOWN_BACKENDS)
    return known[0] if len(known) == 1 else None


def _hatch_dependencies(pyproject: Table) -> list[str]:
    """Return what hatchling's build hooks ask for in its own tables."""
    found: list[str] = []
    build = subtable(pyproject, "tool", "hatch", "build")
    for section in (build, subtable(build, "targets", "wheel")):
        found += _strings(section.get("dependencies", []))
        for hook in subtable(section, "hooks").values():
            if isinstance(hook, dict) and hook.get("enable-by-default", True):
                found += _strings(hook.get("dependencies", []))
    return found


def scripts(pyproject: Table) -> dict[str, str]:
    """Return console scripts: PEP 621's, Poetry's or old flit's."""
    found = dict(subtable(pyproject, "project", "scripts"))
    found = found or dict(subtable(pyproject, "tool", "flit", "scripts"))
    for name, value in subtable(pyproject, "tool", "poetry", "scripts").items():
        if isinstance(value, str):
            found.setdefault(name, value)
        elif isinstance(value, dict) and value.get("type", "console") == "console":
            found.setdefault(name, str(value.get("reference", value.get("callable", ""))))
    return {str(name): str(value) for name, value in found.items() if value}


def entry_points(pyproject: Table) -> dict[str, dict[str, str]]:
    """Return entry points by group, console scripts left out."""
    found: dict[str, dict[str, str]] = {}
    for groups in (
        subtable(pyproject, "project", "entry-points"),
        subtable(pyproject, "tool", "poetry", "plugins"),
        subtable(pyproject, "tool", "flit", "entrypoints"),
    ):
        for group, entries in groups.items():
            if isinstance(entries, dict):
                found.setdefault(group, {}).update({str(k): str(v) for k, v in entries.items()})
    gui = subtable(pyproject, "project", "gui-scripts")
    if gui:
        found["gui_scripts"] = {str(k): str(v) for k, v in gui.items()}
    return found


def dynamic(pyproject: Table) -> frozenset[str]:
    """Return the fields that PEP 621's table leaves to the backend."""
    return frozenset(_strings(subtable(pyproject, "project").get("dynamic", [])))


def requirements(pyproject: Table) -> list[str] | None:
    """Return PEP 621's runtime requirements and those of the extras, None where they are dynamic."""
    project = subtable(pyproject, "project")
    if not project or {"dependencies", "optional-dependencies"} & dynamic(pyproject):
        return None
    found = _strings(project.get("dependencies", []))
    for extra, items in subtable(project, "optional-dependencies").items():
        found += [with_extra(item, extra) for item in _strings(items)]
    return found


def with_extra(requirement: str, extra: str, marker: str = "") -> str:
    """Return a requirement that holds only for an extra (and under a marker)."""
    body, separator, own = requirement.partition(";")
    # in "name @ url ; marker" the semicolon is set off by a blank
    markers = [part.strip() for part in (own if separator else "", marker) if part.strip()]
    if extra:
        markers = [f"({m})" if " or " in m else m for m in markers] + [f'extra == "{extra}"']
    return body.strip() + ("; " + " and ".join(markers) if markers else "")


def _strings(value: object) -> list[str]:
    """Return a list of strings.

    :raises RdoError: the value is something else
    """
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RdoError(f"In a pyproject.toml, {value!r} stands where a list of strings has to be.")
    return value


def subtable(table: Table, *names: str) -> Table:
    """Return a table within tables, empty where it (or one on the way) isn't there."""
    current: Any = table
    for name in names:
        current = current.get(name) if isinstance(current, dict) else None
    return current if isinstance(current, dict) else {}
