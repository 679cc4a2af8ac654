"""Secrets that an operator brings: read with all mistakes at once, kept, and never shown."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rdo.cloud.cloudfile import read_cloud
from rdo.cloud.credentials import Credentials
from rdo.cloud.given import ceph_keys, passwords
from rdo.cloud.topology import Cloud, Host
from rdo.common.errors import DataError, InputError

#: As `ceph-authtool --gen-print-key` prints them: a head of twelve bytes, and sixteen of the key.
KEY = base64.b64encode(bytes.fromhex("010001020304050607081000") + b"0123456789abcdef").decode()


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def cloud(folder: Path, **storage: Any) -> Cloud:
    cluster = {"fsid": "4b5c8c0a-ff60-454b-a1b4-9747aa737d19", "monitors": ["192.0.2.50"], "keyrings": folder}
    return Cloud.model_validate(
        {
            "hosts": [Host(name="one", address=ip_address("192.0.2.10"))],
            "storage": {"cluster": cluster, **storage},
        }
    )


def test_passwords_of_a_file_win_over_those_of_the_environment(tmp_path: Path) -> None:
    file = private(tmp_path / "passwords.yaml", 'admin: "1.10"\nnova_database: 0123\n')
    variables = {"RDO_PASSWORD_ADMIN": "other", "RDO_PASSWORD_GLANCE_SERVICE": "x", "RDO_HOME": "/x"}
    found = passwords(file, variables)
    values = {name: one.value.get_secret_value() for name, one in found.items()}
    assert values == {"admin": "1.10", "nova_database": "0123", "glance_service": "x"}
    assert str(found["nova_database"].problem("x")) == f"{file}:2: x"
    assert str(found["glance_service"].problem("x")) == "RDO_PASSWORD_GLANCE_SERVICE: x"
    assert "0123" not in repr(found)
    assert passwords(None, {}) == {}


def test_mistakes_in_a_file_of_passwords_are_told_with_lines_and_without_values(tmp_path: Path) -> None:
    file = private(tmp_path / "passwords.yaml", "admin: ''\nnova_database: [s3cret]\nok: hush\n")
    with pytest.raises(DataError) as caught:
        passwords(file, {})
    said = str(caught.value)
    assert "passwords.yaml:1" in said and "passwords.yaml:2" in said
    assert "s3cret" not in said and "hush" not in said
    with pytest.raises(DataError, match="NAME: PASSWORD"):
        passwords(private(tmp_path / "list.yaml", "- s3cret\n"), {})
    with pytest.raises(DataError, match=r"nowhere\.yaml"):
        passwords(tmp_path / "nowhere.yaml", {})


def test_a_file_of_passwords_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = private(tmp_path / "passwords.yaml", "admin: hush\n")
    file.chmod(0o640)
    with pytest.raises(InputError) as caught:
        passwords(file, {})
    assert caught.value.hint == f"chmod 600 {file}"


def test_what_is_given_is_kept_when_all_of_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    kept = Credentials(path)
    before = kept["admin"]
    kept.keep()
    given = Credentials(path, {"admin": SecretStr("mine"), "admim": SecretStr("typo")})
    assert given["admin"].get_secret_value() == "mine"
    assert [*given.unused] == ["admim"]
    assert {"mine", before.get_secret_value()} <= {*given.values()}, "both are masked"
    assert Credentials(path)["admin"] == before, "nothing is kept yet"
    given.keep()
    assert Credentials(path)["admin"].get_secret_value() == "mine"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_encrypted_already_keeps_its_key(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    names = ("heat_encryption", "ceph_key_nova", "ceph_nova")
    new = {name: SecretStr("a" * 32) for name in names}
    assert Credentials(path, new).replacing() == []
    Credentials(path, new).keep()
    other = {name: SecretStr("c" * 32) for name in names}
    assert Credentials(path, other).replacing() == ["ceph_nova", "heat_encryption"]
    assert Credentials(path).renew() == []


def test_keys_of_a_ceph_that_is_there_are_read_from_its_keyrings(tmp_path: Path) -> None:
    for client in ("glance", "cinder", "nova"):
        keyring = (
            f'[client.{client}]\n\tkey = {KEY}\n\tcaps mon = "profile rbd"\n\tcaps osd = "profile rbd"\n'
        )
        private(tmp_path / f"ceph.client.{client}.keyring", keyring)
    kept = Credentials(tmp_path / "passwords.json")
    found = ceph_keys(cloud(tmp_path), kept)
    assert {name: one.value.get_secret_value() for name, one in found.items()} == dict.fromkeys(
        ("ceph_key_glance", "ceph_key_cinder", "ceph_key_nova"), KEY
    )
    assert [*ceph_keys(cloud(tmp_path, disks="local", volumes="lvm"), kept)] == ["ceph_key_glance"]
    # once they are kept, the folder may go
    (tmp_path / "passwords.json").write_text(json.dumps(dict.fromkeys(found, KEY)))
    assert ceph_keys(cloud(tmp_path / "gone"), kept) == {}


def test_keyrings_that_can_not_be_used_are_told_together(tmp_path: Path) -> None:
    private(tmp_path / "ceph.client.glance.keyring", "[client.admin]\n\tkey = s3cret\n")
    private(tmp_path / "ceph.client.cinder.keyring", "[client.cinder]\n\tkey = s3cret\n")
    with pytest.raises(DataError) as caught:
        ceph_keys(cloud(tmp_path), Credentials(tmp_path / "passwords.json"))
    said = str(caught.value)
    assert "it has no key of client.glance" in said
    assert "the key of client.cinder is none of Ceph's" in said
    assert "ceph.client.nova.keyring: can't be read" in said
    assert "s3cret" not in said


def test_files_that_a_cloud_s_file_names_are_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(
        "hosts: [{name: one, address: 192.0.2.10}]\nrepository: http://192.0.2.1\nrepository_key: KEY\n"
        "storage:\n  cluster:\n    fsid: 4b5c8c0a-ff60-454b-a1b4-9747aa737d19\n"
        "    monitors: [192.0.2.50]\n    keyrings: keys\n"
    )
    found = read_cloud(path)
    assert found.repository_key == str(tmp_path / "KEY")
    assert found.storage.cluster is not None and found.storage.cluster.keyrings == tmp_path / "keys"
    assert Cloud.model_validate_json(found.model_dump_json()) == found
