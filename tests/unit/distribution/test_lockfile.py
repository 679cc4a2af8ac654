from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rdo.common.errors import DataError, RdoError
from rdo.distribution.listing import Listed
from rdo.distribution.lockfile import (
    ChangedSourceError,
    Sources,
    parse_lock,
    refresh,
    render_lock,
    sdist_of,
)
from rdo.distribution.models import SourceLock

from .upstream_data import FakeIndex, listed

FILE = Path("2026.1.lock")


def index() -> FakeIndex:
    return FakeIndex(
        {
            "a": [listed("a", "1.0"), listed("a", "1.1", sha256="1" * 64), listed("a", "1.0", sdist=False)],
            "b": [listed("b", "2.0", sdist=False)],
            "c": [listed("c", "3.0", yanked=True)],
        }
    )


PINS = [("a", "1.0"), ("a", "1.1"), ("b", "2.0"), ("c", "3.0"), ("d", "4.0")]


def test_refresh_finds_sdists_and_says_what_has_none() -> None:
    result = refresh(PINS, {}, index())
    assert set(result.sources) == {("a", "1.0"), ("a", "1.1"), ("c", "3.0")}
    assert result.missing == (("b", "2.0"), ("d", "4.0"))
    assert result.sources["a", "1.1"].filename == "a-1.1.tar.gz"


def test_lock_reads_back_the_same() -> None:
    sources = refresh(PINS, {}, index()).sources
    assert parse_lock(render_lock(sources), FILE) == sources


def test_known_lines_are_kept_and_not_looked_up() -> None:
    known = refresh([("a", "1.0")], {}, index()).sources
    again = index()
    result = refresh([("a", "1.0"), ("c", "3.0")], known, again)
    assert again.asked == ["c"]
    assert result.added == (("c", "3.0"),)


def test_changed_file_is_an_error_and_overwrites_nothing() -> None:
    known = refresh(PINS, {}, index()).sources
    other = FakeIndex(
        {**index().content, "a": [listed("a", "1.0", sha256="f" * 64), listed("a", "1.1", sha256="1" * 64)]}
    )
    with pytest.raises(ChangedSourceError, match=r"a 1\.0: locked"):
        refresh(PINS, known, other, again=True)


def test_each_name_is_reported_so_that_work_can_be_resumed() -> None:
    seen: list[int] = []

    def note(sources: Sources) -> None:
        seen.append(len(sources))

    refresh(PINS, {}, index(), each=note)
    assert seen == [2, 2, 3, 3]


def test_tar_gz_goes_before_zip() -> None:
    zipped = replace(listed("a", "1.0"), filename="a-1.0.zip", sha256="2" * 64)
    found = sdist_of("a", "1.0.0", [zipped, listed("a", "1.0")])
    assert found is not None
    assert found.filename == "a-1.0.tar.gz"


def test_all_mistakes_of_a_lock_come_together() -> None:
    good = f"{'0' * 64} 10 2026-01-01T00:00:00Z a-1.tar.gz a 1"
    text = "\n".join(
        [
            "# comment",
            good,
            good,
            "too short",
            good.replace("0" * 64, "xyz"),
            good.replace(" 10 ", " -1 "),
            good.replace("a-1.tar.gz", "../../etc/passwd"),
            good.replace(" a 1", " A_b 1"),
            good.replace(" a 1", " a one"),
        ]
    )
    with pytest.raises(DataError) as caught:
        parse_lock(text, FILE)
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5, 6, 7, 8, 9]


def test_a_failing_index_ends_the_work_and_keeps_what_was_found() -> None:
    class Failing(FakeIndex):
        def files(self, dist: str) -> Sequence[Listed]:
            if dist >= "b":
                raise RdoError("the index is gone")
            return super().files(dist)

    kept: list[Sources] = []
    with pytest.raises(RdoError, match="gone"):
        refresh(PINS, {}, Failing(index().content), jobs=1, each=lambda sources: kept.append(dict(sources)))
    assert [set(sources) for sources in kept] == [{("a", "1.0"), ("a", "1.1")}]


@pytest.mark.parametrize(
    "filename", ["a b.tar.gz", "-rf", "a%{x}.tar.gz", "a/b.tar.gz", ".a", "a\u00a0b.tar.gz"]
)
def test_file_names_of_an_index_are_one_word_everywhere(filename: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        SourceLock(dist="a", version="1", filename=filename, sha256="0" * 64, size=1, uploaded="")
