"""``rdo quickstart`` as a user runs it: from nothing to a running Keystone, again, repaired, rebooted."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rdo.cli.installation import open_installation
from rdo.cloud.testhosts import cgroups
from rdo.cloud.testhosts.network import Network
from rdo.distribution.load import Distribution
from tests.flows.flow import ALL_ROOMS, Flow
from tests.installation import CHECKOUT, Installation, command_line, users_of
from tests.secret_forms import shown_in
from tests.system.clouds import KnownCloud

# A first run on a machine with an empty cache makes base roots and fetches everything.
pytestmark = pytest.mark.timeout(3600)

FLOWS = (
    Flow("quickstart", "test_quickstart", rooms=ALL_ROOMS, services=("keystone",), minutes=12, always=True),
)

HOST = "keystone"
SITE = "/usr/lib/python3.13/site-packages"
CONFIGURATION = "/etc/keystone/keystone.conf.d/50-rdo.conf"
UNITS = ("mariadb", "memcached", "apache2")


class CommandLines(threading.Thread):
    """Watches the arguments of all processes here; those of test hosts are among them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.seen.update(command_line(int(e.name)) for e in Path("/proc").glob("[0-9]*"))

    def stop(self) -> None:
        """Stop watching."""
        self._over.set()
        self.join()


@dataclass
class World:
    """An installation with Keystone up, and what was seen while it came up."""

    installation: Installation
    outcome: dict[str, Any]
    messages: str
    command_lines: set[str] = field(default_factory=set)

    def on_host(self, script: str, *, status: int = 0) -> str:
        """Run a script on the host as root and return what it printed."""
        return self.installation.on_host(HOST, script, status=status)

    def python_on_host(self, program: str, value: object) -> Any:
        """Run a Python program on the host that reads JSON and writes JSON."""
        made = f"cat >/tmp/program.py <<'EOF'{program}EOF\n"
        made += f"cat >/tmp/value.json <<'EOF'\n{json.dumps(value)}\nEOF\n"
        return json.loads(self.on_host(f"{made}cd /; python3 /tmp/program.py </tmp/value.json"))

    def up(self) -> list[str]:
        """Run ``rdo cloud up`` and return the ids of the steps that changed something."""
        report = self.installation.json("cloud", "up", HOST)
        return [step["id"] for step in report["steps"] if step["changed"]]

    def starts(self) -> dict[str, str]:
        """Return when each unit was started, in microseconds since boot."""
        shown = self.on_host(f"systemctl show -P ActiveEnterTimestampMonotonic {' '.join(UNITS)}")
        return dict(zip(UNITS, shown.split(), strict=True))

    def restarted(self, before: dict[str, str]) -> set[str]:
        """Return the units that were started since."""
        return {unit for unit, moment in self.starts().items() if moment != before[unit]}

    @property
    def passwords(self) -> Path:
        """The file of the cloud's passwords."""
        return Path(self.outcome["passwords"])

    def token(self) -> str:
        """Have the client on the host issue a token."""
        return self.on_host("openstack --os-cloud rdo token issue -f value -c id")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    installation = Installation.at(tmp_path_factory.mktemp("system") / "home")
    watch = CommandLines()
    watch.start()
    try:
        done = installation.rdo("quickstart", "--release", "2026.1", "--json", timeout=3000)
        watch.stop()
        assert done.returncode == 0, done.stdout + done.stderr
        yield World(installation, json.loads(done.stdout), done.stderr, watch.seen)
    finally:
        watch.stop()
        installation.rdo("host", "destroy", "--all", "--yes")


def test_token_and_catalog(world: World) -> None:
    proofs = {proof["name"]: proof["output"] for proof in world.outcome["proofs"]}
    assert re.search(r"\| id +\| gAAAA\S+", proofs["token"])
    address = f"https://{world.outcome['address']}:5000/v3"
    endpoints = re.findall(r"(\w+): (\S+)", proofs["catalog"])
    assert sorted(endpoints) == [("admin", address), ("internal", address), ("public", address)]
    counts = world.outcome["packages"]
    assert (counts["failed"], counts["blocked"]) == (0, 0)
    assert counts["built"] + counts["cached"] > 20
    assert world.outcome["repository"].endswith("/debian13-2026.1/")


def test_host_trusts_only_what_is_signed(world: World) -> None:
    settings = world.on_host("cat /etc/yum.repos.d/*.repo").splitlines()
    sections = sum(line.startswith("[") for line in settings)
    assert sections
    assert settings.count("gpgcheck=1") == settings.count("repo_gpgcheck=1") == sections
    effective = world.on_host("dnf config-manager --dump rdo-2026.1 2>/dev/null || dnf repolist -v")
    assert "gpgcheck = 0" not in effective
    unsigned = world.on_host("rpm -qa --qf '%{NAME} %{RELEASE} %{RSAHEADER:pgpsig}%{SIGPGP:pgpsig}\\n'")
    ours = [line for line in unsigned.splitlines() if line.split()[1].endswith(".deb13")]
    assert len(ours) > 20
    assert [line for line in ours if "(none)(none)" in line] == []


_FOUND = """
import importlib.metadata, json, sys
from packaging.utils import canonicalize_name
projects = set(json.load(sys.stdin))
found = {}
for distribution in importlib.metadata.distributions():
    name = canonicalize_name(distribution.metadata["Name"])
    if name in projects:
        found.setdefault(name, []).append(str(distribution.locate_file("")).rstrip("/"))
print(json.dumps(found))
"""

_IMPORTED = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in json.load(sys.stdin)}))
"""


def test_every_openstack_package_on_the_host_is_ours(world: World) -> None:
    """A host once ran Debian's own oslo.config without anybody noticing.

    Debian's packages may bring copies of their own along; none of them may be what Python finds first.
    """
    release = Distribution.load(CHECKOUT / "distribution").release("2026.1")
    projects = sorted(project.dist for project in release.projects.values())
    found: dict[str, list[str]] = world.python_on_host(_FOUND, projects)
    assert {"keystone", "oslo-config", "oslo-db", "python-openstackclient", "keystoneauth1"} <= found.keys()
    assert len(found) > 20
    assert {name: places for name, places in found.items() if places[0] != SITE} == {}
    rpms = dict(line.split() for line in world.on_host("rpm -qa --qf '%{NAME} %{RELEASE}\\n'").splitlines())
    for name in found:
        package = "openstack-keystone" if name == "keystone" else f"python3-{name.removeprefix('python-')}"
        assert rpms[package].endswith(".deb13"), f"{package} is the platform's"


def test_modules_of_our_packages_are_those_that_are_imported(world: World) -> None:
    ours = "rpm -qa --qf '%{NAME} %{RELEASE}\\n' | grep 'deb13$' | cut -d' ' -f1 | xargs rpm -ql"
    files = world.on_host(f"{ours} | grep -E '^{SITE}/[^/]+(/__init__)?[.]py$'").splitlines()
    modules = sorted(re.sub(r"(/__init__)?[.]py$", "", file).rpartition("/")[2] for file in files)
    assert {"keystone", "oslo_config", "oslo_log", "openstack", "openstackclient"} <= set(modules)
    imported: dict[str, str] = world.python_on_host(_IMPORTED, modules)
    assert sorted(imported.values()) == sorted(files)


_CONFIGURED = """
import json, sys
import keystone.conf
from oslo_log import log
CONF = keystone.conf.CONF
log.register_options(CONF)
keystone.conf.configure()
CONF([], project="keystone")
print(json.dumps([CONF.log_dir, CONF.config_file, CONF.cache.enabled]))
"""


def test_distribution_defaults_are_read_before_the_operators_files(world: World) -> None:
    folder, files, cache = world.python_on_host(_CONFIGURED, None)
    assert folder == "/var/log/keystone"
    assert files == ["/usr/share/keystone/keystone-dist.conf", "/etc/keystone/keystone.conf"]
    assert cache is True, f"{CONFIGURATION} was not read"
    assert world.on_host("grep -rh ^log_dir /etc/keystone || true") == ""
    # The service's own process wrote there, as nobody but itself and its group may read.
    assert world.on_host("stat -c %U:%G:%a /var/log/keystone/keystone.log") == "keystone:keystone:640"
    assert "keystone" in world.on_host("tail -1 /var/log/keystone/keystone.log")


def test_host_is_well(world: World) -> None:
    wrong = world.on_host("rpm -Va || true").splitlines()
    # The one configuration file that is a host's own: where its repository is.
    assert [line for line in wrong if not line.endswith("c /etc/dnf/vars/rdoserver")] == []
    assert world.on_host("systemctl is-system-running") == "running"
    assert world.on_host("systemctl list-units --failed --plain --no-legend") == ""
    assert world.on_host(f"systemctl is-enabled {' '.join(UNITS)}").split() == ["enabled"] * len(UNITS)
    assert world.on_host(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * len(UNITS)


def test_secrets_are_nowhere_to_be_read(world: World) -> None:
    assert stat.S_IMODE(world.passwords.stat().st_mode) == 0o600
    secrets = dict(json.loads(world.passwords.read_text()))
    assert len(secrets) >= 2
    for key in (world.passwords.parent / "pki").glob("*.key"):
        secrets[key.name] = key.read_text().splitlines()[2]
    for name in ("fernet", "credential"):
        for number in (0, 1):
            secrets[f"{name}{number}"] = world.on_host(f"cat /etc/keystone/{name}-keys/{number}")
    assert all(len(value) >= 32 for value in secrets.values())
    assert not _leaks(secrets, "\n".join(world.command_lines), "process lists")
    assert not _leaks(secrets, world.messages + json.dumps(world.outcome), "what quickstart said")
    assert not _leaks(secrets, world.on_host("journalctl --no-pager -o export"), "the journal")
    cloud = KnownCloud(world.installation, HOST)
    others, plan = cloud.plan_of_other_passwords()
    assert not _leaks(secrets, plan, "the plan")
    assert shown_in(cloud.secrets() | others, plan) == []
    wrong = []
    # The host's disk lies below our state: all files of both are looked at.
    for folder in (world.installation.state, world.installation.home / "cache"):
        for path in _files(folder):
            content = path.read_bytes()
            held = [name for name, value in secrets.items() if value.encode() in content]
            readable = stat.S_IMODE(path.lstat().st_mode) & 0o007
            if held and (readable or "/var/log/" in str(path) or path.suffix == ".log"):
                wrong.append(f"{path} has {held}, mode {stat.S_IMODE(path.lstat().st_mode):o}")
    assert wrong == []
    for key in (world.installation.state / "keys").glob("*.asc"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def _leaks(secrets: dict[str, str], text: str, where: str) -> list[str]:
    return [f"{name} is in {where}" for name, value in secrets.items() if value in text]


def _files(folder: Path) -> Iterator[Path]:
    """Yield regular files; links into the shared cache are not followed."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink() and path.suffix != ".rpm":
                yield path


def test_second_run_builds_nothing_and_changes_nothing(world: World) -> None:
    snapshot, starts = world.installation.snapshot(), world.starts()
    began = time.monotonic()
    again = world.installation.json("quickstart", "--release", "2026.1")
    seconds = time.monotonic() - began
    total = sum(world.outcome["packages"].values())
    assert again["packages"] == {"built": 0, "cached": total, "failed": 0, "blocked": 0}
    assert again["changed"] == []
    assert world.installation.snapshot() == snapshot
    assert world.restarted(starts) == set()
    assert again["address"] == world.outcome["address"]
    assert seconds < 60, "the goal for a second run"


@pytest.mark.parametrize(
    ("damage", "changed", "restarted"),
    [
        pytest.param(
            f"echo 'broken = 1' >>{CONFIGURATION}; chmod 644 {CONFIGURATION}",
            {"keystone-configuration", "httpd"},
            {"apache2"},
            id="configuration",
        ),
        pytest.param(
            "systemctl disable --now memcached; systemctl stop apache2",
            {"memcached", "httpd"},
            {"memcached", "apache2"},
            id="services",
        ),
        pytest.param(
            "rm /etc/openstack/clouds.yaml; sed -i s/gpgcheck=1/gpgcheck=0/ /etc/yum.repos.d/rdo-2026.1.repo;"
            "mariadb -e 'KILL USER keystone; DROP DATABASE keystone'; rm -r /etc/keystone/credential-keys/*",
            {"clouds", "repository", "keystone-database", "keystone-schema", "keystone-credential-keys"}
            | {"keystone-bootstrap"},
            set(),
            id="nothing-that-restarts",
        ),
    ],
)
def test_damage_is_repaired_and_no_more(
    world: World, damage: str, changed: set[str], restarted: set[str]
) -> None:
    world.on_host(damage)
    starts = world.starts()
    planned = world.installation.json("cloud", "plan", HOST)
    assert changed <= {step["id"] for step in planned["steps"] if step["changed"]}
    assert world.restarted(starts) == set(), "a plan touches nothing"
    assert set(world.up()) == changed
    assert world.restarted(starts) == restarted
    assert world.token()


_TOKENS = """
import json, sys
import openstack
count, issued = json.load(sys.stdin), 0
for _ in range(count):
    openstack.connect(cloud="rdo").authorize()
    issued += 1
print(json.dumps(issued))
"""


def test_keystone_outlives_restarts_of_what_it_stands_on(world: World) -> None:
    world.python_on_host(_TOKENS, 8)  # all of its processes have open connections then
    world.on_host("systemctl restart memcached mariadb")
    assert world.python_on_host(_TOKENS, 12) == 12


def test_changed_passwords_are_put_in_force(world: World) -> None:
    old = json.loads(world.passwords.read_text())
    new = {"admin": "0" * 31 + "1", "keystone_database": "Some-thing_else.~1"}
    assert new.keys() == old.keys()
    world.passwords.write_text(json.dumps(new))
    starts = world.starts()
    database = {"keystone-database", "keystone-configuration", "httpd"}
    assert set(world.up()) == database | {"clouds", "keystonerc", "keystone-bootstrap"}
    assert world.restarted(starts) == {"apache2"}
    assert world.token()
    for name in ("keystone_database", "admin"):
        assert world.on_host(f"grep -rlF {old[name]} /etc /root || true") == ""
    assert world.up() == []


def test_keystone_answers_again_after_a_reboot(world: World) -> None:
    world.installation.json("host", "reboot", HOST)
    proofs = world.installation.json("cloud", "verify", HOST)
    assert {proof["name"] for proof in proofs} == {"token", "catalog"}
    assert world.on_host("systemctl is-system-running --wait") == "running"
    assert world.on_host("systemctl list-units --failed --plain --no-legend") == ""
    assert world.up() == []


def test_a_stopped_cloud_starts_again(world: World) -> None:
    shown = world.installation.rdo("cloud", "stop", HOST)
    assert shown.returncode == 0 and "stop apache2" in shown.stdout
    assert world.token(), "nothing was done"
    for _ in range(2):
        done = world.installation.rdo("cloud", "stop", HOST, "--yes")
        assert done.returncode == 0, done.stderr
    states = f"systemctl is-active {' '.join(UNITS)} || true"
    assert world.on_host(states).split() == ["inactive"] * len(UNITS)
    started = world.installation.json("cloud", "start", HOST)
    changed = {step["id"] for step in started["steps"] if step["changed"]}
    assert {"mariadb", "memcached", "httpd"} <= changed
    assert world.token()
    assert world.up() == []


def test_a_backup_brings_back_what_there_was(world: World, tmp_path: Path) -> None:
    client = "openstack --os-cloud rdo project"
    own = "/etc/keystone/keystone.conf.d/70-own.conf"
    world.on_host(f"{client} create kept && printf '[DEFAULT]\\ndebug = true\\n' >{own}")
    made = world.installation.json("cloud", "backup", HOST, str(tmp_path))
    folder = Path(made["folder"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700 and made["databases"] == ["keystone"]
    world.on_host(f"{client} delete kept && {client} create later && rm {own}")
    (damaged := tmp_path / "damaged").mkdir()
    shutil.copytree(folder, damaged, dirs_exist_ok=True)
    with (damaged / "databases/keystone.sql.gz").open("ab") as file:
        file.write(b"more")
    refused = world.installation.rdo("cloud", "restore", str(damaged), "--yes")
    assert refused.returncode == 2 and "databases/keystone.sql.gz is not what it was" in refused.stderr

    # the host's cloud is taken off with all that it knows, here as well
    gone = world.installation.rdo("cloud", "down", HOST, "--data", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert not world.passwords.exists()
    done = world.installation.rdo("cloud", "restore", str(folder), "--yes")
    assert done.returncode == 0, done.stderr
    projects = world.on_host(f"{client} list -f value -c Name").split()
    assert "kept" in projects and "later" not in projects
    assert world.on_host(f"cat {own}") == "[DEFAULT]\ndebug = true"
    assert world.up() == []


def test_nothing_is_left_behind(world: World) -> None:
    """The last of this file: it destroys the host."""
    home = world.installation.home
    paths = open_installation(world.installation.environment).paths
    assert users_of(home), "or this test would see nothing"
    done = world.installation.rdo("host", "destroy", "--all", "--yes")
    assert done.returncode == 0, done.stderr
    tag = Network.of(paths).tag
    left = users_of(home)
    left += [str(path) for path in Path("/run/netns").glob(f"*{tag}*")]
    left += [str(path) for path in cgroups.unified_hierarchy().glob(f"*{tag}*")]
    left += [str(path) for path in Path("/dev/shm").glob(f"*{tag}*")]
    left += [str(path) for path in (paths.cache / "sandboxes").glob("*")]
    assert left == []
    assert world.installation.json("host", "list") == []
