from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cli.defaults import choose_platform, choose_release, open_distribution
from rdo.common.errors import InputError, UnknownNameError


def test_the_newest_maintained_release() -> None:
    assert choose_release(None, environ={}).phase == "maintained"


def test_option_before_environment() -> None:
    assert choose_release("2025.2", environ={"RDO_RELEASE": "2026.1"}).series == "2025.2"
    assert choose_release(None, environ={"RDO_RELEASE": "2025.2"}).series == "2025.2"
    with pytest.raises(UnknownNameError):
        choose_release("2026.7", environ={})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="10"\n', "el10"),
        ('ID="rhel"\nVERSION_ID="10.1"\n', "el10"),
        ("ID=debian\nVERSION_ID=12\n", "debian13"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian13"),
        ("", "debian13"),
    ],
)
def test_the_platform_of_the_machine(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "os-release").write_text(text)
    release = choose_release("2026.1")
    assert choose_platform(None, release, os_release=tmp_path / "os-release").name == name


def test_platforms_that_are_not_there_or_not_for_the_release() -> None:
    distribution = open_distribution()
    release = distribution.release("2026.1").model_copy(update={"platforms": ("debian13",)})
    with pytest.raises(InputError, match="not made for el10"):
        choose_platform("el10", release, distribution)
    with pytest.raises(UnknownNameError):
        choose_platform("debian14", release, distribution)
