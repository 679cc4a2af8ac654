"""Ask the cloud's APIs which of their parts on all hosts are up; runs on the controller.

The job is JSON on descriptor 9: ``cloud`` (in clouds.yaml) and ``services``. One JSON line is printed
for each part: ``host``, ``name``, ``up``, ``since`` (ISO 8601, when it was last seen) and ``note``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import openstack


def main() -> int:
    """Print all parts; exit status 1 where the APIs could not be asked."""
    with os.fdopen(9) as file:
        job = json.load(file)
    cloud: Any = openstack.connect(cloud=job["cloud"])

    def tell(host: str, name: str, up: bool, since: object, note: str = "") -> None:
        print(json.dumps({"host": host, "name": name, "up": up, "since": str(since or ""), "note": note}))

    if "nova" in job["services"]:
        for one in cloud.compute.services():
            note = "" if one.status == "enabled" else f"disabled: {one.disabled_reason or 'no reason given'}"
            tell(one.host, one.binary, one.state == "up", one.updated_at, note)
    if "neutron" in job["services"]:
        for one in cloud.network.agents():
            note = "" if one.is_admin_state_up else "disabled"
            tell(one.host, one.agent_type, one.is_alive, one.last_heartbeat_at, note)
    if "cinder" in job["services"]:
        for one in cloud.block_storage.services():
            note = "" if one.status == "enabled" else f"disabled: {one.disabled_reason or 'no reason given'}"
            tell(one.host, one.binary, one.state == "up", one.updated_at, note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
