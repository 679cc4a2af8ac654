"""A sample of the distribution: packages are built, installed and upgraded from one series to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.flow import ALL_ROOMS, Flow
from tests.installation import Installation

pytestmark = pytest.mark.timeout(3600)

OLD, NEW = "2025.2", "2026.1"
# Services with and without a base package, one without oslo.config, a client, a plugin of tempest.
# The last three are what the older series' needs and the newer one's doesn't: both ship them.
SAMPLE = (
    "placement",
    "designate",
    "swift",
    "python-octaviaclient",
    "cinder-tempest-plugin",
    "os-client-config",
    "python-neutronclient",
    "tzdata",
)
FLOWS = (
    Flow(
        "distribution",
        "test_distribution",
        rooms=ALL_ROOMS,
        series=(OLD, NEW),
        services=("placement", "designate", "swift"),
        minutes=8,
    ),
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that has built and published the sample of two series."""
    installation = Installation.at(tmp_path_factory.mktemp("sample") / "home")
    for series in (OLD, NEW):
        made = installation.json("build", *SAMPLE, "--release", series, timeout=1800)
        assert made["counts"]["failed"] == made["counts"]["blocked"] == 0
        assert made["repository"]["changed"]
    yield installation
    installation.rdo("host", "destroy", "--yes", "trial")


def test_the_sample_is_clean(sample: Installation) -> None:
    for series in (OLD, NEW):
        found = sample.json("repo", "check", "--release", series)
        assert (found["findings"], found["damaged"]) == ([], [])


def test_every_package_of_the_sample_has_a_way_to_the_next_series(sample: Installation) -> None:
    found = sample.json("upgrade-path", OLD, NEW)
    assert found["findings"] == []
    upgraded = {old.rpartition("-")[0].rpartition("-")[0] for old, _ in found["upgraded"]}
    assert {"openstack-placement-api", "python3-swift", "python3-octaviaclient"} <= upgraded


def test_a_host_with_all_of_it_is_upgraded_by_dnf_and_in_order(sample: Installation) -> None:
    trial: dict[str, Any] = sample.json(
        "repo", "try", "--release", NEW, "--upgrade-from", OLD, "--keep", timeout=2400
    )
    assert {check["name"]: check["problems"] for check in trial["checks"] if check["problems"]} == {}
    assert len(trial["checks"]) == 6 and trial["packages"] > 50
    account = sample.rdo("host", "shell", "trial", "--", "stat", "-c", "%U %a", "/var/lib/swift")
    assert account.stdout.strip() == "swift 750"
