"""Text of others in specs: quoted where a line is made, and refused where it would be more than its place."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from rdo.packaging.spec import generate
from rdo.packaging.spec_model import SpecError
from rdo.packaging.spec_quoting import Heading, guarded, listed_path, literal, meant, shell_word
from tests.unit.packaging.recorded_packages import inputs_of


@pytest.mark.parametrize(
    "line",
    [
        "a\nb",
        "a\x00b",
        "a\x1b[2J",
        "a\x0bb",
        "a\u2028b",
        "%post",
        "%POST -n x",
        "%post\tx",
        "%end",
        "%%install x",
        " %%include /etc/passwd",
        "%include /etc/passwd",
        Heading("%nothing"),
        Heading("%files\n%post"),
    ],
)
def test_lines_that_would_be_more_than_they_are_meant_to_be_are_refused(line: str) -> None:
    with pytest.raises(SpecError, match="A line of the spec"):
        list(guarded([line]))


def test_lines_that_are_what_they_are_meant_to_be_pass() -> None:
    lines = [
        Heading("%files -n x"),
        "%config(noreplace) /etc/x",
        "%if 1",
        "%postun_x",
        "\techo 100%%",
        "Größe",
    ]
    assert list(guarded(lines)) == lines


def test_a_name_that_got_past_all_checks_begins_no_section() -> None:
    inputs = inputs_of("tomlkit")
    metadata = inputs.metadata.model_construct(
        **{**dict(inputs.metadata), "console_scripts": {"x\n%post\ntouch /x": "tomlkit:api"}}
    )
    with pytest.raises(SpecError, match="line break"):
        generate(replace(inputs, metadata=metadata))


def test_words_of_the_shell_and_of_rpm() -> None:
    assert literal("100% %{nil} \\%{x") == "100%% %%{nil} \\%{nil}%%{x"
    for text in ("100% %{nil} \\%{x", "\\\\%%", "%%%", "\\"):
        assert meant(literal(text)) == text
    assert shell_word("it's 5%") == shlex.quote("it's 5%").replace("%", "%%")
    assert listed_path("""a b/[c]{d}*?"'\\%.txt""") == r"a\ b/\[c\]\{d\}\*\?\"\'\\%%.txt"
