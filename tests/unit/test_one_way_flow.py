"""A room imports only rooms to its left (docs/decisions/0001)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "rdo"
FLOW = [
    "common",
    "state",
    "distribution",
    "upstream",
    "packaging",
    "building",
    "repository",
    "delivery",
    "cloud",
    "web",
    "cli",
]


def imported_rooms(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or ""]
            if node.module == "rdo":
                names = [f"rdo.{alias.name}" for alias in node.names]
        found |= {
            name.split(".")[1] for name in names if name.startswith("rdo.") and name != "rdo.__version__"
        }
    return found


@pytest.mark.parametrize("room", [r for r in FLOW if (SOURCE / r).is_dir()])
def test_room_imports_only_rooms_to_its_left(room: str) -> None:
    allowed = set(FLOW[: FLOW.index(room) + 1])
    wrong = {
        f"{file.relative_to(SOURCE)} imports {other}"
        for file in (SOURCE / room).rglob("*.py")
        for other in imported_rooms(file) - allowed
    }
    assert not wrong


def test_every_folder_is_a_known_room() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= set(FLOW)


def test_unit_tests_start_no_cluster() -> None:
    starting = re.compile(r"^ *from rdo\.building\.engine import .*DaskEngine", re.MULTILINE)
    assert [file for file in Path(__file__).parent.rglob("*.py") if starting.search(file.read_text())] == []
