"""Base roots and the layers that grow on them.

A base root is made once from the platform's description, by debootstrap or by ``dnf --installroot``, and
named by the hash of that description and of what was installed by it. It lies in ``<cache>/roots/<id>/``:
``root`` is the tree, ``lists`` the package manager's signed indexes of that moment, ``installed.json`` the
packages with their versions. Layers that need the network or maintainer scripts (tools, test hosts) are grown
on it by :func:`ensure_grown`; RPM macros are a small layer of their own, so that changing one does not make a
root anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rdo.building.sealed import Bind, Limits, Sandbox, owner_mark, scratch_folder
from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, make_folder, sha256_bytes, write_atomically
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.process import run
from rdo.common.progress import Progress, SilentProgress
from rdo.common.settings import Settings
from rdo.common.trees import read_within
from rdo.distribution.load import Distribution
from rdo.distribution.models import DebootstrapRoot, DnfRoot, Platform, RpmRepository
from rdo.distribution.repository_keys import key_of
from rdo.distribution.rpm_repositories import resolved

# Part of every root's and layer's identity; raised when the way they are made changes.
FORMAT = 1

TOOLS = ("rpm", "dnf", "rpmlint", "createrepo-c", "gnupg", "sq", "sqv", "zstd")

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Layer:
    """A read-only tree for an overlay; ``id`` names its content."""

    id: str
    path: Path


@dataclass(frozen=True)
class Root:
    """Layers, topmost first, that make a whole root together."""

    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """Hash over the layers in their order."""
        return sha256_bytes("\n".join(layer.id for layer in self.layers).encode())

    def sandbox(self, paths: Paths, above: Sequence[Layer] = ()) -> Sandbox:
        """Return a sandbox of these layers, with others above them."""
        return Sandbox([layer.path for layer in (*above, *self.layers)], scratch_folder(paths))


def ensure_base(
    platform: Platform,
    installation: Installation,
    progress: Progress | None = None,
    *,
    tools: Root | None = None,
) -> Layer:
    """Return the platform's base root; make it if it is not there. Two processes make it only once.

    :param tools: for platforms made by dnf: a root that has dnf, instead of :func:`ensure_tools`'s
    :raises RdoError: it could not be made; the message has the tool's last lines
    """
    paths = installation.paths
    inputs = sha256_bytes(
        json.dumps(
            [FORMAT, platform.architecture, platform.python, platform.root.model_dump(mode="json")]
        ).encode()
    )
    pointer = paths.roots / "by-inputs" / inputs
    if os.geteuid() == 0:
        protect(paths)
    if (found := _pointed(paths, pointer)) is not None:
        return found
    _need_root()
    with locked(paths.roots / "by-inputs" / f"{inputs}.lock"):
        if (found := _pointed(paths, pointer)) is not None:
            return found
        report = progress or SilentProgress()
        with report.task(f"Base root of {platform.name}"), temporary(paths.roots) as folder:
            if isinstance(platform.root, DebootstrapRoot):
                installed = _debootstrap(platform.root, folder, installation.settings)
            else:
                tools = tools or ensure_tools(platform, installation, progress)
                installed = _dnf(platform, platform.root, folder, installation, tools)
            text = json.dumps(installed, indent=1, sort_keys=True)
            # written beside and renamed: what ran in there may have left a link of this name
            write_atomically(folder / "installed.json", text)
            identity = sha256_bytes(f"{inputs}\n{text}".encode())
            target = paths.roots / identity
            if not target.exists():
                folder.rename(target)
        write_atomically(pointer, identity)
        return Layer(identity, target / "root")


def ensure_build_root(
    platform: Platform, installation: Installation, progress: Progress | None = None
) -> Root:
    """Return the minimal build root: the base and, where the platform lacks EL's macros, a layer of ours."""
    base = ensure_base(platform, installation, progress)
    files, commands = _macros(platform)
    if not files and not commands:
        return Root((base,))
    digest = json.dumps([FORMAT, base.id, {p: [sha256_bytes(b), m] for p, (b, m) in files.items()}, commands])
    identity = sha256_bytes(digest.encode())

    def lay(folder: Path) -> None:
        for path, (content, mode) in files.items():
            target = folder / "root" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(mode)
            os.utime(target, (0, 0))
        if commands:
            script = "set -e\n" + "\n".join(commands)
            result = Sandbox([base.path], scratch_folder(installation.paths)).run(
                ["/bin/sh", "-c", script], user="root", keep=folder
            )
            if not result.ok:
                raise RdoError(f"The platform's macros could not be laid down: {result.tail.strip()}")

    return Root((_ensure(installation.paths.layers / "macros", identity, lay), base))


def ensure_tools(platform: Platform, installation: Installation, progress: Progress | None = None) -> Root:
    """Return a root that signs, checks and installs RPMs: the base with dnf, rpmlint, gnupg and sq.

    Platforms made by dnf have none of their own: theirs is that of the first platform made by debootstrap.

    :raises InputError: there is no such platform
    """
    if isinstance(platform.root, DnfRoot):
        platform = _debootstrapped(installation.paths)
    below = Root((ensure_base(platform, installation, progress),))
    return ensure_grown(below, TOOLS, installation, progress, title="Tools root")


def ensure_grown(
    below: Root,
    packages: Sequence[str],
    installation: Installation,
    progress: Progress | None = None,
    *,
    title: str = "Layer of packages",
    script: str = "",
) -> Root:
    """Return ``below`` with a layer in which apt installed packages, maintainer scripts and all.

    Services are not started. The layer's name is a hash over what is below it, the packages and ``script``,
    shell text that root runs inside afterwards.

    :raises RdoError: apt or the script failed
    """
    identity = sha256_bytes(json.dumps([FORMAT, below.id, sorted(packages), script]).encode())

    def grow(folder: Path) -> None:
        _need_root()
        report = progress or SilentProgress()
        lists = below.layers[-1].path.parent / "lists"
        with report.task(title), locked(lists.with_suffix(".lock")):
            result = below.sandbox(installation.paths).run(
                ["/bin/sh", "-ec", _GROW, "grow", script, *packages],
                user="root",
                keep=folder,
                network=True,
                env={"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", **installation.settings.proxies},
                binds=[*network_binds(), Bind(lists, "/var/lib/apt/lists", writable=True)],
                limits=Limits(timeout=1800),
            )
        if not result.ok:
            raise RdoError(f"{title}: {result.tail.strip()[-1500:]}")

    return Root((_ensure(installation.paths.layers / "grown", identity, grow), *below.layers))


def _debootstrapped(paths: Paths) -> Platform:
    distribution = Distribution.load(paths.distribution)
    for name in distribution.platforms():
        if isinstance((found := distribution.platform(name)).root, DebootstrapRoot):
            return found
    raise InputError("The data has no platform made by debootstrap, whose tools all platforms use.")


def installed(base: Layer) -> dict[str, str]:
    """Return what a base root has: names of packages -> versions."""
    content: dict[str, str] = json.loads((base.path.parent / "installed.json").read_text())
    return content


def protect(paths: Paths) -> None:
    """Make the folders of roots and layers, for root alone: set-user-id programs of any age lie in there."""
    for folder in (paths.roots, paths.layers):
        make_folder(folder, private=True)


@contextmanager
def temporary(parent: Path) -> Iterator[Path]:
    """Make a folder that bears its owner's mark and that is removed at the end, if it is still there."""
    make_folder(parent)
    folder = parent / f"tmp-{owner_mark()}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def mirror(settings: Settings) -> str:
    """Return the Debian mirror: the settings', or the one of this machine's apt sources.

    :raises InputError: neither names one
    """
    if settings.debian_mirror:
        return settings.debian_mirror.rstrip("/")
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        if place.is_file() and place.suffix in (".list", ".sources"):
            for found in re.findall(r"^(?:deb |URIs:).*?(\w+://\S+)", place.read_text(), re.MULTILINE):
                if re.search(r"/debian/?$", found):
                    return str(found).rstrip("/")
    raise InputError(
        "This machine's apt sources name no Debian mirror.",
        hint="Set RDO_DEBIAN_MIRROR to the address of one; it ends in /debian.",
    )


def network_binds() -> list[Bind]:
    """Return what a command that may download needs of the host: name servers and certificates."""
    places = [Path("/etc/resolv.conf"), Path("/etc/hosts"), Path("/etc/ssl/certs")]
    return [Bind(place.resolve(), str(place)) for place in places if place.exists()]


def _ensure(parent: Path, identity: str, make: Callable[[Path], None]) -> Layer:
    target = parent / identity
    if not target.exists():
        with locked(parent / f"{identity}.lock"):
            if not target.exists():
                with temporary(parent) as folder:
                    make(folder)
                    shutil.rmtree(folder / "work", ignore_errors=True)
                    folder.rename(target)
    return Layer(identity, target / "root")


def _pointed(paths: Paths, pointer: Path) -> Layer | None:
    if not pointer.exists():
        return None
    identity = pointer.read_text()
    folder = paths.roots / identity
    return Layer(identity, folder / "root") if (folder / "installed.json").exists() else None


def _need_root() -> None:
    if os.geteuid() != 0:
        raise InputError("Making a root needs root's rights.", hint="Run it as root, or with sudo.")


def _macros(platform: Platform) -> tuple[dict[str, tuple[bytes, int]], list[str]]:
    if find_spec("rdo.packaging.macros") is None:
        return {}, []
    from rdo.packaging import macros

    return dict(macros.root_files(platform)), list(macros.root_commands(platform))


# The whole root is made on a tmpfs in a private mount namespace (dpkg syncs a lot, and nothing stays mounted)
# and then copied out. What is written into it is written from inside: packages may have brought links.
_DEBOOTSTRAP = r"""
folder=$1 suite=$2 mirror=$3 keyring=$4 settings=$5 tidy=$6
shift 6
mkdir "$folder/m" "$folder/root"
mount -t tmpfs -o size=8g,mode=755 tmpfs "$folder/m"
R=$folder/m
debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" "$suite" "$R" "$mirror" >&2
mountpoint -q "$R/proc" || mount -t proc proc "$R/proc"
chroot "$R" sh -ec "$settings" settings "$mirror" "$suite" </etc/resolv.conf
export DEBIAN_FRONTEND=noninteractive
chroot "$R" apt-get -q update >&2
[ $# -eq 0 ] || chroot "$R" apt-get -q -y install "$@" >&2
chroot "$R" apt-get clean
chroot "$R" sh -ec "$tidy"
umount "$R/proc"
chroot "$R" tar -C /var/lib/apt -cf - lists | tar -C "$folder" -xf -
chroot "$R" sh -c 'rm -rf /var/lib/apt/lists/* /tmp/* /dev/*'
cp -a "$R/." "$folder/root/"
chroot "$R" dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n'
umount "$R"
rmdir "$R"
"""

# Run inside, with the name servers' file as standard input.
_SETTINGS = r"""
printf 'deb %s %s main\n' "$1" "$2" >/etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
printf 'path-exclude=/usr/share/%s/*\n' doc man info lintian >/etc/dpkg/dpkg.cfg.d/rdo
echo force-unsafe-io >>/etc/dpkg/dpkg.cfg.d/rdo
printf 'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\n' >/etc/apt/apt.conf.d/90rdo
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
rm -f /etc/resolv.conf
cat >/etc/resolv.conf
"""

_TIDY = r"""
rm -f /usr/sbin/policy-rc.d /etc/resolv.conf /etc/machine-id /var/cache/apt/*.bin
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/info/* /var/log/* /var/cache/debconf/*
: >/etc/machine-id
echo buildhost >/etc/hostname
"""

_GROW = r"""
script=$1
shift
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
[ $# -eq 0 ] || apt-get -q -y install "$@"
[ -z "$script" ] || sh -ec "$script"
rm -f /usr/sbin/policy-rc.d /var/cache/apt/*.bin
apt-get clean
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/info/* /tmp/*
"""


def private(
    script: str, arguments: Sequence[str], proxies: Mapping[str, str], *, timeout: float = 1800.0
) -> str:
    """Run shell text as root in mount and PID namespaces that end with us; return what it wrote to stdout."""
    command = ["setpriv", "--pdeathsig=KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    command += ["--mount-proc", "--propagation", "private", "--"]
    command += ["sh", "-ec", f"umask 022\n{script}", "rdo", *arguments]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **proxies}
    return run(command, env=env, timeout=timeout).stdout


def _debootstrap(root: DebootstrapRoot, folder: Path, settings: Settings) -> dict[str, str]:
    if not _KEYRING.exists():
        raise RdoError(
            f"{_KEYRING} is not there: Debian's packages can't be verified.",
            hint="Install debian-archive-keyring.",
        )
    arguments = [str(folder.resolve()), root.suite, mirror(settings), str(_KEYRING), _SETTINGS, _TIDY]
    arguments += sorted(root.packages)
    lines = private(_DEBOOTSTRAP, arguments, settings.proxies).splitlines()
    packages = (line.split() for line in lines if line.startswith("ii"))
    return {name: version for _, name, version in packages}


def _dnf(
    platform: Platform, root: DnfRoot, folder: Path, installation: Installation, tools: Root
) -> dict[str, str]:
    """Make a root from RPM repositories. Tested against a stand-in repository; not yet run against EL's."""
    repositories = resolved(platform, installation.settings.el_mirror, installation.settings.el_key)
    for name in ("root", "cache", "log"):
        (folder / name).mkdir()
    lay_repositories(repositories, folder / "repos", "/target/repos")
    command = ["dnf", "--assumeyes", "--quiet", "--noplugins", "--installroot=/target/root"]
    command += [f"--releasever={root.releasever}", f"--forcearch={platform.architecture}"]
    settings = ["reposdir=/target/repos", "install_weak_deps=0", "tsflags=nodocs"]
    settings += ["cachedir=/target/cache", "logdir=/target/log"]
    command += [f"--setopt={setting}" for setting in settings]
    urls = [one.baseurl for one in repositories]
    local = [Path(url.removeprefix("file://")) for url in urls if url.startswith("file:")]
    binds = [*network_binds(), Bind(folder, "/target", writable=True), *(Bind(p, str(p)) for p in local)]
    made = tools.sandbox(installation.paths).run(
        [*command, "install", *sorted(root.packages)],
        user="root",
        network=True,
        binds=binds,
        env={"HOME": "/root", **installation.settings.proxies},
        limits=Limits(timeout=1800),
    )
    if not made.ok:
        raise RdoError(f"dnf could not make the root of {platform.name}: {made.tail.strip()[-1500:]}")
    for leftover in ("cache", "log"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    return _installed_rpms(folder / "root", tools, installation.paths)


def _installed_rpms(root: Path, tools: Root, paths: Paths) -> dict[str, str]:
    """Return what the rpmdb of a root has: names -> epoch:version-release.

    Packages that may be installed in several versions (kernels, keys) have all of them.

    :raises RdoError: rpm failed, or did not list everything
    """
    with temporary(paths.roots) as folder:
        result = tools.sandbox(paths).run(
            ["sh", "-ec", _LIST_RPMS],
            user="root",
            binds=[Bind(root, "/target/root"), Bind(folder, "/out", writable=True)],
        )
        if not result.ok:
            raise RdoError(f"The packages of the new root can't be listed: {result.tail.strip()[-1500:]}")
        lines = (read_within(folder, "packages") or b"").decode().splitlines()
    found: dict[str, list[str]] = {}
    for line in lines[:-1]:
        name, _, version = line.partition(" ")
        found.setdefault(name, []).append(version)
    if not found or lines[-1] != f"end {len(lines) - 1}":
        raise RdoError("The list of the new root's packages is not complete.")
    return {name: " ".join(sorted(versions)) for name, versions in sorted(found.items())}


# The root's rpmdb is copied, as rpm wants to lock it. Its number of packages is counted by itself.
_LIST_RPMS = r"""
place=$(rpm --root /target/root --eval '%{_dbpath}')
mkdir -p /tmp/root"$place"
cp -a /target/root"$place"/. /tmp/root"$place"/
rpm --root /tmp/root -qa --qf '%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' >/out/packages
rpm --root /tmp/root -qa --qf 'x' >/tmp/count
echo "end $(wc -c </tmp/count)" >>/out/packages
"""


def lay_repositories(
    repositories: Sequence[RpmRepository], folder: Path, inside: str, settings: str = ""
) -> None:
    """Write dnf's ``.repo`` files of repositories, and their keys, which are fetched and compared first.

    :param folder: where they go; it must not be there yet
    :param inside: where dnf sees the folder
    :param settings: further lines for each repository
    :raises RdoError: a key can't be had, or is another than the data states
    """
    folder.mkdir()
    for one in repositories:
        text = f"[{one.id}]\nname={one.id}\nbaseurl={one.baseurl}\nenabled=1\n"
        text += f"repo_gpgcheck={int(one.signed_metadata)}\n{settings}"
        if (key := key_of(one)) is None:
            text += "gpgcheck=0\n"
        else:
            (folder / f"{one.id}.asc").write_bytes(key)
            text += f"gpgcheck=1\ngpgkey=file://{inside}/{one.id}.asc\n"
        (folder / f"{one.id}.repo").write_text(text)
