"""No metadata changes the sections of a spec, its scriptlets, its macros, or how many files it lists."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings

from rdo.common.errors import RdoError
from rdo.packaging.spec_model import GeneratedSpec
from tests.hostile_sources import Case, cases, listed, macros, structure

_SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def made(case: Case) -> GeneratedSpec | None:
    """Return the spec; None where the source is refused, in words that fit a terminal."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return case.spec(Path(folder))
        except RdoError as error:
            text = error.diagnostics()
            assert all(one == "\n" or one.isprintable() for one in text), text
            return None


@_SETTINGS
@given(cases())
@example(Case({"command": "x\n%post\ntouch /tmp/was-here"}, is_service=False))
@example(Case({"summary": "%build a thing from parts", "description": ""}, is_service=False))
@example(
    Case(
        {"description": "%install is what this library calls its first phase here, and so on."},
        is_service=False,
    )
)
@example(Case({"summary": "ends in \\%{", "licence file": "%(touch was-here)"}, is_service=True))
@example(Case({"generated": "%(touch${IFS}/tmp/was-here)"}, is_service=True))
def test_no_metadata_changes_what_a_spec_consists_of(case: Case) -> None:
    spec = made(case)
    if spec is not None:
        compare(case, spec)


@_SETTINGS
@given(cases(refused=False))
def test_texts_and_names_of_files_never_keep_a_package_from_being_made(case: Case) -> None:
    spec = made(case)
    assert spec is not None
    compare(case, spec)


def compare(case: Case, spec: GeneratedSpec) -> None:
    twin = made(case.twin)
    assert twin is not None
    assert structure(spec.text) == structure(twin.text)
    assert macros(spec.text) == macros(twin.text)
    assert len(listed(spec.text)) == len(listed(twin.text))


def test_names_of_files_come_through() -> None:
    name = '[a] 50% {b}*? "q" $(x) `y` ;&|.txt'
    case = Case({"data": name, "licence file": "[1] 5%", "tests": "t [x]"}, is_service=False)
    spec = made(case)
    assert spec is not None
    paths = listed(spec.text)
    assert f"%{{_datadir}}/oslo.log/{name}" in paths
    assert "LICENSE.[1] 5%" in paths
    assert "%{python3_sitelib}/oslo_log/t [x]/tests" in paths
