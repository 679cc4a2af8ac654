from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cloud.testhosts.disk import check_layers, ensure_private, make_disk
from rdo.common.errors import InputError, RdoError


def test_disk_has_what_makes_a_host_itself(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "etc/ssh").mkdir(parents=True)
    (layer / "root").mkdir(mode=0o700)
    key = make_disk(tmp_path / "disk", "web", [layer], "ssh-ed25519 AAAA rdo")
    upper = tmp_path / "disk/upper"
    assert (upper / "etc/hostname").read_text() == "web\n"
    assert len((upper / "etc/machine-id").read_text().strip()) == 32
    assert (upper / "root/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA rdo\n"
    assert (upper / "root").stat().st_mode & 0o777 == 0o700
    assert (upper / "root/.ssh").stat().st_mode & 0o777 == 0o700
    assert (upper / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert key.split()[0] == "ssh-ed25519"
    other = make_disk(tmp_path / "disk2", "db", [layer], "ssh-ed25519 AAAA rdo")
    assert other.split()[1] != key.split()[1]


def test_layers_that_overlayfs_cannot_name(tmp_path: Path) -> None:
    odd = tmp_path / "a,b"
    odd.mkdir()
    with pytest.raises(InputError, match="overlayfs"):
        check_layers([odd])
    with pytest.raises(InputError, match="not there"):
        check_layers([tmp_path / "absent"])
    check_layers([tmp_path])


def test_private_folder_where_anybody_may_write(tmp_path: Path) -> None:
    folder = ensure_private(tmp_path / "ours")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert ensure_private(folder) == folder
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").write_text("")
    for other in ("link", "open", "file"):
        with pytest.raises(RdoError, match="not a private folder of ours"):
            ensure_private(tmp_path / other)
