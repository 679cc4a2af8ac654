r"""Text of others as parts of a spec: the one place that knows what RPM makes of which character.

RPM expands macros first and looks for sections and directives afterwards: a line ``%%install`` has become
``%install`` by then, and begins a section. So text of others never begins a line with ``%``. It doesn't begin
one with ``#`` either, since rpm 4.20 leaves such lines out. Tests ask the real rpm about all of this.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from rdo.common.text import is_visible, plain
from rdo.packaging.spec_model import SpecError

# Of a path in %files: what is a glob, a quote, or the end of the word.
_SPECIAL_IN_FILES = re.compile(r"""[\\*?\[\]{}"'\s]""")
_BEGINS_WITH_A_WORD_OF_RPMS = re.compile(r"\s*[%#]")
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
# RFC 3986's characters.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")

# build/parseSpec.c of rpm 4.20; it doesn't mind upper case.
_SECTIONS = """
    package description prep generate_buildrequires conf build install check clean files changelog end
    patchlist sourcelist sepolicy verifyscript pre post preun postun pretrans posttrans preuntrans postuntrans
    trigger triggerin triggerun triggerprein triggerpostun filetrigger filetriggerin filetriggerun
    filetriggerpostun transfiletrigger transfiletriggerin transfiletriggerun transfiletriggerpostun
"""
_SECTION = re.compile(rf"%({'|'.join(_SECTIONS.split())})(\s.*)?", re.IGNORECASE)
# rdo never begins a line with %%: after the expansion of macros its rest could be any directive.
_DIRECTIVE = re.compile(r"\s*%(?:%|include\b)", re.IGNORECASE)


class Heading(str):
    """The first line of a section of a spec. No other line may be one."""

    __slots__ = ()


def literal(text: str) -> str:
    r"""Return text that RPM's macro expansion leaves alone.

    rpm takes the character after a backslash for itself when it looks for the end of a macro, so that it
    would see one begin in ``\%%{``; an empty macro keeps them apart.
    """
    return text.replace("%", "%%").replace("\\%%", "\\%{nil}%%")


def meant(written: str) -> str:
    """Return the text that :func:`literal` wrote so."""
    return written.replace("\\%{nil}%%", "\\%%").replace("%%", "%")


def comment(text: str) -> str:
    """Return the line of a comment."""
    return f"# {literal(plain(text))}"


def shell_word(name: str) -> str:
    """Return a name as one word of a spec's shell lines."""
    return literal(shlex.quote(name))


def listed_path(path: str) -> str:
    r"""Return a path, or the end of one, as %files has it: blanks, quotes and globs mean themselves.

    RPM 4.19 and newer read backslashes so. The helper that writes lists of modules has the same rule
    (``files/pyproject_files.py``).

    >>> listed_path("a b[1].txt")
    'a\\ b\\[1\\].txt'
    """
    return _SPECIAL_IN_FILES.sub(r"\\\g<0>", path).replace("%", "%%")


def documents(names: Iterable[str]) -> list[str]:
    """Return names for ``%doc`` and ``%license``, without those that rpm 4.20 loses: with an apostrophe."""
    return [listed_path(name) for name in names if "'" not in name]


def package_name(name: str) -> str:
    """Return the name of a package.

    :raises SpecError: it can't be one
    """
    if not _PACKAGE.fullmatch(name):
        raise SpecError(f"{name!r} can't be the name of a package.")
    return name


def address(url: str) -> str | None:
    """Return a web page's address as the value of a tag; None if it isn't one."""
    return literal(url) if _URL.fullmatch(url) else None


def begins_with_a_word_of_rpms(text: str) -> bool:
    """Return True for text that can't begin a line: RPM would take it for its own."""
    return _BEGINS_WITH_A_WORD_OF_RPMS.match(text) is not None


def guarded(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a spec as they are.

    :raises SpecError: one of them is more than one line, has a control character, or begins a section or
        includes a file without being meant to
    """
    for line in lines:
        if not line.isprintable() and not all(one == "\t" or is_visible(one) for one in line):
            raise SpecError(f"A line of the spec has a line break or a control character: {line!r}")
        begins_section = _SECTION.fullmatch(line) is not None
        if begins_section != isinstance(line, Heading) or _DIRECTIVE.match(line):
            raise SpecError(f"A line of the spec would be taken for a section or a directive: {line!r}")
        yield line
