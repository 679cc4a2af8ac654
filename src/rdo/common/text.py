"""Text from outside, made fit to be shown: nothing in it may steer a terminal or hide what is written."""

from __future__ import annotations

import unicodedata

#: Characters of one line that are shown of text from outside; the rest is cut off.
LINE = 1000

# Control characters, directions of writing and other marks without a visible form, halves of pairs,
# private ones, and what separates lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_visible(character: str) -> bool:
    """Return True for a character that is seen where it is printed, or is a blank."""
    return unicodedata.category(character) not in _UNSEEN


def escaped(text: str) -> str:
    r"""Return text with everything that is not visible written as Python would: ``\x1b``.

    Line ends and tabs stay. Text that was escaped before stays what it is.

    >>> escaped("\x1b[2J done")
    '\\x1b[2J done'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in "\n\t" or is_visible(character) else _code(character) for character in text
    )


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def visible(text: str, *, line: int = LINE) -> str:
    """Return text as it may be shown in a terminal: escaped, its long lines cut.

    :param line: how many characters of a line are kept
    """
    return "\n".join(_cut(escaped(one), line) for one in text.split("\n"))


def printable(text: str, most: int = 300) -> str:
    r"""Return text of hostile origin as a part of a line: line ends and tabs are written out as well.

    >>> printable("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    return visible(text.replace("\n", r"\n").replace("\t", r"\t"), line=most)


def _cut(text: str, length: int) -> str:
    rest = len(text) - length
    return text if rest <= 0 else f"{text[:length]}… ({rest} more characters)"


def plain(text: str) -> str:
    """Return text on one line: what is not visible becomes a blank, and blanks are run together."""
    return " ".join("".join(one if is_visible(one) else " " for one in text).split())
