"""The list of packages that a series no longer has."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.common.errors import DataError
from rdo.distribution.obsoletes import load_obsoletes, render_obsoletes


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "2026.1.obsoletes"
    packages = {"python3-vitrage": "1:15.0.0", "python3-oslo-messaging+kafka": "0:17.1~rc1"}
    file.write_text(render_obsoletes(packages))
    assert load_obsoletes(file) == packages
    assert load_obsoletes(tmp_path / "none") == {}


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "2026.1.obsoletes"
    file.write_text("# c\na 0:1\nb\na 0:2\nc 1\n")
    with pytest.raises(DataError) as caught:
        load_obsoletes(file)
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5]
