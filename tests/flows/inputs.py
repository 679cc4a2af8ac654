"""The inputs of a flow: the files that it stands on, each with its hash."""

from __future__ import annotations

import ast
import functools
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rdo.common.files import sha256_bytes, sha256_file
from tests.flows.flow import Flow
from tests.installation import CHECKOUT

#: What every flow stands on, beside the modules that its tests import.
EVERYWHERE = (
    "setup.sh",
    "requirements.lock",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/system/conftest.py",
)

_SERVICE = re.compile(r"^service:", re.MULTILINE)


def digest_of(inputs: Mapping[str, str]) -> str:
    """Return the SHA-256 of a flow's inputs."""
    return sha256_bytes("\n".join(f"{path} {digest}" for path, digest in sorted(inputs.items())).encode())


def inputs_of(flow: Flow, tree: Path = CHECKOUT) -> dict[str, str]:
    """Return what a flow stands on: path below the checkout -> SHA-256, and the machine's Python and system.

    Files that git ignores don't count.
    """
    files = tracked_files(tree)
    wanted = [
        *(f"src/rdo/{room}" for room in flow.rooms),
        *flow.documents,
        *EVERYWHERE,
        *_test_files(flow, tree),
    ]
    wanted += ["distribution/coverage.yaml", "distribution/licences.yaml", "distribution/platforms/debian13"]
    wanted += [f"distribution/releases/{series}." for series in flow.series]
    found = {path for path in files for prefix in wanted if _is_below(path, prefix)}
    found |= {path for path in files if _is_wanted_description(path, flow, tree)}
    inputs = {path: sha256_file(tree / path) for path in sorted(found)}
    inputs["(python)"] = platform.python_version()
    inputs["(system)"] = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return inputs


@functools.cache
def tracked_files(tree: Path) -> tuple[str, ...]:
    """Return the files of a checkout that git tracks or would track, as paths below it."""
    words = ["git", "-C", str(tree), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return tuple(sorted({path for path in done.stdout.split("\0") if path and (tree / path).is_file()}))


def _is_below(path: str, prefix: str) -> bool:
    # "releases/2026.1." and "platforms/debian13" are beginnings of names; anything else is a file or a folder
    return (
        path == prefix
        or path.startswith(f"{prefix}/")
        or (
            prefix.startswith(("distribution/releases/", "distribution/platforms/"))
            and path.startswith(prefix)
        )
    )


def _is_wanted_description(path: str, flow: Flow, tree: Path) -> bool:
    parts = path.split("/")
    if parts[:2] != ["distribution", "packages"] or len(parts) < 4:
        return False
    if flow.services is None or parts[2] in flow.services:
        return True
    return not _is_service(tree / "distribution/packages" / parts[2])


@functools.cache
def _is_service(folder: Path) -> bool:
    file = folder / "package.yaml"
    return file.is_file() and _SERVICE.search(file.read_text()) is not None


def _test_files(flow: Flow, tree: Path) -> list[str]:
    """Return the flow's module and the modules of ``tests`` that it imports, directly or not."""
    found: set[str] = set()
    waiting = [f"tests/system/{flow.module}.py"]
    while waiting:
        path = waiting.pop()
        if path in found or not (tree / path).is_file():
            continue
        found.add(path)
        waiting += [f"{name.replace('.', '/')}.py" for name in imported_modules(tree / path, "tests")]
    # how flows are chosen doesn't change what they do
    return sorted(path for path in found if not path.startswith("tests/flows/"))


def imported_modules(file: Path, package: str) -> set[str]:
    """Return the names below a package that a Python file imports, also within functions.

    ``from a import b`` gives ``a`` and ``a.b``, since ``b`` may be a module.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name == package or name.startswith(f"{package}.")}
