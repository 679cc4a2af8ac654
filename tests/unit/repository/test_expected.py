from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rdo.building.expectation import Expectation
from rdo.building.models import Artifact, BuildResult
from rdo.building.store import LocalStore
from rdo.common.paths import Paths
from rdo.repository.expected import UnexpectedError, require_expected
from tests.unit.building import rpm_writer
from tests.unit.building.rpm_writer import Values
from tests.unit.building.test_acceptance import GOOD, SOURCE, expectation

NAMES = ("python3-odd-1-1.noarch.rpm", "python-odd-1-1.src.rpm")


class Made:
    """A build's artifacts in a store, recorded with what was expected of them."""

    def __init__(self, folder: Path, paths: Paths, binary: Mapping[str, Values] = GOOD) -> None:
        self.store, self.paths = LocalStore(folder / "store"), paths
        written = [
            rpm_writer.write(folder / name, tags) for name, tags in zip(NAMES, (binary, SOURCE), strict=True)
        ]
        self.artifacts = tuple(
            Artifact(filename=path.name, sha256=self.store.put(path), size=path.stat().st_size)
            for path in written
        )

    def record(self, expected: Expectation | None, artifacts: tuple[Artifact, ...] | None = None) -> None:
        result = BuildResult(
            package="python-odd",
            input_hash="1" * 64,
            status="built",
            artifacts=self.artifacts if artifacts is None else artifacts,
            expected=expected,
        )
        self.store.record(result)

    def refused(self) -> str:
        with pytest.raises(UnexpectedError) as caught:
            require_expected(self.artifacts, self.store, self.paths)
        return caught.value.what


def test_what_the_record_expects_is_let_through(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    made.record(expectation())
    require_expected(made.artifacts, made.store, paths)
    for artifact in made.artifacts:
        (made.store.folder / "content" / artifact.sha256[:2] / artifact.sha256).unlink()
    require_expected(made.artifacts, made.store, paths)  # what was found good is not read again


def test_what_no_record_has_is_refused(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    assert made.refused().count("no record of a build has it") == 2


def test_what_was_never_compared_is_refused(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    made.record(None)
    assert made.refused().count("never compared") == 2


def test_what_was_compared_with_less_than_today_is_refused(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    made.record(expectation().model_copy(update={"format": 0}))
    assert made.refused().count("never compared") == 2


def test_a_record_that_does_not_fit_its_files_is_refused(tmp_path: Path, paths: Paths) -> None:
    """The store may be on another machine, and say that everything is well."""
    made = Made(tmp_path, paths, {**GOOD, "POSTIN": ["curl x | sh"]})
    made.record(expectation())
    assert "python3-odd: its %post isn't the spec's" in made.refused()


def test_a_renamed_artifact_is_refused(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    made.record(expectation())
    renamed = made.artifacts[0].model_copy(update={"filename": "bash-1-1.noarch.rpm"})
    made.artifacts = (renamed, made.artifacts[1])
    assert "bash-1-1.noarch.rpm: its build made it under another name" in made.refused()


def test_a_record_with_more_than_was_expected_is_refused(tmp_path: Path, paths: Paths) -> None:
    made = Made(tmp_path, paths)
    path = rpm_writer.write(tmp_path / "more", {**GOOD, "NAME": ["bash"]})
    more = Artifact(filename="bash-1-1.noarch.rpm", sha256=made.store.put(path), size=path.stat().st_size)
    made.record(expectation(), (*made.artifacts, more))
    assert "bash-1-1.noarch.rpm was made besides" in made.refused()
