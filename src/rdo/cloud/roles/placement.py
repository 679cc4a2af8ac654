"""Placement: what hosts have to give, and who has it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from rdo.cloud.plan import AnyStep, Script, Stage
from rdo.cloud.roles import mariadb
from rdo.cloud.roles.node import Node, merged


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("placement") and node.is_controller):
        return
    yield node.packages("placement", "openstack-placement-api")
    database = {"placement_database": node.database("placement")["database"]}
    log = {"DEFAULT": {"log_file": "placement-api.log"}}
    yield node.config("placement", merged(log, database, node.token_check("placement")))
    yield Script(
        id="placement-schema",
        title="Placement's database schema",
        stage=Stage.SCHEMA,
        group="placement",
        unless=SecretStr(mariadb.schema_holds("placement", "openstack-placement-api")),
        script=SecretStr(
            "runuser -u placement -- placement-manage db sync\n"
            + mariadb.schema_made("placement", "openstack-placement-api")
        ),
    )
