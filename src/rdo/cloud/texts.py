"""Texts with secrets in them, which are known by their place: pieces that are plain, and pieces that aren't.

Whatever is made of a secret (a hash, a quoted form, a half) is a secret too. A text is shown with its secrets
hidden; it is revealed only where it is sent to a host. It can't be put into an f-string or turned into a
``str`` by mistake.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Self
from uuid import uuid4

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

#: What stands for a secret where a text is shown.
HIDDEN = "***"
_PLACE = re.compile(r"%\(([a-z_][a-z0-9_]*)\)s")


class Piece(NamedTuple):
    """A part of a text, and whether it is secret."""

    text: str
    secret: bool


class Text:
    """A text made of plain and secret pieces. It does not change."""

    __slots__ = ("pieces",)
    pieces: tuple[Piece, ...]

    def __init__(self, *parts: str | Text) -> None:
        found: list[Piece] = []
        for part in parts:
            found += [Piece(part, False)] if isinstance(part, str) else part.pieces
        self.pieces = tuple(piece for piece in found if piece.text)

    @classmethod
    def secret(cls, value: str) -> Text:
        """Return a text that is secret as a whole."""
        return Text._of([Piece(value, True)])

    @classmethod
    def _of(cls, pieces: Iterable[Piece]) -> Self:
        made = cls.__new__(cls)
        made.pieces = tuple(piece for piece in pieces if piece.text)
        return made

    def reveal(self) -> str:
        """Return the text with its secrets in clear, for a place that is itself secret."""
        return "".join(piece.text for piece in self.pieces)

    def shown(self) -> str:
        """Return the text with each secret hidden."""
        return "".join(HIDDEN if piece.secret else piece.text for piece in self.pieces)

    @property
    def secrets(self) -> list[str]:
        """The secret pieces, in clear."""
        return [piece.text for piece in self.pieces if piece.secret]

    def derive(self, function: Callable[[str], str]) -> Text:
        """Return what a function makes of the whole text: secret if anything in this one is."""
        return Text._of([Piece(function(self.reveal()), any(piece.secret for piece in self.pieces))])

    def each(self, function: Callable[[str], str]) -> Text:
        """Return the text with a function's result for each piece; what is plain stays plain."""
        return Text._of(Piece(function(piece.text), piece.secret) for piece in self.pieces)

    def lines(self) -> Iterator[Text]:
        """Yield the lines, without their ends; a secret of several lines is one secret in each."""
        rest: list[Piece] = []
        for piece in self.pieces:
            first, *others = piece.text.split("\n")
            rest.append(Piece(first, piece.secret))
            for line in others:
                yield Text._of(rest)
                rest = [Piece(line, piece.secret)]
        if last := Text._of(rest):
            yield last

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self._merged() == other._merged()

    def __hash__(self) -> int:
        return hash(self._merged())

    def _merged(self) -> tuple[Piece, ...]:
        found: list[Piece] = []
        for piece in self.pieces:
            if found and found[-1].secret == piece.secret:
                found[-1] = Piece(found[-1].text + piece.text, piece.secret)
            else:
                found.append(piece)
        return tuple(found)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown()!r})"

    def __str__(self) -> NoReturn:
        raise TypeError("a Text isn't a str: shown() hides its secrets, reveal() has them in clear")

    def __format__(self, _: str) -> NoReturn:
        raise TypeError("a Text can't be in an f-string: fill(), sh() and join() keep its secrets apart")

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.plain_serializer_function_ser_schema(cls.shown)
        )

    @classmethod
    def _read(cls, value: object) -> Self:
        """Read a field of a model: a text, a plain one, or pieces as :meth:`pieces` are in JSON."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and cls is Text:
            return cls(value)
        if isinstance(value, list | tuple):
            return cls._of(Piece(str(text), bool(secret)) for text, secret in value)
        raise ValueError(f"it should be a {cls.__name__}")


def fill(template: str, **values: str | int | Text) -> Text:
    """Return a template, without its common indentation, with a value at each ``%(name)s``.

    :raises KeyError: the template has a place without a value
    """
    return filled(template, {n: v if isinstance(v, Text) else Text(str(v)) for n, v in values.items()})


def filled(template: str, values: Mapping[str, Text]) -> Text:
    """Do what :func:`fill` does, with texts."""
    parts = _PLACE.split(textwrap.dedent(template))
    return Text(*(values[part] if number % 2 else part for number, part in enumerate(parts)))


def join(separator: str, parts: Iterable[str | Text]) -> Text:
    """Return texts with a separator between them."""
    found: list[str | Text] = []
    for part in parts:
        found += [separator, part] if found else ["", part]
    return Text(*found)


def json_text(value: object, indent: int | None = None) -> Text:
    """Return a value as JSON; the texts in it keep their secrets apart.

    :param value: of mappings, sequences and what JSON has itself, with :class:`Text` anywhere but as a key
    """
    found: dict[str, Text] = {}

    def stand_in(text: object) -> str:
        if not isinstance(text, Text):
            raise TypeError(f"{type(text).__name__} can't be in JSON")
        name = uuid4().hex
        found[name] = text.derive(lambda clear: json.dumps(clear)[1:-1])
        return name

    written = json.dumps(value, indent=indent, default=stand_in)
    if not found:
        return Text(written)
    parts = re.split(f"({'|'.join(found)})", written)
    return Text(*(found.get(part, part) for part in parts))


def secrets_of(texts: Iterable[Text]) -> Sequence[str]:
    """Return all secrets in texts as they are written there, line by line, the longest first."""
    lines = {line for text in texts for secret in text.secrets for line in secret.splitlines()}
    return sorted((line for line in lines if line.strip()), key=lambda line: (-len(line), line))
