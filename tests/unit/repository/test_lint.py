"""What rpmlint says, sorted by package."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.common.errors import RdoError
from rdo.repository.lint import Remark, checked_all, sorted_by_package
from rdo.repository.metadata import RpmFile


def _rpm(filename: str) -> RpmFile:
    return RpmFile(path=Path("/r") / filename, filename=filename, sha256=filename, size=1)


def test_remarks_are_sorted_by_package() -> None:
    rpms = [_rpm("python3-a-b-1.0-1.deb13.noarch.rpm"), _rpm("a-1.0-1.deb13.src.rpm")]
    said = [
        "=== rpmlint session starts ===",
        "python3-a-b.noarch: E: zero-length /usr/share/a",
        "a.spec:12: W: no-%check-section",
        "a.src: W: strange-permission a.spec 600",
        "2 packages and 0 specfiles checked; 1 errors, 2 warnings",
    ]
    assert sorted_by_package(said, rpms) == {
        rpms[0].sha256: [Remark("python3-a-b.noarch", "E", "zero-length", "/usr/share/a")],
        rpms[1].sha256: [
            Remark("a.src", "W", "no-%check-section", ""),
            Remark("a.src", "W", "strange-permission", "a.spec 600"),
        ],
    }


@pytest.mark.parametrize(
    ("said", "complete"),
    [
        ("x.noarch: W: y\n2 packages and 0 specfiles checked; 1 errors, 2 warnings\n", True),
        ("===== 2 packages and 0 specfiles checked; 0 errors, has taken 0.5 s =====\n", True),
        ("1 packages and 0 specfiles checked; 0 errors, 0 warnings\n", False),
        ("x.noarch: W: spelling-error ('2 packages and 0 specfiles checked; 0 errors', 'x')\n", False),
        ("x.noarch: W: summary All packages and more\n", False),
        ("", False),
    ],
)
def test_only_rpmlint_s_own_count_says_that_it_came_to_its_end(said: str, complete: bool) -> None:
    """A package's summary was enough to make half of a report count as whole."""
    assert checked_all(said, 2) is complete


def test_a_remark_on_what_was_not_asked_about_is_an_error() -> None:
    with pytest.raises(RdoError, match=r"b\.noarch"):
        sorted_by_package(["b.noarch: E: no-binary"], [_rpm("a-1-1.noarch.rpm")])
