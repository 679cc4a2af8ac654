"""A host's own disk: the overlay's upper layer, with what makes this host differ from all others."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Sequence
from pathlib import Path

from rdo.cloud.testhosts.ssh import HOST_KEY, make_key
from rdo.common.errors import InputError, RdoError

_SEPARATORS = ",:\\"


def check_layers(layers: Sequence[Path]) -> None:
    """Check that layers, topmost first, can be mounted.

    :raises InputError: one is not there, or its path holds what separates overlayfs's options
    """
    for layer in layers:
        if any(separator in str(layer) for separator in _SEPARATORS):
            raise InputError(f"overlayfs can't mount {layer}: its path holds one of {_SEPARATORS}.")
        if not layer.is_dir():
            raise InputError(f"The layer {layer} is not there.")


def ensure_private(folder: Path) -> Path:
    """Make a folder for this user alone in one that anybody may write to, and return it.

    :raises RdoError: somebody else made it before: what is put there could be redirected
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise RdoError(
                f"{folder} is not a private folder of ours.",
                hint="Find out who made it, and remove it; or keep the disks out of memory.",
            ) from None
    return folder


def make_disk(disk: Path, name: str, layers: Sequence[Path], authorized_key: str) -> str:
    """Make ``upper`` and ``work`` in ``disk``; return the host's public ssh key line.

    The host gets its name, a machine id (so that nothing takes this for an installation's first boot), an ssh
    host key and the one key that may log in as root; there are no passwords.
    """
    upper = disk / "upper"
    upper.mkdir(parents=True)
    (disk / "work").mkdir()
    _copy_owner_and_mode(layers, Path("."), upper)
    _write(upper, layers, Path("etc/hostname"), f"{name}\n")
    _write(upper, layers, Path("etc/machine-id"), f"{uuid.uuid4().hex}\n", 0o444)
    _write(upper, layers, Path("etc/hosts"), f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    _write(upper, layers, Path("root/.ssh/authorized_keys"), f"{authorized_key}\n", 0o600)
    (upper / "root/.ssh").chmod(0o700)
    _make_folders(upper, layers, HOST_KEY.parent)
    make_key(upper / HOST_KEY, f"root@{name}")
    return (upper / f"{HOST_KEY}.pub").read_text().strip()


def _write(upper: Path, layers: Sequence[Path], place: Path, text: str, mode: int = 0o644) -> None:
    _make_folders(upper, layers, place.parent)
    target = upper / place
    target.write_text(text)
    target.chmod(mode)


def _make_folders(upper: Path, layers: Sequence[Path], place: Path) -> None:
    # A folder in the upper layer hides owner and mode of the one below it: they have to be the same.
    for folder in [*reversed(place.parents), place][1:]:
        if not (upper / folder).is_dir():
            (upper / folder).mkdir()
            _copy_owner_and_mode(layers, folder, upper / folder)


def _copy_owner_and_mode(layers: Sequence[Path], place: Path, target: Path) -> None:
    for layer in layers:
        original = layer / place
        if original.is_dir():
            found = original.stat()
            os.chown(target, found.st_uid, found.st_gid)
            shutil.copymode(original, target)
            return
    target.chmod(0o755)
