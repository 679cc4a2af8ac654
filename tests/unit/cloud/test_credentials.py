"""Passwords are made once and kept where only their owner reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.credentials import Credentials
from rdo.common.errors import InputError


def test_a_password_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "cloud" / "passwords.json"
    credentials = Credentials(path)
    first = credentials["admin"]
    assert len(first.get_secret_value()) == 32 and credentials["admin"] == first
    assert credentials.fresh == {"admin"} and first.get_secret_value() in credentials.values()
    assert not path.parent.exists(), "who only looks leaves nothing behind"
    credentials.keep()
    assert credentials.fresh == set()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Credentials(path)
    assert again["admin"] == first
    assert again["other"] != first
    assert again["admin"] == first


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    path.write_text('{"admin": ')
    with pytest.raises(InputError, match=r"passwords\.json:1"):
        Credentials(path)["admin"]
    assert path.read_text() == '{"admin": '


def test_renewed_passwords_are_others_but_for_cephs(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "passwords.json")
    old = {name: credentials[name].get_secret_value() for name in ("admin", "nova_database", "ceph_nova")}
    credentials.keep()
    assert credentials.renew() == ["admin", "nova_database"]
    again = Credentials(tmp_path / "passwords.json")
    same = {name for name, value in old.items() if again[name].get_secret_value() == value}
    assert same == {"ceph_nova"}
    assert (tmp_path / "passwords.json").stat().st_mode & 0o777 == 0o600
