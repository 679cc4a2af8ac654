"""Data of the roles that leave is removed, and nothing that another file system has there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.clearing import OWNED, places, require_unmounted
from rdo.cloud.topology import SERVICES
from rdo.common.errors import InputError
from tests.unit.cloud.test_operating import ONE, TWO, deployment

INSTANCES = "/var/lib/nova/instances"


def test_only_what_the_leaving_roles_own_is_removed(tmp_path: Path) -> None:
    first, second = deployment(tmp_path, ONE, TWO, services=SERVICES).plans
    assert places(second) == [INSTANCES, "/var/lib/nova/.ssh"]
    owned = places(first)
    assert {"/var/lib/glance/images", "/srv/node/data", "/var/lib/ceph/osd/ceph-0", "/var/lib/ironic"} <= {
        *owned
    }
    assert "/var/lib/ceph/mon/ceph-one" in owned, "a monitor of another name is not ours"
    assert not any("*" in place.replace("/var/lib/ovn/*.db", "") for place in owned)


def test_each_owner_is_a_step_of_a_plan(tmp_path: Path) -> None:
    """A role that is renamed would silently leave its data behind."""
    (whole,) = deployment(tmp_path, ONE, services=SERVICES).plans
    assert OWNED.keys() <= {step.id for step in whole.steps}


def test_what_is_mounted_is_named_with_what_to_do() -> None:
    require_unmounted([])
    with pytest.raises(InputError, match=r"two: /var/lib/nova/instances: /x") as caught:
        require_unmounted([f"two: {INSTANCES}: /x (nfs4 store:/nova)"])
    assert "--leave-mounted" in (caught.value.hint or "")
