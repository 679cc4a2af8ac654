"""What waits has a limit of time: the code itself is read for what was called without one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import rdo

SOURCE = Path(rdo.__file__).parent
#: Who may wait without end: a person's shell; what runs in a sealed root, which has a limit as a whole; and
#: what the other side's end ends, which has one.
ENDLESS = {
    "cloud/testhosts/ssh.py: subprocess.run",
    "packaging/files/finish.py: subprocess.run",
    "cloud/remote/tempest.py: leash.over.wait",
}
STARTING = {"subprocess.run", "subprocess.check_output", "subprocess.check_call"}


def without_limit(text: str) -> Iterator[str]:
    """Yield the calls in a module's text that start a program, or wait for one, and say no limit."""
    tree = ast.parse(text)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "rdo.common.process"
        for alias in node.names
    }
    starting = STARTING | (imported & {"run"})
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        said = {keyword.arg for keyword in node.keywords} & {"timeout", None}
        waits = name.endswith((".wait", ".communicate")) and not node.args
        if (name in starting or waits) and not said:
            yield name


def test_what_has_no_limit_is_found() -> None:
    head = "from rdo.common.process import run\n"
    assert [*without_limit(head + "run(['true'])\nrun(['true'], timeout=2)")] == ["run"]
    assert [*without_limit("subprocess.run(['true'])\nchild.wait()\nchild.wait(5)\nself.run(1)")] == [
        "subprocess.run",
        "child.wait",
    ]


def test_programs_are_waited_for_within_a_limit() -> None:
    found = {
        f"{file.relative_to(SOURCE)}: {name}"
        for file in sorted(SOURCE.rglob("*.py"))
        for name in without_limit(file.read_text())
    }
    assert found == ENDLESS


def test_downloads_are_made_by_the_one_that_has_limits() -> None:
    """httpx limits each wait, and not the whole."""
    found = set()
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                *("httpx.get", "httpx.stream", "httpx.post", "httpx.request"),
                *("httpx.Client", "httpx.AsyncClient", "urllib.request.urlopen", "requests.get"),
            ):
                found.add(str(file.relative_to(SOURCE)))
    assert found == {"common/download.py"}
