"""Scripts for bash: values get into them only quoted.

:func:`sh` takes a script that stands in the code, and the values for its places. The type :class:`Shell` is
what steps and hosts take, so that no script is put together in another way; a test reads the code and sees
that each template is a constant.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import TypeAlias

from rdo.cloud.texts import Text, filled, join

Word: TypeAlias = str | int | Text | IPv4Address | IPv6Address | IPv4Interface


class Shell(Text):
    """A bash script or a part of one. :func:`sh` makes it."""

    __slots__ = ()

    @classmethod
    def trusted(cls, script: str | Text) -> Shell:
        """Take a text for a script as it is: of the distribution's own data, or of our own programs."""
        return cls._of(Text(script).pieces)


def sh(template: str, **values: Word | Sequence[Word] | Shell) -> Shell:
    """Return a script, without its common indentation, with a value at each ``%(name)s``.

    A value is one word whatever is in it, a sequence as many words; a :class:`Shell` stands as it is. A place
    must not be in quotes, since it has its own.

    :param template: a constant
    """
    return Shell.trusted(filled(template, {name: _quoted(value) for name, value in values.items()}))


def lines(parts: Iterable[Shell]) -> Shell:
    """Return scripts one after the other."""
    return Shell.trusted(join("\n", parts))


def both(first: Shell, *others: Shell, by: str = " && ") -> Shell:
    """Return commands joined by an operator of the shell."""
    return Shell.trusted(join(by, [first, *others]))


def pattern(place: str) -> Shell:
    """Return a pattern of files: a ``*`` is for the shell to match, all else is taken as it is."""
    return Shell.trusted("*".join(shlex.quote(part) if part else "" for part in place.split("*")))


def here(content: str | Text) -> Shell:
    """Return a here-document, which stands at the end of its line and is taken as it is.

    :raises ValueError: its last line is within the content
    """
    text = Text(content)
    clear = text.reveal()
    if _END in clear.splitlines():
        raise ValueError(f"a line of a here-document is {_END}")
    return Shell.trusted(Text(f"<<'{_END}'\n", text, "" if clear.endswith("\n") else "\n", _END))


_END = "END_OF_TEXT"


def _quoted(value: Word | Sequence[Word] | Shell) -> Text:
    if isinstance(value, Shell):
        return value
    if isinstance(value, Text):
        return value.derive(shlex.quote)
    if isinstance(value, str) or not isinstance(value, Sequence):
        return Text(shlex.quote(str(value)))
    return join(" ", [_quoted(one) for one in value])
