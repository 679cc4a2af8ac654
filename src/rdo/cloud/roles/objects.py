"""What a new cloud offers from the start: flavors, the external network, a type of volumes."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep, Objects, Stage
from rdo.cloud.roles import ovn
from rdo.cloud.roles.node import CLOUD, Node
from rdo.cloud.texts import json_text

#: name, processors, MiB of memory, GiB of disk
_FLAVORS = (
    ("m1.nano", 1, 192, 1),
    ("m1.tiny", 1, 512, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
    ("m1.large", 4, 8192, 80),
)


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the step of a controller; nothing where there is neither network, compute nor volumes."""
    if not node.is_controller:
        return
    wanted: dict[str, object] = {}
    if node.has("nova"):
        wanted["flavors"] = [
            {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk} for name, vcpus, ram, disk in _FLAVORS
        ]
    if node.has("neutron"):
        wanted["networks"] = [_external(node)]
    if node.has("cinder"):
        backend = node.site.cloud.storage.volumes
        wanted["volume_types"] = [["default", {"volume_backend_name": backend}]]
    if wanted:
        yield Objects(
            id="objects",
            title="Flavors, external network, volume type",
            stage=Stage.OBJECTS,
            cloud=CLOUD,
            wanted=json_text(wanted),
        )


def _external(node: Node) -> dict[str, object]:
    external = node.site.cloud.external
    return {
        "name": external.name,
        "is_router_external": True,
        "provider_network_type": "flat",
        "provider_physical_network": ovn.PHYSICAL,
        "subnet": {
            "name": external.name,
            "ip_version": 4,
            "cidr": str(external.subnet),
            "gateway_ip": str(external.gateway),
            "is_dhcp_enabled": False,
            "allocation_pools": [{"start": str(external.first), "end": str(external.last)}],
        },
    }
