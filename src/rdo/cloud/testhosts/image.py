"""The base that test hosts share: the platform's root, what a host has besides it, and its records for RPM.

Three layers above the platform's base root, each named by a hash over what it is made from:

1. the platform's host packages, installed with their maintainer scripts (they make a database's folder);
2. the debs that a resolution takes from the platform, where there are any;
3. settings, and the RPM database with a stub for each deb of the layers below, so that the host's own dnf
   resolves our packages against what is there.

What makes one host differ from another (name, machine id, ssh host key) is not in it: see :mod:`.disk`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdo.building.roots import Layer, Root, ensure_base, ensure_grown, temporary
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind
from rdo.building.stubs import Names, describe_installed, write_stub_rpms
from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, sha256_bytes
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress
from rdo.distribution.models import DebootstrapRoot, Platform
from rdo.packaging import macros

# Part of the settings layer's name; raised when the way it is made changes.
_FORMAT = 1

Files = Mapping[str, tuple[bytes, int]]

# None of these has anything to do in a namespace, and some would fail or wait there.
MASKED_UNITS = (
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "run-rpc_pipefs.mount",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "systemd-modules-load.service",
    "modprobe@.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "getty.target",
    "getty@.service",
    "console-getty.service",
    "container-getty@.service",
    "apt-daily.timer",
    "apt-daily.service",
    "apt-daily-upgrade.timer",
    "apt-daily-upgrade.service",
    "dpkg-db-backup.timer",
    "fstrim.timer",
    "systemd-timesyncd.service",
)

# EL has them from the start, and people put files there by hand.
_FOLDERS = ("/etc/yum.repos.d", "/etc/pki/rpm-gpg")

_SSHD = """\
# Of rdo: root comes in with the installation's key, nobody with a password.
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
PrintMotd no
"""

# Debian enables what it installs. Test hosts do as EL does: what runs is what somebody enabled.
_PRESETS = {
    "/etc/systemd/system-preset/10-rdo-host.preset": "enable ssh.service\nenable dbus.socket\n",
    "/etc/systemd/system-preset/99-default-disable.preset": "disable *\n",
}

# The "local" plugin that Debian's dnf comes with fails without a network.
_DNF = """\
[main]
gpgcheck=1
plugins=0
reposdir=/etc/yum.repos.d
installonly_limit=3
clean_requirements_on_remove=1
best=1
skip_if_unavailable=0
"""

# Private keys don't belong in what hosts share.
_WITHOUT_KEYS = "rm -f /etc/ssh/ssh_host_*"

# The last line says that caches and users are made: the units that see to it have nothing to do at boot.
_RECORD = """
systemctl preset-all --preset-mode=disable-only
rpm --initdb
ls /stubs/*.rpm >/tmp/stubs
rpm --install --justdb --nodeps --nosignature --nodigest --noscripts --notriggers --force \
    /tmp/stubs
touch /etc/.updated /var/.updated
"""


def ensure_host_base(
    platform: Platform,
    installation: Installation,
    extra_debs: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[Path]:
    """Return the layers that hosts of a platform boot from, topmost first; make those that are not there.

    :param extra_debs: what a resolution takes from the platform: runtime requirements of our packages
    :raises InputError: hosts of this platform can't be made, or not root
    :raises RdoError: a package could not be installed; the message has apt's last lines
    """
    require_hosts(platform)
    base = ensure_base(platform, installation, progress)
    root = ensure_grown(
        Root((base,)),
        platform.host_packages,
        installation,
        progress,
        title=f"Host packages of {platform.name}",
        script=_WITHOUT_KEYS,
    )
    if extra_debs:
        root = ensure_grown(
            root,
            sorted(set(extra_debs)),
            installation,
            progress,
            title="Debs that our packages need",
            script=_WITHOUT_KEYS,
        )
    top = _ensure_settings(platform, root, base, installation.paths, progress or SilentProgress())
    return [top, *(layer.path for layer in root.layers)]


def require_hosts(platform: Platform) -> None:
    """Do nothing where test hosts of a platform can be made.

    :raises InputError: they can't
    """
    if not isinstance(platform.root, DebootstrapRoot):
        raise InputError(
            f"Test hosts of {platform.name} can't be made yet.", hint="Take debian13: --platform debian13"
        )


def host_files(platform: Platform) -> dict[str, tuple[bytes, int]]:
    """Return what is laid into every host, by path: (content, mode)."""
    files: dict[str, tuple[bytes, int]] = {
        "/etc/ssh/sshd_config.d/10-rdo.conf": (_SSHD.encode(), 0o644),
        "/etc/dnf/dnf.conf": (_DNF.encode(), 0o644),
        "/etc/dnf/vars/releasever": (platform.dist.lstrip(".").encode() + b"\n", 0o644),
        "/etc/machine-id": (b"", 0o444),
        "/etc/default/locale": (b"LANG=C.UTF-8\n", 0o644),
        **{path: (text.encode(), 0o644) for path, text in _PRESETS.items()},
    }
    files |= macros.host_files(platform)
    return files


def stub_records(platform: Platform, root: Root, paths: Paths) -> list[RpmInfo]:
    """Return the records of everything that a host's root has, as RPM sees it."""
    names = Names(platform)
    records = describe_installed(root, names, paths)
    offered = {provide for record in records for provide in record.provides}
    whole = [record for record in names.meta_records() if offered.issuperset(record.requires)]
    accounts = next(layer.path for layer in root.layers if (layer.path / "etc/passwd").is_file())
    return [*records, *whole, names.platform_record(accounts)]


def _ensure_settings(platform: Platform, root: Root, base: Layer, paths: Paths, progress: Progress) -> Path:
    files = host_files(platform)
    records = stub_records(platform, root, paths)
    stated = {
        "format": _FORMAT,
        "root": root.id,
        "files": {path: [sha256_bytes(content), mode] for path, (content, mode) in sorted(files.items())},
        "masked": MASKED_UNITS,
        "folders": _FOLDERS,
        "record": _RECORD,
        "stubs": sorted(sha256_bytes(record.model_dump_json().encode()) for record in records),
    }
    identity = sha256_bytes(json.dumps(stated).encode())
    folder = paths.layers / "hosts"
    target = folder / identity
    with locked(folder / f"{identity}.lock"):
        if not target.exists():
            with (
                progress.task(f"Settings of {platform.name} hosts"),
                temporary(folder) as work,
                temporary(folder) as bench,
            ):
                stubs = write_stub_rpms(records, paths.layers / "stubs", Root((base,)), paths)
                (bench / "stubs").mkdir()
                for number, stub in enumerate(stubs.values()):
                    (bench / "stubs" / f"{number}.rpm").hardlink_to(stub)
                _lay(files, work / "root")
                _record(root, work, bench / "stubs", paths)
                shutil.rmtree(work / "work", ignore_errors=True)
                work.rename(target)
    return target / "root"


def _lay(files: Files, top: Path) -> None:
    for path, (content, mode) in files.items():
        place = top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)
    for folder in _FOLDERS:
        (top / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    units = top / "etc/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for unit in MASKED_UNITS:
        (units / unit).symlink_to("/dev/null")


def _record(root: Root, work: Path, stubs: Path, paths: Paths) -> None:
    result = root.sandbox(paths).run(
        ["/bin/sh", "-ec", _RECORD], user="root", keep=work, binds=[Bind(stubs, "/stubs")]
    )
    if not result.ok:
        raise RdoError(f"The host's RPM database could not be made: {result.tail.strip()[-1500:]}")
