"""Summaries and descriptions: upstream's words, in the form that RPM and rpmlint want.

They are plain text here; what makes lines of a spec of them escapes it.
"""

from __future__ import annotations

import re
import textwrap

from rdo.common.text import plain
from rdo.packaging.spec_quoting import begins_with_a_word_of_rpms
from rdo.upstream.models import Metadata

WIDTH = 79  # rpmlint's limit for lines of a summary or description
_MARKUP = re.compile(r"^(\.\.|[-=~^*+#`\"']{3,}|:\w|\||<|!?\[|>>>|\$ |```|\d+\.|[*+-] )")


def summary_of(metadata: Metadata, stated: str | None = None) -> str:
    """Return one line of at most 79 characters without a full stop at its end.

    :param stated: a packager's own words
    """
    text = plain(stated or metadata.summary or "")
    if not text or text.upper() == "UNKNOWN":
        text = f"{metadata.name} for Python"
    text = re.sub(r"[\s.\\]+$", "", text) or f"{metadata.name} for Python"
    if len(text) > WIDTH:
        first = re.split(r"(?<=\w)[.;:] |\s[-–—]+\s", text, maxsplit=1)[0]
        text = first if 10 <= len(first) <= WIDTH else textwrap.shorten(text, WIDTH, placeholder="")
        text = re.sub(r"[\s.,;:(\\-]+$", "", text)
    word = text.split()[0]
    # a name such as oslo.config keeps its spelling
    return text[0].upper() + text[1:] if word.islower() and word.isalpha() else text


def description_of(metadata: Metadata, stated: str | None = None) -> str:
    """Return a paragraph: the first prose of upstream's description, or its summary.

    :param stated: a packager's own words, any number of paragraphs
    """
    if stated:
        paragraphs = re.split(r"\n\s*\n", stated.strip())
        return "\n\n".join(wrapped(part) for part in paragraphs)
    summary = plain(metadata.summary) or metadata.name
    if summary.upper() == "UNKNOWN":
        summary = f"{metadata.name} for Python"
    text = plain(_first_prose(metadata.description) or f"{summary.rstrip('. ')}.")
    if begins_with_a_word_of_rpms(text):
        text = f"{metadata.name}: {text}"
    return wrapped(text)


def wrapped(text: str) -> str:
    """Return one paragraph in lines that rpmlint accepts.

    None but the first begins with what RPM would take for its own; it stays with the word before it.
    """
    lines: list[str] = []
    for word in plain(text).split(" "):
        if lines and (begins_with_a_word_of_rpms(word) or len(lines[-1]) + 1 + len(word) <= WIDTH):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


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
