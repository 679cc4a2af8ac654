from pathlib import Path

import pytest

from rdo.common.errors import DataError
from rdo.distribution.project_list import ListedProject, load_project_list


def problems(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    file = tmp_path / "list.json"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        load_project_list(file)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_a_list_and_the_names_in_it(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(
        '[\n\t{"project": "novaclient", "kind": "client", "more": 1,'
        ' "upstream": "https:\\/\\/example.org/x/python-novaclient"},\n'
        ' {"project": "hardware", "upstream": "https://example.org/y/hardware.git"}, {"project": "nova"}]'
    )
    found = load_project_list(file)
    assert [entry.names for entry in found] == [
        ("python-novaclient", "novaclient"),
        ("hardware",),
        ("nova",),
    ]
    assert found[0] == ListedProject(
        project="novaclient", kind="client", upstream="https://example.org/x/python-novaclient"
    )


def test_mistakes_come_together_with_their_lines(tmp_path: Path) -> None:
    assert problems(tmp_path, '[\n{"project": ""},\n{"component": "x"},\n{"project": 1}]') == [
        (2, "0.project: String should have at least 1 character"),
        (3, "'project' is missing"),
        (4, "2.project: Input should be a valid string"),
    ]
    assert problems(tmp_path, '[{"project": "a"},\n{"project": "a"}]') == [(2, "a is listed a second time")]


def test_what_is_no_list(tmp_path: Path) -> None:
    assert problems(tmp_path, '[{"project": "a"},\n nova]') == [(2, "no JSON: Expecting value")]
    assert len(problems(tmp_path, '{"project": "a"}')) == 1
    with pytest.raises(DataError, match="can't be read"):
        load_project_list(tmp_path / "absent.json")
