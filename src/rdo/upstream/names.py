"""Checked strings of what upstream states: names that become files, packages and lines of specs.

A source is whatever somebody uploaded. A name that isn't one is refused where it is read, with the source's
name, since nothing that is made of it later could be right.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, ValidationError

from rdo.common.text import escaped

_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_EXTRA = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]*")
_GENERATED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]*")


def check_project(text: str) -> str:
    """Return the name of a project as PEP 508 has it.

    :raises ValueError: it isn't one
    """
    return _checked(_PROJECT, text, "name of a project")


def check_extra(text: str) -> str:
    """Return the canonical name of an extra.

    :raises ValueError: it isn't one
    """
    return _checked(_EXTRA, text, "name of an extra")


def check_file(text: str) -> str:
    """Return the name of a command or a folder: letters, digits and ``_.+-@``, as it is a word everywhere.

    :raises ValueError: it isn't one
    """
    return _checked(_FILE, text, "plain name of a file")


def is_file(text: str) -> bool:
    """Return True for what :func:`check_file` returns."""
    return _FILE.fullmatch(text) is not None


def check_generated(text: str) -> str:
    """Return the path of a file that a generator makes; the same characters, and folders.

    :raises ValueError: it isn't one
    """
    return check_path(_checked(_GENERATED, text, "plain path"))


def check_path(text: str) -> str:
    """Return the path of a file, with any characters that are visible and none that leads outside.

    :raises ValueError: it isn't one
    """
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} isn't a path: it is empty or has a control character")
    if ".." in text.split("/"):
        raise ValueError(f"the path {text!r} leads outside of its folder")
    return text


def check_module(text: str) -> str:
    """Return the dotted name of a module.

    :raises ValueError: it isn't one
    """
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError(f"{text!r} isn't the name of a module")
    return text


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} isn't the {what}")
    return text


ProjectName = Annotated[str, AfterValidator(check_project)]
ExtraName = Annotated[str, AfterValidator(check_extra)]
FileName = Annotated[str, AfterValidator(check_file)]
GeneratedPath = Annotated[str, AfterValidator(check_generated)]
PathText = Annotated[str, AfterValidator(check_path)]
ModuleName = Annotated[str, AfterValidator(check_module)]


def mistakes(error: ValidationError) -> str:
    """Return what is wrong with the names of a source, a line for each."""
    rows = []
    for item in error.errors():
        place = " ".join(str(part) for part in item["loc"][:1]).replace("_", " ")
        rows.append(escaped(f"  {place}: {item['msg'].removeprefix('Value error, ')}"))
    return "\n".join(dict.fromkeys(rows))
