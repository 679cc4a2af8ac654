from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cli.defaults import choose_platform, choose_release, open_distribution
from rdo.cli.installation import open_installation
from rdo.common.errors import InputError, UnknownNameError
from rdo.distribution.models import Release


def chosen(option: str | None, **environ: str) -> Release:
    installation = open_installation(environ)
    return choose_release(option, installation, open_distribution(installation))


def test_the_newest_maintained_release() -> None:
    assert chosen(None).phase == "maintained"


def test_option_before_settings() -> None:
    assert chosen("2025.2", RDO_RELEASE="2026.1").series == "2025.2"
    assert chosen(None, RDO_RELEASE="2025.2").series == "2025.2"
    with pytest.raises(UnknownNameError):
        chosen("2026.7")


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
    distribution = open_distribution(open_installation({}))
    release = distribution.release("2026.1")
    assert choose_platform(None, release, distribution, os_release=tmp_path / "os-release").name == name


def test_platforms_that_are_not_there_or_not_for_the_release() -> None:
    distribution = open_distribution(open_installation({}))
    release = distribution.release("2026.1").model_copy(update={"platforms": ("debian13",)})
    with pytest.raises(InputError, match="not made for el10"):
        choose_platform("el10", release, distribution)
    with pytest.raises(UnknownNameError):
        choose_platform("debian14", release, distribution)
