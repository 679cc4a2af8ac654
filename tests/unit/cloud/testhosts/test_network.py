from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.testhosts.network import SUBNET, Network, free_address
from rdo.common.errors import RdoError
from rdo.common.paths import Paths


def paths(state: str) -> Paths:
    return Paths(state=Path(state), cache=Path("/cache"), distribution=Path("/distribution"))


def test_addresses_begin_at_ten_and_fill_gaps() -> None:
    assert free_address([]) == "192.0.2.10"
    assert free_address(["192.0.2.10", "192.0.2.12"]) == "192.0.2.11"


def test_last_address_is_before_the_broadcast_address() -> None:
    taken = [str(SUBNET[number]) for number in range(10, 254)]
    assert free_address(taken) == "192.0.2.254"
    with pytest.raises(RdoError, match="taken"):
        free_address([*taken, "192.0.2.254"])


def test_installations_have_networks_of_their_own() -> None:
    one, other = Network.of(paths("/one")), Network.of(paths("/other"))
    assert one.namespace != other.namespace
    assert one == Network.of(paths("/one"))
    assert one.host_namespace("web").startswith(f"{one.namespace}-")
