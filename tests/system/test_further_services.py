"""Swift, Barbican, Ironic and Heat, which a cloud has where it says so: on one host with Keystone alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.flow import ALL_ROOMS, Flow
from tests.installation import Installation, eventually, shared_cache
from tests.secret_forms import shown_in
from tests.system.clouds import KnownCloud, changed_steps, odd_password

# On a machine with an empty cache all packages of these services are built first.
pytestmark = pytest.mark.timeout(3600)

NAME = "further"
SERVICES = ("swift", "barbican", "ironic", "heat")
FLOWS = (
    Flow(
        "further-services",
        "test_further_services",
        rooms=ALL_ROOMS,
        services=("keystone", *SERVICES),
        marks="not long",
        minutes=10,
    ),
    Flow(
        "further-services-long",
        "test_further_services",
        rooms=ALL_ROOMS,
        services=("keystone", *SERVICES),
        marks="long",
        minutes=8,
        likelihood=0.5,
    ),
)
_CLIENT = "openstack --os-cloud rdo"
_KEEP = f"""
set -e
cd /tmp
echo an object >object
{_CLIENT} container create kept
{_CLIENT} object create kept object
{_CLIENT} secret store --name kept --payload 'a secret'
{_CLIENT} baremetal node create --driver redfish --name kept
cat >stack.yaml <<'TEMPLATE'
heat_template_version: 2018-08-31
resources:
  text: {{type: OS::Heat::RandomString}}
TEMPLATE
{_CLIENT} stack create --wait -t stack.yaml kept
"""
_READ = f"""
set -e
cd /tmp
{_CLIENT} object save kept object --file -
{_CLIENT} secret get --payload -f value \\
    -c Payload $({_CLIENT} secret list --name kept -f value -c 'Secret href')
{_CLIENT} baremetal node show kept -f value -c name
{_CLIENT} stack show kept -f value -c stack_status
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnownCloud]:
    """A cloud with something kept in each of its services."""
    home = tmp_path_factory.mktemp("further") / "home"
    installation = Installation.at(home, RDO_STORE=str(shared_cache() / "store"))
    chosen = [word for service in SERVICES for word in ("--only", service)]
    try:
        done = installation.rdo(
            "cloud", "up", "--allinone", "--on-test-host", "--name", NAME, *chosen, timeout=3000
        )
        assert done.returncode == 0, done.stdout + done.stderr
        made = KnownCloud(installation, NAME)
        made.on_host(_KEEP)
        yield made
    finally:
        installation.rdo("host", "destroy", "--all", "--yes")


def _assert_kept(cloud: KnownCloud) -> None:
    assert cloud.on_host(_READ).splitlines() == ["an object", "a secret", "kept", "CREATE_COMPLETE"]


def test_second_up_changes_and_restarts_nothing(cloud: KnownCloud) -> None:
    starts = cloud.starts()
    assert {f"openstack-{unit}.service" for unit in ("heat-engine", "ironic-conductor", "swift-proxy")} <= {
        *starts
    }
    assert cloud.up() == {}
    assert cloud.restarted(starts) == set()
    assert changed_steps(cloud.installation.json("cloud", "plan", NAME)) == {}
    assert cloud.on_host("systemctl is-system-running") == "running"


def test_a_plan_shows_no_secret(cloud: KnownCloud) -> None:
    others, plan = cloud.plan_of_other_passwords()
    assert "+++ /etc/swift/proxy-server.conf" in plan and "+++ /etc/barbican/barbican.conf.d" in plan
    assert shown_in(cloud.secrets() | others, plan) == []


def test_a_plan_of_an_empty_host_shows_no_secret(cloud: KnownCloud, tmp_path: Path) -> None:
    done = cloud.installation.rdo("host", "create", "empty")
    assert done.returncode == 0, done.stderr
    (address,) = (row["address"] for row in cloud.installation.json("host", "list") if row["name"] == "empty")
    file = tmp_path / "cloud.yaml"
    host = f"{{name: empty, address: {address}}}"
    file.write_text(f"name: none\nservices: [keystone, {', '.join(SERVICES)}]\nhosts: [{host}]\n")
    kept = cloud.installation.state / "clouds/none/passwords.json"
    kept.parent.mkdir(mode=0o700)
    kept.touch(mode=0o600)
    kept.write_text(json.dumps({name: odd_password(name) for name in cloud.secrets()}))
    human = cloud.installation.rdo("cloud", "plan", str(file), "--no-checks")
    assert human.returncode == 0, human.stderr
    steps = cloud.installation.rdo("cloud", "plan", str(file), "--no-checks", "--json")
    for path in ("/etc/rabbitmq/rdo-definitions.json", "/etc/swift/swift.conf", "/root/keystonerc_admin"):
        assert f"+++ {path}" in human.stdout
    passwords = json.loads(kept.read_text())
    assert shown_in(passwords, human.stdout + human.stderr + steps.stdout + steps.stderr) == []


def test_each_does_what_it_is_for(cloud: KnownCloud) -> None:
    assert {"objects", "secret", "baremetal", "stack", "clear"} <= cloud.verified()
    _assert_kept(cloud)


def test_a_password_that_somebody_has_changed_is_put_right(cloud: KnownCloud) -> None:
    cloud.on_host(f"{_CLIENT} user set --password other swift")
    assert cloud.up() == {NAME: {"accounts"}}
    assert cloud.up() == {}


def test_passwords_of_the_operator_s_take_the_place_of_others(cloud: KnownCloud, tmp_path: Path) -> None:
    file = tmp_path / "passwords.yaml"
    file.touch(mode=0o600)
    file.write_text("admin: of-my-own\nnova_database: unasked\nheat_database: a/b\n")
    refused = cloud.installation.rdo("cloud", "up", NAME, "--passwords", str(file))
    assert refused.returncode == 2
    assert f"{file}:2: this cloud has no password nova_database" in refused.stderr
    assert f"{file}:3: heat_database: character 2 can't be in a URL" in refused.stderr
    # each is read by another program, in another way
    odd = {name: odd_password(name) for name in ("admin", "swift_service", "heat_service", "heat_domain")}
    odd |= {"ironic_service": " p%q;#$$x%% ", "barbican_service": "'q\"\\"}
    file.write_text(json.dumps(odd))
    done = cloud.installation.json("cloud", "up", NAME, "--passwords", str(file))
    changed = changed_steps(done)[NAME]
    assert {"clouds", "keystonerc", "keystone-bootstrap", "accounts", "heat-engine"} <= changed
    assert not changed & {"heat-database", "ironic-database", "rabbitmq"}
    assert {name: cloud.secrets()[name] for name in odd} == odd
    sourced = cloud.on_host("source /root/keystonerc_admin; openstack token issue -f value -c user_id")
    assert re.fullmatch("[0-9a-f]{32}", sourced.strip())
    assert {"objects", "secret", "baremetal", "stack", "clear"} <= cloud.verified()
    _assert_kept(cloud)
    assert cloud.up() == {}


@pytest.mark.long
def test_what_is_kept_outlives_new_passwords_and_certificates(cloud: KnownCloud) -> None:
    old = cloud.secrets()
    done = cloud.installation.rdo("cloud", "rotate", NAME, "--passwords", "--certificates", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    new = cloud.secrets()
    same = {name for name, value in old.items() if new[name] == value}
    # of what is encrypted in databases, and of where objects lie
    assert same == {"barbican_encryption", "heat_encryption", "swift_hash_encryption"}
    held = cloud.on_host("find /etc /root -type f -size -1M -print0 | xargs -0 cat | tr -d '\\0'")
    assert [name for name in old if name not in same and old[name] in held] == []
    _assert_kept(cloud)
    eventually(lambda: cloud.installation.rdo("cloud", "status", NAME).returncode == 0)
    assert cloud.up() == {}


def test_taken_down_it_leaves_nothing_but_data_and_comes_back_with_it(cloud: KnownCloud) -> None:
    done = cloud.installation.rdo("cloud", "down", NAME, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    units = cloud.on_host("systemctl list-units --type=service --state=running --plain --no-legend")
    assert [unit for unit in units.split() if unit.startswith("openstack-")] == []
    assert cloud.on_host("rpm -qa '*openstack*' rdo-release") == ""
    assert (
        cloud.on_host("find /etc/swift /etc/heat /etc/ironic /etc/barbican -type f 2>/dev/null || true") == ""
    )
    cloud.up()
    _assert_kept(cloud)
    assert cloud.up() == {}
