"""Placement: what hosts have to give, and who has it."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import AnyStep
from rdo.cloud.roles import mariadb
from rdo.cloud.roles.node import Node, merged
from rdo.cloud.shell import sh


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("placement") and node.is_controller):
        return
    yield node.packages("placement", "openstack-placement-api")
    database = {"placement_database": node.database("placement")["database"]}
    log = {"DEFAULT": {"log_file": "placement-api.log"}}
    yield node.config("placement", merged(log, database, node.token_check("placement")))
    yield mariadb.schema(
        "placement", "openstack-placement-api", sh("runuser -u placement -- placement-manage db sync")
    )
