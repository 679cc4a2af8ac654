"""Which guest a cloud is verified with: the small one of ours, or an image that the operator names.

Ours is made from a Debian mirror in a build root; a host that has neither takes an image of a distribution,
from a file or from an address together with its hash.
"""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx

from rdo.cloud.guestimage import ensure_guest_image
from rdo.common.download import download
from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_file
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress, Task
from rdo.distribution.load import Distribution
from rdo.upstream.source_cache import SourceCache

_GIB = 2**30
_LIMIT = 4 * 3600.0
"""Seconds for a download."""
_LONGEST = 64 * _GIB


@dataclass(frozen=True)
class Guest:
    """An image, and what machines of it need.

    :param file: of qcow2's format, or raw
    :param login: whom its SSH lets in with the metadata's key
    :param own: whether it is ours, which says on its console how it goes
    :param ram: MiB
    :param disk: GiB
    :param patience: seconds within which a machine is up, without KVM and beside others
    """

    file: Path
    login: str = "root"
    own: bool = True
    format: str = "qcow2"
    ram: int = 192
    disk: int = 1
    patience: int = 180


def small_guest(distribution: Distribution, installation: Installation, progress: Progress) -> Guest:
    """Return the small guest of ours, made where it is not there yet."""
    return Guest(ensure_guest_image(distribution, installation, progress))


def given_guest(
    place: str, paths: Paths, progress: Progress, *, sha256: str | None, login: str, ram: int
) -> Guest:
    """Return a guest from an image that the operator names.

    :param place: a file, or an http(s) address
    :param sha256: the image's hash; an address needs it, a file is compared where it is said
    :raises InputError: the file can't be read, is not what the hash says, or an address has no hash
    :raises RdoError: the address can't be had, or gives something else than the hash says
    """
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError(f"--image-sha256 {sha256}: not 64 hexadecimal digits.")
    if not re.fullmatch("[a-z_][a-z0-9_-]{0,31}", login):
        raise InputError(f"--image-login {login}: no name of an account.")
    if urlsplit(place).scheme in ("http", "https"):
        if sha256 is None:
            raise InputError(
                "An image that is downloaded is checked: --image-sha256 is missing.",
                hint="Distributions publish the hashes beside their images.",
            )
        file = _download(place, sha256, paths, progress)
    else:
        file = Path(place)
        if not file.is_file():
            raise InputError(f"--image {place}: there is no such file.")
        if sha256 is not None and (found := sha256_file(file)) != sha256:
            raise InputError(f"--image {place}: its SHA-256 is {found}, not what --image-sha256 says.")
    with file.open("rb") as content:
        format_, size = _kind(content, file)
    disk = max(1, -(-size // _GIB))
    # a distribution's guest takes minutes where there is no KVM
    return Guest(file, login, own=False, format=format_, ram=ram, disk=disk, patience=600)


def _download(url: str, sha256: str, paths: Paths, progress: Progress) -> Path:
    cache = SourceCache(paths.sources)
    name = urlsplit(url).path.rpartition("/")[2] or "image"
    if (found := cache.find(name, sha256)) is not None:
        return found.path

    def write(target: IO[bytes]) -> None:
        with contextlib.ExitStack() as shown:
            told: list[Task] = []

            def begin(size: int | None) -> None:
                total = None if size is None else -(-size // 2**20)
                told.append(shown.enter_context(progress.task(f"Downloading {name} (MiB)", total)))

            def take(part: bytes) -> None:
                target.write(part)
                told[0].advance()

            download(url, take, limit=_LIMIT, longest=_LONGEST, begin=begin)

    try:
        return cache.add(name, sha256, write).path
    except httpx.HTTPError as error:
        raise RdoError(f"{url} can't be had: {error}", hint="--image takes a file as well.") from error


def _kind(content: IO[bytes], file: Path) -> tuple[str, int]:
    """Return an image's format for Glance and the bytes of its disk.

    qcow2's header has them at byte 24, big-endian (QEMU, docs/interop/qcow2.txt).
    """
    head = content.read(32)
    if head[:4] == b"QFI\xfb" and len(head) == 32:
        return "qcow2", struct.unpack(">Q", head[24:32])[0]
    size = file.stat().st_size
    content.seek(510)
    if content.read(2) == b"\x55\xaa":
        # a disk whose first block is one of a partition table
        return "raw", size
    raise InputError(f"{file} is neither a qcow2 image nor a raw one with a partition table.")
