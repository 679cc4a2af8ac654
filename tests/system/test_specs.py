"""The specs of each series: all of them can be generated from upstream's sources."""

from __future__ import annotations

import pytest

from rdo.distribution.load import Distribution
from tests.flows.flow import FACTORY_ROOMS, Flow
from tests.installation import CHECKOUT, Installation

pytestmark = pytest.mark.timeout(3600)

SERIES = tuple(Distribution.load(CHECKOUT / "distribution").series())
FLOWS = (
    Flow(
        "specs",
        "test_specs",
        rooms=(*FACTORY_ROOMS, "cli"),
        series=SERIES,
        services=None,
        minutes=5,
    ),
)


@pytest.mark.parametrize("series", SERIES)
def test_every_spec_of_a_series_can_be_generated(
    series: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installation = Installation.at(tmp_path_factory.mktemp("specs") / "home")
    order = installation.json("build", "--all", "--release", series, "--dry-run", timeout=1800)
    assert len([step for layer in order["layers"] for step in layer]) > 200
