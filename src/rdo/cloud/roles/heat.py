"""Heat: two APIs in httpd, the engine on the controller, and a domain for accounts that stacks make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rdo.cloud.plan import AnyStep, Stage
from rdo.cloud.roles import mariadb, web
from rdo.cloud.roles.node import CA, Node, Options, merged
from rdo.cloud.shell import sh

DOMAIN, DOMAIN_ADMIN = "heat", "heat_domain_admin"
_ENGINE = "openstack-heat-engine"


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("heat") and node.is_controller):
        return
    yield node.packages("heat", "openstack-heat-api", "openstack-heat-api-cfn", _ENGINE, "python3-heatclient")
    yield node.config("heat", _options(node))
    yield mariadb.schema("heat", "openstack-heat-common", sh("runuser -u heat -- heat-manage db_sync"))
    causes = ("heat-packages", "heat-configuration")
    yield node.daemon(_ENGINE, Stage.SERVICES, group=_ENGINE, restart_after=causes)


def accounts(node: Node) -> dict[str, Any]:
    """Return what Keystone has to know of beside a service's account."""
    admin = {"name": DOMAIN_ADMIN, "password": node.secret("heat_domain")}
    return {
        "further_roles": ["heat_stack_owner", "heat_stack_user"],
        "domains": [{"name": DOMAIN, "description": "Users of Heat's stacks", "admin": admin}],
    }


def _options(node: Node) -> Options:
    cfn = node.site.url(web.HEAT_CFN)
    trustee = node.account("heat")
    # the project is the user's, by trust; whom to believe stands with Heat's clients
    for name in ("project_name", "project_domain_name", "region_name", "cafile"):
        del trustee[name]
    return merged(
        node.database("heat"),
        node.token_check("heat"),
        node.messaging("heat"),
        {
            "DEFAULT": {
                "region_name_for_services": node.site.cloud.region,
                "heat_metadata_server_url": cfn,
                "heat_waitcondition_server_url": f"{cfn}/v1/waitcondition",
                "stack_user_domain_name": DOMAIN,
                "stack_domain_admin": DOMAIN_ADMIN,
                "stack_domain_admin_password": node.secret("heat_domain"),
                # of what stacks keep in the database; another one could not read that any more
                "auth_encryption_key": node.secret("heat_encryption"),
                "num_engine_workers": node.site.cloud.workers,
            },
            "trustee": trustee,
            "clients": {"ca_file": CA},
            "clients_keystone": {"auth_uri": node.site.identity_url, "ca_file": CA},
        },
    )
