"""What a platform's debs offer, said in RPM's words: records for the solver, and stub RPMs for an rpmdb.

A record bears EL's name of the package (``python3-pyyaml`` for the deb python3-yaml) and the version of what
is inside, so that an RPM of ours under that name replaces it as an update would on EL. Its release,
``0.deb``, is lower than any of ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from rdo.building.roots import Root, temporary
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind
from rdo.common.errors import RdoError
from rdo.common.files import sha256_bytes, write_atomically
from rdo.common.paths import Paths
from rdo.common.trees import find_within, read_within
from rdo.distribution.models import Platform
from rdo.packaging.naming import python_package
from rdo.packaging.versions import dependency_version, rpm_version

RELEASE = "0.deb"
# Raised when records say something else of the same debs.
_RECORDS = 3
PLATFORM = "rdo-platform"

_DIST = re.compile(
    r"^usr/(?:lib/python3/dist-packages|lib/python3[.\d]*(?:/site-packages|/dist-packages)?)"
    r"/([^/]+)\.(dist-info|egg-info)(?:/(?:METADATA|PKG-INFO))?$"
)
_COMMAND = re.compile(r"^usr/s?bin/[^/]+$")
_LIBRARY = re.compile(r"^usr/lib/[^/]+/lib[^/]+\.so\.[^/]+$")
_ELF64 = b"\x02"
_PKGCONFIG = re.compile(r"^usr/(?:lib|lib/[^/]+|lib64|share)/pkgconfig/([^/]+)\.pc$")


@dataclass(frozen=True)
class Facts:
    """What one deb holds that RPM's dependencies can name.

    ``dists`` maps canonical index names to versions, ``pkgconfig`` modules to versions; ``commands`` are
    absolute paths; ``sonames`` are elfdeps' capabilities.
    """

    dists: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    pkgconfig: Mapping[str, str] = field(default_factory=dict)
    sonames: Sequence[str] = ()


def facts_of(files: Iterable[str], root: Path, sonames: Mapping[str, Sequence[str]]) -> Facts:
    """Look at one deb's files.

    :param files: paths relative to ``root``
    :param sonames: capabilities of libraries by absolute path inside, as read by elfdeps
    """
    dists: dict[str, str] = {}
    commands: list[str] = []
    pkgconfig: dict[str, str] = {}
    capabilities: list[str] = []
    for file in files:
        if match := _DIST.match(file):
            if (found := _dist(root, file)) is not None:
                dists.setdefault(*found)
        elif _COMMAND.match(file):
            commands.append(f"/{file}")
        elif match := _PKGCONFIG.match(file):
            pkgconfig[match[1]] = _pkgconfig_version(root, file)
        capabilities += sonames.get(f"/{file}", ())
    return Facts(
        dict(sorted(dists.items())),
        sorted(commands),
        dict(sorted(pkgconfig.items())),
        sorted(set(capabilities)),
    )


def layer_facts(layer: Path, sonames_file: Path) -> Facts:
    """Look at an unpacked deb; the answer is kept beside it."""
    kept = layer.parent / "facts-2.json"
    if kept.exists():
        return Facts(**json.loads(kept.read_bytes()))
    found = (path for path in layer.rglob("*") if path.is_symlink() or not path.is_dir())
    files = [str(path.relative_to(layer)) for path in found]
    sonames = read_sonames(sonames_file.read_text()) | _alternatives(files, layer)
    facts = facts_of(files, layer, sonames)
    write_atomically(kept, json.dumps(facts.__dict__), durable=False)
    return facts


def _alternatives(files: Iterable[str], layer: Path) -> dict[str, list[str]]:
    """Return the capabilities of libraries that lie in folders of their own, by the link to each.

    A deb's update-alternatives makes such links (openblas); the archive has none that is absolute.
    """
    found: dict[str, list[str]] = {}
    for file in files:
        path = layer / file
        if not _LIBRARY.match(file) or not path.is_symlink() or not str(path.readlink()).startswith("/"):
            continue
        target = find_within(layer, file)
        if target is not None and target.is_file():
            with target.open("rb") as library:
                start = library.read(5)
            if start[:4] == b"\x7fELF":
                found[f"/{file}"] = [f"{path.name}(){'(64bit)' if start[4:] == _ELF64 else ''}"]
    return found


def read_sonames(text: str) -> dict[str, list[str]]:
    """Return capabilities by path from lines of ``path capability``."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        path, _, capability = line.partition(" ")
        found.setdefault(path, []).append(capability)
    return found


class Names:
    """EL's names for a platform's debs, from the platform's data."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.dists: dict[str, dict[str, str]] = {}
        for dist, provided in platform.provides.items():
            self.dists.setdefault(provided.package, {})[dist] = provided.version
        self.aliases: dict[str, list[str]] = {}
        self.meta: dict[str, tuple[str, ...]] = {}
        for name, debs in platform.native.items():
            if len(debs) == 1:
                self.aliases.setdefault(debs[0], []).append(name)
            elif debs and name not in debs:
                self.meta[name] = debs

    def name(self, deb: str) -> str:
        """Return the one name under which a deb's stub goes."""
        dists = sorted(self.dists.get(deb, ()))
        if dists:
            own = [dist for dist in dists if python_package(dist) == deb]
            return python_package((own or dists)[0])
        aliases = [alias for alias in self.aliases.get(deb, ()) if re.fullmatch(r"[\w.+-]+", alias)]
        return deb if not aliases or deb in aliases or deb in self.platform.native else aliases[0]

    def record(self, deb: str, version: str, identity: str, facts: Facts | None = None) -> RpmInfo:
        """Return the record of one deb.

        :param facts: what is in it; the platform's data alone speaks where it has not been looked at
        """
        facts = facts or Facts()
        dists = {**facts.dists, **self.dists.get(deb, {})}
        if not self.platform.own.isdisjoint(dists):
            return self._hidden(deb, version, identity)
        name = self.name(deb)
        main = next((v for dist, v in dists.items() if python_package(dist) == name), None)
        epoch, plain = _package_version(main, version)
        evr = f"{epoch}:{plain}" if epoch else plain
        provides = [f"deb({deb})"]
        provides += [f"{alias} = {evr}" for alias in (deb, *self.aliases.get(deb, ())) if alias != name]
        for dist, dist_version in sorted(dists.items()):
            provides += self._python(dist, dist_version)
        for command in facts.commands:
            provides += [command, command.removeprefix("/usr")]
        provides += [
            f"pkgconfig({module})" + (f" = {v}" if v else "") for module, v in facts.pkgconfig.items()
        ]
        provides += facts.sonames
        if deb == "python3":
            provides.append(f"python(abi) = {self.platform.python}")
        if deb == "libc6":
            # No generator makes this one; EL's glibc states it by hand.
            provides.append("rtld(GNU_HASH)")
        requires = [f"deb({other})" for other in self.platform.native.get(deb, ()) if other != deb]
        return RpmInfo(
            name=name,
            epoch=str(epoch),
            version=plain,
            release=RELEASE,
            provides=tuple(dict.fromkeys(provides)),
            requires=tuple(requires),
            sha256=f"deb:{identity}:{'facts' if facts != Facts() else 'data'}",
        )

    def _hidden(self, deb: str, version: str, identity: str) -> RpmInfo:
        """Return the record of a deb of one of OpenStack's own projects, which offers RPM nothing.

        EL's base has no such packages. Were they seen, they would satisfy our packages' requirements, and
        hosts would run the platform's old oslo.config rather than ours.
        """
        return RpmInfo(
            name=f"deb-{deb}",
            version=_package_version(None, version)[1],
            release=RELEASE,
            provides=(f"deb({deb})",),
            sha256=f"deb:{identity}:own",
        )

    def platform_record(self, base: Path) -> RpmInfo:
        """Return the record of what comes with the platform's macros and with the base's users and groups."""
        empty = sorted(name for name, debs in self.platform.native.items() if not debs)
        for kind, file in (("user", "etc/passwd"), ("group", "etc/group")):
            if (content := read_within(base, file)) is not None:
                lines = content.decode(errors="replace").splitlines()
                empty += [f"{kind}({line.split(':')[0]})" for line in lines if ":" in line]
        return RpmInfo(
            name=PLATFORM,
            version=self.platform.python,
            release=RELEASE,
            provides=tuple(empty),
            sha256=sha256_bytes(json.dumps(empty).encode()),
        )

    def meta_records(self) -> list[RpmInfo]:
        """Return a record for each of EL's names that stands for several debs."""
        return [
            RpmInfo(
                name=name,
                version="0",
                release=RELEASE,
                requires=tuple(f"deb({deb})" for deb in debs),
                sha256=f"meta:{name}:{','.join(debs)}",
            )
            for name, debs in sorted(self.meta.items())
        ]

    def _python(self, dist: str, version: str) -> list[str]:
        evr = _dependency_version(version)
        found = [f"python3dist({dist}) = {evr}", f"python{self.platform.python}dist({dist}) = {evr}"]
        return [*found, f"{python_package(dist)} = {evr}"]


def _package_version(dist_version: str | None, deb_version: str) -> tuple[int, str]:
    if dist_version is not None:
        with contextlib.suppress(InvalidVersion):
            return rpm_version(dist_version)
    return 0, debian_version(deb_version)


def _dependency_version(version: str) -> str:
    try:
        return dependency_version(version)
    except InvalidVersion:
        return debian_version(version)


def debian_version(text: str) -> str:
    """Return the upstream part of a Debian version with characters that RPM allows."""
    upstream = text.rpartition("-")[0] if "-" in text else text
    return re.sub(r"[^\w.+~^]", ".", upstream.partition(":")[2] if ":" in upstream else upstream)


def records_key(names: Names, root: str) -> str:
    """Return the key under which records of a platform's debs are kept.

    It covers the platform's data, this tool's version of what records say, and the root's id.
    """
    digest = hashlib.sha256(f"{_RECORDS}\n{root}\n{names.platform.python}\n".encode())
    for module in (__name__, python_package.__module__, dependency_version.__module__):
        digest.update(Path(str(sys.modules[module].__file__)).read_bytes())
    digest.update("\n".join(sorted(names.platform.own)).encode())
    digest.update(names.platform.model_dump_json(include={"native", "provides"}).encode())
    return digest.hexdigest()


def describe_installed(root: Root, names: Names, paths: Paths) -> list[RpmInfo]:
    """Return a record for each deb that is installed in a root, the root's own dpkg database being asked.

    The answer is kept; the root is looked at once.
    """
    kept = paths.layers / "facts" / f"{records_key(names, root.id)}.json"
    if kept.exists():
        return [RpmInfo.model_validate(entry) for entry in json.loads(kept.read_bytes())]
    with temporary(paths.layers) as folder:
        result = root.sandbox(paths).run(
            ["sh", "-c", _DESCRIBE], user="root", cwd="/", binds=[Bind(folder, "/out", writable=True)]
        )
        if not result.ok:
            raise RdoError(f"The root can't be described: {result.tail.strip()[-1000:]}")
        sonames = read_sonames((folder / "sonames").read_text())
        records = []
        for line in (folder / "packages").read_text().splitlines():
            package, version, architecture = line.split()
            listing = folder / "info" / f"{package}.list"
            if not listing.exists():
                listing = folder / "info" / f"{package}:{architecture}.list"
            files = [_merged(file) for file in listing.read_text().splitlines()]
            facts = facts_of(files, folder / "root", sonames)
            identity = sha256_bytes(f"{package}={version}:{architecture}".encode())
            records.append(names.record(package, version, identity, facts))
    write_atomically(kept, json.dumps([record.model_dump() for record in records]), durable=False)
    return records


# Metadata that facts_of reads is copied out; libraries are looked at inside.
_DESCRIBE = r"""
set -e
format='${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n'
dpkg-query -W -f "$format" | sed -n 's/^ii  *//p' >/out/packages
cp -a /var/lib/dpkg/info /out/info
mkdir /out/root
find usr/lib/python3* usr/lib/*/pkgconfig usr/share/pkgconfig \
    \( -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO' -o -path '*.egg-info' -type f \
    -o -name '*.pc' \) 2>/dev/null | tar -cf - -T - | tar -xf - -C /out/root
: >/out/sonames
[ -x /usr/lib/rpm/elfdeps ] || exit 0
find usr/lib usr/lib64 -maxdepth 2 -name '*.so*' -type f 2>/dev/null | while read -r file; do
    echo "$file" | /usr/lib/rpm/elfdeps --provides | sed "s|^|/$file |" >>/out/sonames
done
# What lies in a folder of its own is found by an alternative's link beside the others (openblas).
find usr/lib usr/lib64 -maxdepth 2 -name '*.so.*' -type l -lname '/etc/alternatives/*' 2>/dev/null \
    | while read -r link; do
    file=$(readlink -f "$link")
    [ ! -f "$file" ] || echo "$file" | /usr/lib/rpm/elfdeps --provides | sed "s|^|$file |" >>/out/sonames
done
"""


_DEFINES = [
    f"--define={name} {value}"
    for name, value in (
        ("_topdir", "/tmp/top"),
        ("_rpmdir", "/work/out"),
        ("_build_name_fmt", "%%{NAME}.rpm"),
        ("_binary_payload", "w.ufdio"),
    )
]


def write_stub_rpms(records: Sequence[RpmInfo], folder: Path, root: Root, paths: Paths) -> dict[str, Path]:
    """Write an RPM without files for each record, many in one run of rpmbuild.

    :param folder: where they go; those that are there already are not written again
    :param root: a root with rpmbuild
    :returns: by the records' ``sha256``
    :raises RdoError: rpmbuild refused a record
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {record.sha256: folder / f"{_file_key(record)}.rpm" for record in records}
    missing = [record for record in records if not wanted[record.sha256].exists()]
    while missing:
        # One spec can't have two subpackages of one name.
        batch = list({record.name: record for record in missing}.values())
        _write_batch(batch, wanted, folder, root, paths)
        missing = [record for record in missing if not wanted[record.sha256].exists()]
    return wanted


def _write_batch(
    records: Sequence[RpmInfo], wanted: Mapping[str, Path], folder: Path, root: Root, paths: Paths
) -> None:
    with temporary(folder) as work:
        (work / "stubs.spec").write_text(_spec(records))
        (work / "out").mkdir()
        result = root.sandbox(paths).run(
            ["rpmbuild", "-bb", "--quiet", *_DEFINES, "/work/stubs.spec"],
            user="root",
            binds=[Bind(work, "/work", writable=True)],
        )
        if not result.ok:
            raise RdoError(f"Stub packages could not be written: {result.tail.strip()[-1500:]}")
        for record in records:
            (work / "out" / f"{record.name}.rpm").rename(wanted[record.sha256])


def _file_key(record: RpmInfo) -> str:
    return sha256_bytes(record.model_dump_json().encode())


def _spec(records: Sequence[RpmInfo]) -> str:
    lines = ["Name: rdo-stubs", "Version: 1", "Release: 1", "Summary: Stubs", "License: Public-Domain"]
    lines += ["BuildArch: noarch", "%description", "Stubs.", ""]
    for record in records:
        lines += [f"%package -n {record.name}", f"Version: {record.version}", f"Release: {record.release}"]
        lines += [f"Summary: The platform's own {record.name}"]
        lines += [f"Provides: {provide}" for provide in record.provides]
        lines += [f"Requires: {require}" for require in record.requires]
        lines += [f"%description -n {record.name}", "Stands for a package of the platform.", ""]
        lines += [f"%files -n {record.name}", ""]
    return "\n".join(lines)


def _dist(root: Path, path: str) -> tuple[str, str] | None:
    for file in (path, f"{path}/METADATA", f"{path}/PKG-INFO"):
        if (content := read_within(root, file)) is not None:
            headers = HeaderParser().parsestr(content.decode(errors="replace"), headersonly=True)
            if headers["Name"] and headers["Version"]:
                return canonicalize_name(headers["Name"]), headers["Version"]
    return None


def _pkgconfig_version(root: Path, path: str) -> str:
    text = (read_within(root, path) or b"").decode(errors="replace")
    match = re.search(r"^Version:\s*([\w.+~^]+)\s*$", text, re.MULTILINE)
    return match[1] if match else ""


def _merged(file: str) -> str:
    path = file.lstrip("/")
    return f"usr/{path}" if path.split("/", 1)[0] in ("bin", "sbin", "lib", "lib64", "lib32") else path
