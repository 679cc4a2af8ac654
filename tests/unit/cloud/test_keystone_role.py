"""Keystone's plan: in upstream's order, private where it must be."""

from __future__ import annotations

import json
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from rdo.cloud.credentials import Credentials
from rdo.cloud.plan import File, Plan, Script
from rdo.cloud.roles import keystone
from rdo.cloud.topology import PlatformNames, Repository, Topology
from rdo.common.errors import InputError


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


@pytest.mark.parametrize("password", ["0" * 31 + "1", 'it\'s "a" $HOME %41 \\ #: @/{x} ü'])
def test_any_password_reaches_those_who_need_it(tmp_path: Path, password: str) -> None:
    (tmp_path / "passwords.json").write_text(json.dumps({"admin": password, "keystone_database": "a-B_1.~"}))
    files = {
        step.id: step.content.get_secret_value() for step in plan(tmp_path).steps if isinstance(step, File)
    }
    assert yaml.safe_load(files["clouds"])["clouds"]["rdo"]["auth"]["password"] == password
    sourced = subprocess.run(
        ["bash", "-c", 'eval "$1"; printf %s "$OS_PASSWORD"', "-", files["keystonerc"]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sourced.stdout == password
    assert "://keystone:a-B_1.~@localhost/" in files["keystone-configuration"]


@pytest.mark.parametrize("password", ["p@ss", "50%", "a b", "$HOME", ""])
def test_database_password_that_keystone_cannot_take_is_refused(tmp_path: Path, password: str) -> None:
    (tmp_path / "passwords.json").write_text(json.dumps({"keystone_database": password}))
    with pytest.raises(InputError, match="keystone_database") as caught:
        plan(tmp_path)
    assert not password or password not in caught.value.diagnostics()
