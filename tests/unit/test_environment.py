"""Settings are read once, by the command line: no module below it looks at the environment (decision 15)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "rdo"

#: What an access to the environment is called, of the module ``os`` (and of ``os.path`` and ``posixpath``).
READERS = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars"}

#: Programs that run in a sandbox or on a host: the environment there is the one that we give them.
ELSEWHERE = ("packaging/files/", "packaging/carried/", "building/files/", "cloud/remote/")

#: Modules that hand the environment on to a program or a library, and read no setting in it.
HANDING_ON = {
    "common/process.py": "programs get this process's environment, with more",
    "common/rpmlibrary.py": "librpm takes its configuration's place from a variable when it is loaded",
}


def accesses(source: str) -> Iterator[int]:
    """Yield the lines where a module looks at the environment, whatever it calls the modules for that."""
    tree = ast.parse(source)
    modules, names = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in ("os", "posix", "posixpath"):
                    modules.add((alias.asname or alias.name).split(".")[0])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("os", "posix"):
            for alias in node.names:
                if alias.name in READERS:
                    names.add(alias.asname or alias.name)
                    yield node.lineno
                elif alias.name == "path":
                    modules.add(alias.asname or alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in READERS and _base(node) in modules:
                yield node.lineno
        elif isinstance(node, ast.Name) and node.id in names:
            yield node.lineno


def _base(node: ast.Attribute) -> str | None:
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else None


def looked_at() -> dict[str, list[int]]:
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        name = file.relative_to(SOURCE).as_posix()
        if not name.startswith(("cli/", *ELSEWHERE)) and (lines := sorted(set(accesses(file.read_text())))):
            found[name] = lines
    return found


def test_only_the_command_line_reads_the_environment() -> None:
    wrong = {name: lines for name, lines in looked_at().items() if name not in HANDING_ON}
    assert not wrong, "take it from the installation's settings (rdo.common.settings)"


def test_exemptions_are_needed() -> None:
    assert HANDING_ON.keys() <= looked_at().keys()
    for folder in ELSEWHERE:
        assert (SOURCE / folder).is_dir()


@pytest.mark.parametrize(
    "source",
    [
        "import os\nx = os.environ['A']",
        "import os\nos.getenv('A')",
        "import os as o\nx = {**o.environ}",
        "from os import environ\n",
        "from os import getenv as g\ng('A')",
        "import os.path\nos.path.expandvars('$A')",
        "from os import path\npath.expandvars('$A')",
        "def f():\n    import os\n    return os.environb",
    ],
)
def test_every_way_to_read_is_found(source: str) -> None:
    assert list(accesses(source))


def test_words_are_no_access() -> None:
    assert not list(accesses("import os\nos.getpid()\nenviron = {}\nx.environ\n'os.environ'"))
