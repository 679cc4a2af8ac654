"""A small disk image for trying a cloud with: Debian's kernel and an initramfs of busybox and dropbear.

It does what a cloud asks of a guest and no more: DHCP with the network's MTU and routes, the SSH key, name
and user data of the metadata service, a console that says how it went. It needs about 160 MiB of memory and
is up in some seconds even without KVM. Images for real use are those of the distributions.

It is made in a sealed root from the platform's own packages, and kept by what goes into it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from rdo.building.debs import DebPool
from rdo.building.roots import ensure_build_root, ensure_grown, temporary
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError
from rdo.common.files import locked, sha256_bytes
from rdo.common.installation import Installation
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform

FORMAT = 1
_PLATFORM = "debian13"
_KERNEL = "linux-image-cloud-amd64"
_TOOLS = (
    "busybox-static",
    "cpio",
    "dosfstools",
    "dropbear-bin",
    "fdisk",
    "mtools",
    "qemu-utils",
    "syslinux",
    "syslinux-common",
    "xz-utils",
)
# In the order in which they are loaded.
_MODULES = """
    failover net_failover virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
    virtio_blk virtio_net
"""


def ensure_guest_image(
    distribution: Distribution, installation: Installation, progress: Progress | None = None
) -> Path:
    """Return the image's qcow2 file; it is made where it is not there yet.

    :raises RdoError: it can't be made; the message has the last lines of what failed
    """
    report = progress or SilentProgress()
    platform = distribution.platform(_PLATFORM)
    scripts = {
        name: (files("rdo.cloud") / "files" / name).read_bytes() for name in ("guest-init", "guest-image")
    }
    pool = DebPool(ensure_build_root(platform, installation, report), installation)
    meta = pool.get(_KERNEL)
    if meta is None:
        raise RdoError(f"{platform.name} has no package {_KERNEL}.")
    kernel = next(
        (
            deb
            for group in meta.depends
            for name in group
            if (deb := pool.get(name)) and "linux-image" in name
        ),
        None,
    )
    if kernel is None:
        raise RdoError(f"{_KERNEL} of {platform.name} needs no kernel.")
    inputs = [FORMAT, kernel.sha256, _MODULES.split(), {n: sha256_bytes(t) for n, t in scripts.items()}]
    folder = installation.paths.cache / "images" / sha256_bytes(json.dumps(inputs).encode())
    image = folder / "guest.qcow2"
    if image.exists():
        return image
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not image.exists():
            with report.task("Image for guests"):
                pool.fetch([kernel], report)
                _make(platform, installation, report, pool.layer(kernel).path, scripts, folder)
    return image


def _make(
    platform: Platform,
    installation: Installation,
    report: Progress,
    kernel: Path,
    scripts: dict[str, bytes],
    target: Path,
) -> None:
    base = ensure_build_root(platform, installation, report)
    root = ensure_grown(base, _TOOLS, installation, report, title="Tools for disk images")
    with temporary(target.parent) as folder:
        for name, text in scripts.items():
            (folder / name).write_bytes(text)
        out = folder / "made"
        out.mkdir()
        result = root.sandbox(installation.paths).run(
            ["/bin/sh", "-eu", "/run/in-script", *_MODULES.split()],
            # the files of an initramfs are root's
            user="root",
            binds=[
                Bind(folder / "guest-image", "/run/in-script"),
                Bind(folder / "guest-init", "/run/in-init"),
                Bind(kernel, "/run/kernel"),
                Bind(out, "/run/out", writable=True),
            ],
            limits=Limits(timeout=600),
        )
        if not result.ok:
            raise RdoError(f"The image for guests could not be made:\n{result.tail.strip()[-1500:]}")
        out.rename(target)
