"""Names that a repository is asked for, by the real data of the distribution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rdo.common.errors import InputError, UnknownNameError
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform, Release
from rdo.packaging.asked_names import index_name
from rdo.repository.wanted import shipped_names, wanted
from tests.unit.repository.test_contents import Site
from tests.unit.repository.test_contents import site as site

_DATA = Path(__file__).parents[3] / "distribution"


@pytest.fixture(scope="module")
def release() -> Release:
    return Distribution.load(_DATA).release("2026.1")


@pytest.fixture(scope="module")
def platform() -> Platform:
    return Distribution.load(_DATA).platform("debian13")


def _ask(site: Site, *names: str) -> None:
    site.publish(site.beside(*names), site.built("alpha"))


def test_names_are_kept_in_one_form(site: Site, release: Release, platform: Platform) -> None:
    _ask(site, "openstack-keystone", "oslo.config")
    found = wanted(site.repository, ["keystone", "python3-cliff"], release, platform)
    assert found.seen == ("openstack-keystone", "oslo.config")
    assert found.requested == found.built == ("cliff", "keystone", "oslo-config")
    assert shipped_names(site.repository, release, platform) == ("keystone", "oslo-config")


def test_the_form_of_names_is_stable(release: Release, platform: Platform) -> None:
    for names in (release.projects, release.pins):
        for name in names:
            once = index_name(name, release, platform)
            assert index_name(once, release, platform) == once


def test_only_says_what_goes(site: Site, release: Release, platform: Platform) -> None:
    _ask(site, "keystone", "cliff")
    found = wanted(site.repository, ["cliff"], release, platform, only=True)
    assert (found.requested, found.dropped) == (("cliff",), ("keystone",))


def test_what_is_shipped_no_more_stays_asked_for(site: Site, release: Release, platform: Platform) -> None:
    _ask(site, "keystone", "cliff")
    less = release.model_copy(update={"not_shipped": {"cliff": "for a test"}})
    found = wanted(site.repository, ["nova"], less, platform)
    assert found.requested == ("cliff", "keystone", "nova")
    assert (found.built, found.unshipped) == (("keystone", "nova"), ("cliff",))
    # who asks for it by name gets it
    assert wanted(site.repository, ["cliff"], less, platform).built == ("cliff", "keystone")


def test_unknown_names(site: Site, release: Release, platform: Platform) -> None:
    def refused(asked: Sequence[str]) -> InputError:
        with pytest.raises(InputError) as caught:
            wanted(site.repository, asked, release, platform)
        return caught.value

    assert isinstance(refused(["keystoen"]), UnknownNameError)
    _ask(site, "keystone", "gone-from-upstream", "gone-too")
    error = refused(["keystone"])
    assert "gone-from-upstream, gone-too" in error.what
    assert error.hint is not None and "rdo repo remove gone-from-upstream gone-too" in error.hint
    assert wanted(site.repository, ["keystone"], release, platform, only=True).dropped == (
        "gone-from-upstream",
        "gone-too",
    )
