"""A cloud whose images, volumes and disks are in a Ceph that somebody else looks after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.flow import ALL_ROOMS, CORE_SERVICES, Flow
from tests.installation import Installation, shared_cache
from tests.system.clouds import KnownCloud

# It boots two clouds; the paths that differ from those of a small Ceph are few.
pytestmark = [pytest.mark.timeout(3600), pytest.mark.long]

FLOWS = (
    Flow(
        "existing-ceph",
        "test_existing_ceph",
        rooms=ALL_ROOMS,
        services=CORE_SERVICES,
        minutes=30,
        likelihood=0.05,
    ),
)

STORE = "store"
_POOLS = {"images": "prod-images", "volumes": "prod-volumes", "disks": "prod-vms"}
_PREPARE = f"""
set -e
for pool in {" ".join(_POOLS.values())}; do
    ceph osd pool create $pool 8 8 --size 1 --yes-i-really-mean-it
    rbd pool init $pool
done
cd /root
images=', profile rbd-read-only pool={_POOLS["images"]}'
# Glance of the cloud that made this Ceph has an account of that name
ceph auth caps client.glance mon 'profile rbd' \\
    osd "profile rbd pool=images, profile rbd pool={_POOLS["images"]}"
ceph auth get client.glance -o ceph.client.glance.keyring
ceph auth get-or-create client.cinder mon 'profile rbd' \\
    osd "profile rbd pool={_POOLS["volumes"]}$images" -o ceph.client.cinder.keyring
ceph auth get-or-create client.nova mon 'profile rbd' \\
    osd "profile rbd pool=elsewhere$images" -o ceph.client.nova.keyring
# its monitors are for the hosts of that cloud alone until somebody lets others in
nft delete table inet rdo
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation.at(tmp_path_factory.mktemp("ceph") / "home", RDO_STORE=str(shared_cache() / "store"))
    try:
        words = ("--allinone", "--on-test-host", "--name", STORE, "--only", "glance")
        done = made.rdo("cloud", "up", *words, timeout=3000)
        assert done.returncode == 0, done.stdout + done.stderr
        made.on_host(STORE, _PREPARE)
        yield made
    finally:
        made.rdo("host", "destroy", "--all", "--yes")


@pytest.fixture(scope="module")
def file(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cloud's file that names the cluster, and its keyrings beside it."""
    folder = tmp_path_factory.mktemp("prod")
    for client in ("glance", "cinder", "nova"):
        name = f"ceph.client.{client}.keyring"
        (folder / name).write_text(installation.on_host(STORE, f"cat /root/{name}") + "\n")
    monitor = KnownCloud(installation, STORE).described()["hosts"][0]["address"]
    path = folder / "cloud.yaml"
    path.write_text(
        f"""\
name: prod
hosts:
- {{name: one, address: 192.0.2.10, roles: [controller, network, compute]}}
storage:
  cluster:
    fsid: {installation.on_host(STORE, "ceph fsid")}
    monitors: [{monitor}]
    keyrings: .
    pools: {{images: {_POOLS["images"]}, volumes: {_POOLS["volumes"]}, disks: {_POOLS["disks"]}}}
"""
    )
    return path


def test_a_client_without_rights_is_named_and_mended(installation: Installation, file: Path) -> None:
    done = installation.rdo("cloud", "up", str(file), "--on-test-host", timeout=1200)
    assert done.returncode == 1
    assert f"client.nova can't list the pool {_POOLS['disks']}" in done.stderr, done.stderr
    images = f"profile rbd-read-only pool={_POOLS['images']}"
    rights = f"profile rbd pool={_POOLS['disks']}, {images}"
    installation.on_host(STORE, f"ceph auth caps client.nova mon 'profile rbd' osd '{rights}'")
    again = installation.rdo("cloud", "up", str(file), "--on-test-host", timeout=1200)
    assert again.returncode == 0, again.stdout + again.stderr


def test_it_is_used_by_all_of_the_cloud(installation: Installation, file: Path) -> None:
    cloud = KnownCloud(installation, "prod-try")
    host = cloud.described()["hosts"][0]["name"]
    assert {"image", "server", "volume", "elsewhere", "snapshot", "clear"} <= cloud.verified()
    assert cloud.up() == {}
    assert cloud.on_host("ls /var/lib/ceph/mon /var/lib/ceph/osd 2>/dev/null || true", host) == ""
    client = "openstack --os-cloud rdo"
    cloud.on_host(f"{client} volume create --size 1 kept", host)
    ident = cloud.on_host(f"{client} volume show kept -f value -c id", host)
    assert f"volume-{ident}" in installation.on_host(STORE, f"rbd ls {_POOLS['volumes']}")
    # what is in its pools outlives the cloud, whose hosts' own data goes
    assert installation.rdo("cloud", "down", "prod-try", "--data", "--yes").returncode == 0
    assert f"volume-{ident}" in installation.on_host(STORE, f"rbd ls {_POOLS['volumes']}")
