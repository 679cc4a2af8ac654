"""Secrets stay secrets in all that is made of them, and can't get into plain text by mistake."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from rdo.cloud.shell import Shell, sh
from rdo.cloud.texts import Text, fill, join, json_text, secrets_of

HUSH = Text.secret("hush")


class Holder(BaseModel):
    text: Text
    script: Shell = sh("true")


def test_a_secret_is_shown_hidden_and_revealed_whole() -> None:
    url = fill("db://%(user)s:%(secret)s@%(host)s:%(port)s", user="nova", secret=HUSH, host="h", port=3306)
    assert url.reveal() == "db://nova:hush@h:3306"
    assert url.shown() == "db://nova:***@h:3306"
    assert "hush" not in repr(url) + repr([url]) + repr({"x": url})
    assert HUSH.derive(str.upper).shown() == "***"
    assert url.derive(str.upper).shown() == "***"
    assert join(", ", ["a", HUSH]).shown() == "a, ***"
    assert secrets_of([url, HUSH.derive(str.upper)]) == ["HUSH", "hush"]


def test_a_text_can_not_be_put_into_a_plain_one() -> None:
    for wrong in (str, format, "{}".format, "x".__add__):
        with pytest.raises(TypeError):
            wrong(HUSH)  # type: ignore[arg-type]  # so do they
    with pytest.raises(TypeError):
        json.dumps({"x": HUSH})
    with pytest.raises(KeyError):
        fill("%(lacking)s")


def test_models_hide_secrets_and_keep_them() -> None:
    held = Holder(text=Text("a ", HUSH))
    assert "hush" not in repr(held) + held.model_dump_json() + str(held.model_dump())
    # as the pipe to the process that applies plans has it
    pieces = json.loads(json.dumps([list(piece) for piece in held.text.pieces]))
    assert Holder.model_validate({"text": pieces}) == held
    assert Holder.model_validate({"text": "plain"}).text.shown() == "plain"
    with pytest.raises(ValidationError):
        Holder.model_validate({"text": "plain", "script": "reboot"})
    with pytest.raises(ValidationError):
        Holder.model_validate({"text": "plain", "script": Text("reboot")})


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([None, 1]))
def test_json_has_each_value_back_and_no_secret(plain: str, secret: str, indent: int | None) -> None:
    value = {"a": [Text.secret(secret), plain, None, True], "b": {"c": Text(plain, Text.secret(secret))}}
    made = json_text(value, indent)
    assert json.loads(made.reveal()) == {"a": [secret, plain, None, True], "b": {"c": plain + secret}}
    if secret:
        assert json.loads(made.shown())["a"] == ["***", plain, None, True]


@given(st.lists(st.tuples(st.text("ab\n", max_size=5), st.booleans()), max_size=6))
def test_lines_are_those_of_the_text(pieces: list[tuple[str, bool]]) -> None:
    text = Text(*(Text.secret(value) if secret else value for value, secret in pieces))
    assert [line.reveal() for line in text.lines()] == text.reveal().split("\n")[: len([*text.lines()])]
    assert "\n".join(line.reveal() for line in text.lines()).rstrip("\n") == text.reveal().rstrip("\n")
