from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from rdo.common.errors import InputError, RdoError
from rdo.common.paths import Paths
from rdo.repository import keys
from rdo.repository.keys import Key


@pytest.fixture
def installed(key: Key, paths: Paths) -> Paths:
    """An installation that has the key."""
    shutil.copytree(key.path.parent, paths.keys)
    return paths


def test_a_key_is_for_its_owner_only(key: Key) -> None:
    assert stat.S_IMODE(key.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert key.user_id == "Tester <tester@example.org>"
    assert b"PRIVATE KEY" in key.secret()
    assert "PRIVATE" not in repr(key) + str(key) + key.public
    assert keys.fingerprint(key.public) == key.fingerprint
    assert len(key.fingerprint) == len(key.signing_fingerprint) == 40
    assert key.fingerprint != key.signing_fingerprint


def test_a_key_is_never_overwritten(installed: Paths, key: Key) -> None:
    before = (installed.keys / key.path.name).read_bytes()
    with pytest.raises(InputError, match="already") as caught:
        keys.create(installed)
    assert caught.value.exit_status == 2
    assert (installed.keys / key.path.name).read_bytes() == before
    assert keys.ensure(installed).fingerprint == key.fingerprint


def test_without_a_key_the_command_that_makes_one_is_named(paths: Paths) -> None:
    with pytest.raises(InputError) as caught:
        keys.load(paths)
    assert "rdo key create" in caught.value.diagnostics()
    assert not paths.state.exists()


@pytest.mark.parametrize(
    ("name", "email"),
    [("", "a@b.c"), ("A <x>", "a@b.c"), ("A\nB", "a@b.c"), (" A", "a@b.c"), ("A", "nobody"), ("A", "a b@c")],
)
def test_bad_owners_are_refused_before_anything_is_made(paths: Paths, name: str, email: str) -> None:
    with pytest.raises(InputError):
        keys.create(paths, name=name, email=email)
    assert not paths.state.exists()


def test_a_damaged_key_is_said_to_be_damaged(paths: Paths, key: Key) -> None:
    paths.keys.mkdir(parents=True)
    (paths.keys / key.path.name).write_text("junk")
    with pytest.raises(RdoError, match="damaged") as caught:
        keys.load(paths)
    assert "backtrace" not in caught.value.diagnostics()


def test_a_key_that_others_can_read_is_not_used(installed: Paths, key: Key) -> None:
    (installed.keys / key.path.name).chmod(0o640)
    with pytest.raises(RdoError, match="0640"):
        keys.load(installed).sign_detached(b"data")


def test_detached_signatures(key: Key, tmp_path: Path) -> None:
    signature = key.sign_detached(b"data")
    assert signature.startswith("-----BEGIN PGP SIGNATURE-----")
    assert key.verify_detached(b"data", signature)
    assert not key.verify_detached(b"other data", signature)
    assert not key.verify_detached(b"data", "no signature")
