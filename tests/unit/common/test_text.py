"""Text from outside as it is shown."""

from __future__ import annotations

import pytest

from rdo.common.text import escaped, plain, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("left\rright\b\x7f", r"left\rright\x08\x7f"),
        ("\x9b2J and \x85", r"\x9b2J and \x85"),
        ("gpj.\u202eexe \u200b\u2028", r"gpj.\u202eexe \u200b\u2028"),
        ("Grüße 日本 🐧\u00a0", "Grüße 日本 🐧\u00a0"),
        ("\udc80", r"\udc80"),
    ],
)
def test_nothing_that_is_shown_steers_a_terminal(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown


def test_long_lines_are_cut_each() -> None:
    assert visible("x" * 12 + "\nshort", line=10) == f"{'x' * 10}… (2 more characters)\nshort"
    assert len(visible("y" * 12_000)) < 1100


def test_plain_text_is_one_line() -> None:
    assert plain("  a\n\x1bb\u2028 c\x00") == "a b c"
