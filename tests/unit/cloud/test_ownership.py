"""A cloud whose kept state is lost is known before anything is changed; what locks data stays."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from rdo.cloud.deployment import Deployment
from rdo.cloud.ownership import LOCKS, LOOK, OwnershipError, judge, lost_credential_keys, refuse
from rdo.cloud.pki import Authority
from rdo.cloud.roles.barbican import encryption_key
from rdo.cloud.topology import SERVICES
from tests.unit.cloud.test_operating import ONE, deployment

Said = dict[str, str]


def kept(folder: Path) -> Deployment:
    """Return a cloud with all services, whose secrets are kept."""
    made = deployment(folder, ONE, services=SERVICES)
    made.keep()
    return deployment(folder, ONE, services=SERVICES)


def host(cloud: Deployment, **others: str) -> str:
    """Return what a host says that has this cloud, all its data under its secrets."""
    secrets = json.loads(cloud.credentials.path.read_text())
    values = {lock.secret: secrets[lock.secret] + "\n" for lock in LOCKS if lock.data}
    values["barbican_encryption"] = encryption_key(secrets["barbican_encryption"]) + "\n"
    values["swift_hash_encryption"] = secrets["swift_hash_encryption"]
    values |= others
    lines = ["authority|" + base64.b64encode(cloud.authority.certificate.encode()).decode(), "identity|"]
    lines += [f"data|{n}|{hashlib.sha256(value.encode()).hexdigest()}  -" for n, value in values.items()]
    return "\n".join([*lines, "platform|debian|13|", "port|0.0.0.0:22|users"])


def test_the_own_cloud_and_an_empty_host_are_no_reason(tmp_path: Path) -> None:
    cloud = kept(tmp_path / "prod")
    assert judge(cloud, "one", host(cloud)) == []
    fresh = deployment(tmp_path / "new", ONE, services=SERVICES)
    assert fresh.is_fresh and judge(fresh, "one", "platform|debian|13|\n") == []


def test_all_that_was_kept_is_lost(tmp_path: Path) -> None:
    said = host(kept(tmp_path / "prod"))
    cloud = deployment(tmp_path / "clouds/lost", ONE, services=SERVICES)
    wrong = judge(cloud, "one", said)
    assert any("has a cloud whose authority (CN=RDO cloud prod, of 20" in line for line in wrong)
    assert any("no passwords of it are kept here" in line for line in wrong)
    for what in ("Barbican's secrets", "Heat's stacks", "Swift's objects", "Ceph's disk"):
        assert any(f"one has {what}, and no " in line for line in wrong), what
    with pytest.raises(OwnershipError) as caught:
        refuse(cloud, wrong)
    for way in ("rdo cloud restore", str(cloud.folder), "--take-over", "--data --yes"):
        assert way in (caught.value.hint or "")
    assert not cloud.folder.exists(), "a backup takes the place of what is missing only"


@pytest.mark.parametrize(
    ("lost", "said"),
    [("passwords.json", "no passwords of it are kept"), ("pki", "is not the one kept here")],
)
def test_a_part_is_lost(tmp_path: Path, lost: str, said: str) -> None:
    there = host(kept(tmp_path / "prod"))
    (tmp_path / "prod" / lost).rename(tmp_path / "lost")
    wrong = judge(deployment(tmp_path / "prod", ONE, services=SERVICES), "one", there)
    assert any(said in line for line in wrong)
    assert any("Swift" in line for line in wrong) is (lost == "passwords.json")


def test_another_kept_clouds_authority_is_named(tmp_path: Path) -> None:
    other = kept(tmp_path / "first")
    cloud = kept(tmp_path / "second")
    assert isinstance(other.authority, Authority)
    other.authority.folder.rename(tmp_path / "first/moved")
    (tmp_path / "first/moved").rename(tmp_path / "first/pki")
    (line,) = (one for one in judge(cloud, "one", host(other)) if "authority" in one)
    assert "is kept here as the cloud first's" in line or "is not the one kept here" in line


@pytest.mark.parametrize("secret", [lock.secret for lock in LOCKS if lock.data])
def test_data_under_another_secret_are_named(tmp_path: Path, secret: str) -> None:
    cloud = kept(tmp_path / "prod")
    (line,) = judge(cloud, "one", host(cloud, **{secret: "0123456789abcdef" * 2}))
    assert f"locked with another {secret} than the one kept here" in line
    # a host where the service's file is gone says nothing of its secret
    assert judge(cloud, "one", host(cloud, **{secret: ""})) == []


def test_a_secret_is_compared_as_it_is_written(tmp_path: Path) -> None:
    """oslo.config takes a dollar twice; and an operator's own option is not the kept secret."""
    kept(tmp_path / "prod")
    file = tmp_path / "prod/passwords.json"
    odd = "0123456789abcde$0123456789abcdef"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"heat_encryption": odd}))
    own = {"barbican": {"simple_crypto_plugin": {"kek": "an operator's"}}}
    cloud = deployment(tmp_path / "prod", ONE, services=SERVICES, options=own)
    there = {"heat_encryption": odd.replace("$", "$$") + "\n", "barbican_encryption": "an operator's\n"}
    assert judge(cloud, "one", host(cloud, **there)) == []


def test_a_key_read_from_a_host_stays_the_same_key() -> None:
    key = encryption_key("0123456789abcdef" * 2)
    assert encryption_key(key) == key


def test_lost_credential_keys_are_named_where_credentials_are() -> None:
    assert lost_credential_keys("one", "identity|\ncredentials|0\n") == []
    assert lost_credential_keys("one", "credentials|\n") == []
    (line,) = lost_credential_keys("one", "credentials|3\n")
    assert "/etc/keystone/credential-keys" in line and "3 of Keystone's credentials" in line


def test_scripts_for_hosts_are_bash() -> None:
    done = subprocess.run(["bash", "-n"], input=LOOK.reveal(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_hosts_know_takes_the_place_of_what_is_kept(tmp_path: Path) -> None:
    cloud = kept(tmp_path / "prod")
    before = json.loads(cloud.credentials.path.read_text())
    cloud.credentials.adopt({"heat_encryption": SecretStr("e" * 32)})
    now = json.loads(cloud.credentials.path.read_text())
    assert {name for name in now if now[name] != before[name]} == {"heat_encryption"}
