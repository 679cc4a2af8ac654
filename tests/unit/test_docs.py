"""The documentation: its links lead somewhere, its commands exist, its reference is the code's."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from rdo.cli.main import COMMANDS, application
from tests.unit.package_reference import reference
from tests.unit.settings_reference import settings_reference

TOP = Path(__file__).resolve().parents[2]
REFERENCE = TOP / "docs" / "packagers" / "package-yaml.md"
SETTINGS = TOP / "docs" / "release-engineers" / "index.md"

_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1``` *$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_MARKED = re.compile(r"(<!-- begin of the reference -->\n).*?(<!-- end of the reference -->)", re.DOTALL)
_CALL = re.compile(r"(?:^|\$ |\$\(|[;&|] )(?:[A-Z_]+=\S+ +)*rdo((?: +[^\s;|)&`]+)+)")
_SETTING = re.compile(r"[\"'](RDO_[A-Z_]+)[\"']")


def pages() -> list[Path]:
    """Return all pages of ours; what lies in hidden folders (.venv) is not."""
    found = []
    for folder, folders, files in os.walk(TOP):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return sorted(found)


PAGES = pages()


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


def without_code(text: str) -> str:
    return _SPAN.sub("", _FENCE.sub("", text))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, made as the usual renderers make them."""
    plain = (re.sub(r"[^\w\- ]", "", h.lower()) for h in _HEADING.findall(_FENCE.sub("", path.read_text())))
    return frozenset(heading.replace(" ", "-") for heading in plain)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target in _LINK.findall(without_code(page.read_text())):
        if re.match(r"\w+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        known = anchors(file) if file.suffix == ".md" and file.is_file() else frozenset()
        if not file.exists() or (anchor and anchor not in known):
            wrong.append(target)
    assert not wrong


def code_of(text: str) -> Iterator[str]:
    """Yield a page's code, line by line; continued lines are one."""
    blocks = [body for _, _, body in _FENCE.findall(text)]
    rest = _FENCE.sub("", text)
    blocks.append("\n".join(line for line in rest.splitlines() if line.startswith("    ")))
    blocks += _SPAN.findall(rest)
    for block in blocks:
        yield from block.replace("\\\n", " ").splitlines()


def commands_in(text: str) -> Iterator[str]:
    """Yield what is called as ``rdo …`` in a page's code."""
    for line in code_of(text):
        for found in _CALL.finditer(line.split(" # ")[0].strip()):
            yield found[1].strip()


@cache
def cli() -> Any:
    # Typer's own copy of click has the classes; they are looked at by what they have.
    return typer.main.get_command(application(COMMANDS))


def mistake_in(said: str) -> str | None:
    """Return what of a command does not exist, None where all does."""
    command = cli()
    for word in shlex.split(said):
        if word == "--":
            break
        if word.startswith("-"):
            option = word.partition("=")[0]
            known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
            if option not in known:
                return f"{command.name} has no {option}"
        elif hasattr(command, "commands"):
            if re.fullmatch(r"[A-Z…]+|…", word):
                break
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    said = sorted(set(commands_in(page.read_text())))
    wrong = {command: mistake for command in said if (mistake := mistake_in(command)) is not None}
    assert not wrong


def test_commands_are_found_at_all() -> None:
    text = (
        "Say `RDO_HOME=/x rdo host list`, not rdo.\n\n    rdo build nova --jobs 1   # rdo nothing\n\n"
        "```\n$ x=$(rdo key show)\nopenstack --os-cloud rdo token issue\n```\n"
    )
    assert sorted(commands_in(text)) == ["build nova --jobs 1", "host list", "key show"]
    assert mistake_in("host lost") == "host has no command lost"
    assert mistake_in("build nova --job 1") == "build has no --job"


def test_reference_of_package_yaml_is_the_models(update_golden: bool) -> None:
    text = REFERENCE.read_text()
    wanted = _MARKED.sub(lambda found: f"{found[1]}\n{reference()}\n\n{found[2]}", text)
    if update_golden:
        REFERENCE.write_text(wanted)
        return
    assert text == wanted, f"renew it: pytest {name_of(Path(__file__))} --update-golden"


def test_table_of_settings_is_the_models(update_golden: bool) -> None:
    text = SETTINGS.read_text()
    wanted = _MARKED.sub(lambda found: f"{found[1]}\n{settings_reference()}\n\n{found[2]}", text)
    if update_golden:
        SETTINGS.write_text(wanted)
        return
    assert text == wanted, f"renew it: pytest {name_of(Path(__file__))} --update-golden"


def test_every_setting_of_the_environment_is_documented() -> None:
    read = {
        name
        for file in (TOP / "src").rglob("*.py")
        for name in _SETTING.findall(file.read_text())
        # Variables that our own scripts get from us are no settings.
        if "cloud/operations" not in file.as_posix()
    }
    said = SETTINGS.read_text()
    assert not sorted(name for name in read if f"`{name}`" not in said)


def test_every_page_is_reachable() -> None:
    """A page that nothing links to is found by nobody."""
    seen: set[Path] = set()
    waiting = [TOP / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        for target in _LINK.findall(without_code(page.read_text())):
            if not re.match(r"\w+:", target) and target.partition("#")[0]:
                waiting.append((page.parent / target.partition("#")[0]).resolve())
    assert not sorted(
        name_of(page) for page in PAGES if page not in seen and page.is_relative_to(TOP / "docs")
    )
