"""Generated specs of very different upstream packages, compared with files that people have read.

``pytest tests/unit/packaging --update-golden`` writes them anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rdo.packaging.spec import generate
from tests.unit.packaging.recorded_packages import inputs_of, names

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", names())
def test_spec_is_the_golden_one(name: str, update_golden: bool) -> None:
    made = generate(inputs_of(name))
    file = GOLDEN / f"{name}.spec"
    if update_golden:
        file.write_text(made.text)
    assert made.text == file.read_text(), f"see the difference; {file.name} is renewed by --update-golden"


@pytest.mark.parametrize("name", names())
def test_same_inputs_same_bytes(name: str) -> None:
    assert generate(inputs_of(name)) == generate(inputs_of(name))


@pytest.mark.parametrize("name", names())
def test_build_requirements_are_those_of_the_text(name: str) -> None:
    made = generate(inputs_of(name))
    lines = made.text.splitlines()
    stated = [line.split(None, 1)[1] for line in lines if line.startswith("BuildRequires:")]
    assert stated == list(made.build_requires)
    if made.check_requires:
        start, end = lines.index("%if %{with check}"), lines.index("%endif")
        assert [line.split(None, 1)[1] for line in lines[start + 1 : end]] == list(made.check_requires)


def test_every_golden_file_has_its_package() -> None:
    assert sorted(file.stem for file in GOLDEN.glob("*.spec")) == names()


def test_where_a_source_lies_makes_no_difference() -> None:
    inputs = inputs_of("pbr")
    moved = generate(replace(inputs, source=Path("/elsewhere/pbr.tar.gz")))
    assert moved.text == generate(inputs).text
