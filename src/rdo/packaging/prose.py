"""Summaries and descriptions: upstream's words, in the form that RPM and rpmlint want."""

from __future__ import annotations

import re
import shlex
import textwrap

from rdo.upstream.models import Metadata

WIDTH = 79  # rpmlint's limit for lines of a summary or description
_MARKUP = re.compile(r"^(\.\.|[-=~^*+#`\"']{3,}|:\w|\||<|!?\[|>>>|\$ |```|\d+\.|[*+-] )")


def escape(text: str) -> str:
    """Return text that RPM's macro expansion leaves alone."""
    return text.replace("%", "%%")


def quoted(name: str) -> str:
    """Return a file name of upstream's as one word of a spec's shell lines."""
    return escape(shlex.quote(name))


def summary_of(metadata: Metadata, stated: str | None = None) -> str:
    """Return one line of at most 79 characters without a full stop at its end.

    :param stated: a packager's own words
    """
    text = " ".join((stated or metadata.summary or "").split())
    if not text or text.upper() == "UNKNOWN":
        text = f"{metadata.name} for Python"
    text = re.sub(r"[\s.]+$", "", text)
    if len(text) > WIDTH:
        first = re.split(r"(?<=\w)[.;:] |\s[-–—]+\s", text, maxsplit=1)[0]
        text = first if 10 <= len(first) <= WIDTH else textwrap.shorten(text, WIDTH, placeholder="")
        text = re.sub(r"[\s.,;:(-]+$", "", text)
    word = text.split()[0]
    # a name such as oslo.config keeps its spelling
    return escape(text[0].upper() + text[1:] if word.islower() and word.isalpha() else text)


def description_of(metadata: Metadata, stated: str | None = None) -> str:
    """Return a paragraph: the first prose of upstream's description, or its summary.

    :param stated: a packager's own words, any number of paragraphs
    """
    if stated:
        paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", stated.strip())]
        return "\n\n".join(wrapped(part) for part in paragraphs)
    summary = " ".join(metadata.summary.split()) or metadata.name
    if summary.upper() == "UNKNOWN":
        summary = f"{metadata.name} for Python"
    return wrapped(_first_prose(metadata.description) or f"{summary.rstrip('. ')}.")


def wrapped(text: str) -> str:
    """Return one paragraph in lines that rpmlint accepts, safe from RPM's macro expansion."""
    lines = textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=True)
    return escape("\n".join(lines))


def _first_prose(text: str) -> str | None:
    """Find the first paragraph that is whole sentences and no markup; None where there is none."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\r", "")):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if not lines or any(_MARKUP.match(line) for line in lines):
            continue
        plain = _plain(" ".join(lines))
        if (
            50 <= len(plain) <= 700
            and plain.endswith(".")
            and not re.search(r"[<>|{}\\]|\]\(|https?:", plain)
        ):
            return plain
    return None


def _plain(text: str) -> str:
    """Take the commonest inline marks of reStructuredText and Markdown away."""
    text = re.sub(r"`([^`<]+?)\s*<[^>]+>`_{0,2}", r"\1", text)  # `text <target>`_
    text = re.sub(r":\w+:`([^`]+)`", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\[[^\]]*\]", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"`{1,2}([^`]+)`{1,2}_{0,2}", r"\1", text)
    text = re.sub(r"(?<!\w)[*_]{1,2}([^*_]+)[*_]{1,2}(?!\w)", r"\1", text)
    return " ".join(text.split())
