from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from rdo.common.errors import DataError
from rdo.distribution.models import Data
from rdo.distribution.names import VersionText
from rdo.distribution.yamlfile import load_yaml, parse_yaml, validate

FILE = Path("thing.yaml")


class Inner(Data):
    version: VersionText


class Thing(Data):
    name: str
    count: int = 0
    parts: dict[str, Inner] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()


def mistakes(text: str) -> list[tuple[int, str]]:
    with pytest.raises(DataError) as caught:
        validate(parse_yaml(text, FILE), Thing)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_good_file_becomes_the_model(tmp_path: Path) -> None:
    path = tmp_path / "thing.yaml"
    path.write_text("name: a\nparts:\n  x: {version: '1.0'}\ntags: [b, c]\n")
    assert load_yaml(path, Thing) == Thing(name="a", parts={"x": Inner(version="1.0")}, tags=("b", "c"))


def test_all_mistakes_come_together_with_their_lines() -> None:
    text = (
        "name: a\nnmae: b\ncount: many\nparts:\n  x:\n    version: '1.x'\n"
        "  y: {}\n  x: {version: '2'}\ntags: [a, 3]\n"
    )
    found = dict(mistakes(text))
    assert found[2] == "unknown key 'nmae'"
    assert found[3].startswith("count: ")
    assert found[6] == "parts.x.version: '1.x' is no version"
    assert found[7] == "'version' is missing"
    assert "second time (first in line 5)" in found[8]
    assert found[9].startswith("tags.1: ")
    assert len(found) == 6


def test_missing_key_of_the_top_is_a_mistake_of_the_file() -> None:
    assert mistakes("count: 1\n") == [(0, "'name' is missing")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: [a\n", 2, "no YAML"),
        ("name: a\n? [x]\n: b\n", 2, "plain word"),
        ("a: &x {b: 1}\nname: q\n<<: *x\n", 3, "merge keys"),
        ("a: &x {b: 1}\nname: *x\n", 2, "aliases"),
        ("name: a\n---\nname: b\n", 2, "one document"),
        ("name: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("name: 2026-02-31\n", 1, "day"),
        ("", 0, "empty"),
        ("- a\n", 0, "valid dictionary"),
    ],
)
def test_what_is_no_data_of_ours(text: str, line: int, words: str) -> None:
    found = mistakes(text)
    assert any(at == line and words in message for at, message in found), found


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        load_yaml(tmp_path / "absent.yaml", Thing)
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        load_yaml(tmp_path / "binary.yaml", Thing)


def test_deep_nesting_is_a_mistake_and_no_crash() -> None:
    parsed = parse_yaml("[" * 100_000, FILE)
    assert "nested too deeply" in parsed.problems[0].message


@given(st.text(max_size=60))
def test_any_text_is_read_or_has_problems(text: str) -> None:
    parsed = parse_yaml(text, FILE)
    assert all(problem.line >= 0 for problem in parsed.problems)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers(), min_size=1))
def test_each_key_has_its_own_line(values: dict[str, int]) -> None:
    text = "".join(f"'{key}': {value}\n" for key, value in values.items())
    parsed = parse_yaml(text, FILE)
    assert parsed.value == values
    assert [parsed.line((key,)) for key in values] == list(range(1, len(values) + 1))


def test_text_of_others_stays_text() -> None:
    parsed = parse_yaml("version: 1.10\nhash: 0000000000000000000000000000000000000001\n", FILE, as_text=True)
    assert parsed.value == {"version": "1.10", "hash": "0" * 39 + "1"}
