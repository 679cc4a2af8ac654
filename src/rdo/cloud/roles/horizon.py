"""The dashboard, in httpd beside the APIs."""

from __future__ import annotations

from collections.abc import Iterator

from rdo.cloud.plan import WRITTEN, AnyStep, File, Stage
from rdo.cloud.roles.node import CA, Node
from rdo.cloud.texts import Text, join


def steps(node: Node) -> Iterator[AnyStep]:
    """Yield the steps of a controller."""
    if not (node.has("horizon") and node.is_controller):
        return
    yield node.packages("horizon", "openstack-dashboard", "openstack-dashboard-theme")
    yield File(
        id="horizon-configuration",
        title="Settings of the dashboard",
        stage=Stage.CONFIGURATION,
        group="horizon",
        path="/etc/openstack-dashboard/local_settings.d/_50_rdo.py",
        group_owner=node.names.httpd_user,
        mode="640",
        content=_settings(node),
    )


def _settings(node: Node) -> Text:
    hosts = [node.host.name, node.address, "localhost"]
    settings = {
        "DEBUG": False,
        "ALLOWED_HOSTS": hosts,
        "SECRET_KEY": node.secret("horizon"),
        "OPENSTACK_HOST": node.site.controller,
        "OPENSTACK_KEYSTONE_URL": node.site.identity_url,
        "OPENSTACK_SSL_CACERT": CA,
        "OPENSTACK_ENDPOINT_TYPE": "publicURL",
        "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_SECURE": True,
        "WEBROOT": "/dashboard/",
        "TIME_ZONE": "UTC",
    }
    lines: list[str | Text] = [WRITTEN]
    lines += [Text(f"{name} = ", _python(value)) for name, value in settings.items()]
    lines += [
        "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',",
        "                      'LOCATION': '127.0.0.1:11211'}}",
    ]
    return Text(join("\n", lines), "\n")


def _python(value: object) -> str | Text:
    return value.derive(repr) if isinstance(value, Text) else repr(value)
