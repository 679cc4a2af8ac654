"""Free a host of machines, or forget one that has left; runs on the controller.

The job is JSON on descriptor 9: ``cloud`` (in clouds.yaml), ``host``, ``patience`` (seconds for one machine)
and ``act``: ``look`` prints the machines on the host; ``free`` lets no further ones come and moves those that
are there to other hosts; ``evacuate`` has those of a dead host started elsewhere; ``forget`` removes the
host's services. A line is printed for each machine; exit status 1 where one could not be moved.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import openstack


class Leaving:
    """A host that leaves a cloud."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.host = job["host"]
        self.compute: Any = openstack.connect(cloud=job["cloud"]).compute
        self.network: Any = openstack.connect(cloud=job["cloud"]).network

    def machines(self) -> list[Any]:
        """Return the machines on the host, by name."""
        found = self.compute.servers(all_projects=True, compute_host=self.host)
        return sorted(found, key=lambda server: server.name)

    def services(self) -> list[Any]:
        """Return Nova's services on the host."""
        return [one for one in self.compute.services() if one.host == self.host]

    def close(self, *, dead: bool) -> None:
        """Let no further machines come; a dead host is said to be down, which moving them needs."""
        for service in self.services():
            self.compute.disable_service(service, disabled_reason="leaves the cloud")
            if dead:
                self.compute.update_service_forced_down(service, forced=True)

    def confirm(self) -> None:
        """End moves that an earlier run could not end: a stopped machine that has moved waits for a word."""
        for move in self.compute.migrations(host=self.host, status="finished"):
            server = self.compute.find_server(move.server_id, all_projects=True)
            if move.source_compute == self.host and server is not None and server.status == "VERIFY_RESIZE":
                self.compute.confirm_server_resize(server)
                print(f"{server.name} has moved to {move.dest_compute}", flush=True)

    def free(self) -> int:
        """Move all machines away; those that run keep running."""
        self.confirm()
        failed = 0
        for server in self.machines():
            try:
                if server.status == "ACTIVE":
                    self.compute.live_migrate_server(server, host=None, block_migration="auto")
                    self.wait(server, ("ACTIVE",))
                else:
                    self.compute.migrate_server(server)
                    self.wait(server, ("VERIFY_RESIZE",))
                    self.compute.confirm_server_resize(server)
                print(f"{server.name} moved to {self.compute.get_server(server.id).compute_host}", flush=True)
            except Exception as error:  # noqa: BLE001 - the others are to be moved all the same
                print(f"{server.name} ({server.id}) can't be moved: {error}", flush=True)
                failed += 1
        return failed

    def evacuate(self) -> int:
        """Have all machines started elsewhere; what was in their memory is lost."""
        failed = 0
        for server in self.machines():
            try:
                self.compute.evacuate_server(server, host=None)
                self.wait(server, ("ACTIVE", "SHUTOFF"))
                if server.status == "ACTIVE" and self.compute.get_server(server.id).status != "ACTIVE":
                    # from API version 2.95 on they are left stopped
                    self.compute.start_server(server)
                    self.wait(server, ("ACTIVE",))
                print(
                    f"{server.name} is at {self.compute.get_server(server.id).compute_host} now", flush=True
                )
            except Exception as error:  # noqa: BLE001 - the others are to be moved all the same
                print(f"{server.name} ({server.id}) can't be evacuated: {error}", flush=True)
                failed += 1
        return failed

    def wait(self, server: Any, wanted: tuple[str, ...]) -> None:
        """Wait until a machine is on another host and in a state."""
        end = time.monotonic() + self.job["patience"]
        while True:
            now = self.compute.get_server(server.id)
            if now.compute_host != self.host and now.status in wanted and now.task_state is None:
                return
            if now.status == "ERROR":
                raise RuntimeError(f"state ERROR: {(now.fault or {}).get('message', 'no reason given')}")
            if time.monotonic() > end:
                raise TimeoutError(f"still {now.status} on {now.compute_host}")
            time.sleep(1)

    def forget(self) -> None:
        """Remove the services of the host that Nova and Neutron know."""
        for service in self.services():
            self.compute.delete_service(service)
        for agent in list(self.network.agents()):
            if agent.host == self.host:
                self.network.delete_agent(agent, ignore_missing=True)


def main() -> int:
    """Do what the job says."""
    with os.fdopen(9) as file:
        job = json.load(file)
    leaving = Leaving(job)
    if job["act"] == "look":
        for server in leaving.machines():
            print(f"{server.name} ({server.id}) {server.status}")
        return 0
    if job["act"] == "forget":
        leaving.forget()
        return 0
    leaving.close(dead=job["act"] == "evacuate")
    return 1 if (leaving.free() if job["act"] == "free" else leaving.evacuate()) else 0


if __name__ == "__main__":
    sys.exit(main())
