"""Keystone's plan: in upstream's order, private where it must be."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from rdo.cloud.credentials import Credentials
from rdo.cloud.plan import File, Plan, Script
from rdo.cloud.roles import keystone
from rdo.cloud.topology import PlatformNames, Repository, Topology


def plan(tmp_path: Path, **names: str) -> Plan:
    topology = Topology(
        host="controller",
        address=ip_address("192.0.2.10"),
        repository=Repository(
            series="2026.1", platform="debian13", server="http://192.0.2.1:8080", public_key="KEY"
        ),
        names=PlatformNames(**names),
    )
    return keystone.plan(topology, Credentials(tmp_path / "passwords.json"))


def test_nothing_is_installed_before_the_key_is_there(tmp_path: Path) -> None:
    order = [step.id for step in plan(tmp_path).steps]
    assert order.index("repository-key") < order.index("repository") < order.index("packages")
    assert order.index("keystone-schema") < order.index("httpd") < order.index("keystone-bootstrap")


def test_files_with_passwords_are_private(tmp_path: Path) -> None:
    made = plan(tmp_path)
    passwords = (tmp_path / "passwords.json").read_text()
    secrets = [line.split('"')[3] for line in passwords.splitlines() if ":" in line]
    assert len(secrets) == 2
    for step in made.steps:
        if isinstance(step, File) and any(secret in step.content.get_secret_value() for secret in secrets):
            assert step.mode in {"600", "640"}
            assert step.mode == "600" or step.group == "keystone"


def test_a_platform_s_own_names_are_used(tmp_path: Path) -> None:
    made = plan(tmp_path, httpd_unit="apache2", httpd_confdir="/etc/apache2/conf-enabled")
    assert "apache2" in repr(made)
    assert "/etc/apache2/conf-enabled/wsgi-keystone.conf" in repr(made)


def test_every_script_asks_first(tmp_path: Path) -> None:
    assert all(step.unless.get_secret_value() for step in plan(tmp_path).steps if isinstance(step, Script))
