"""Reads a suite of the Debian archive: its packages, their files, and which Python distribution is in which.

All of it comes through apt with a configuration and folders of our own, so that apt checks every file against
the archive's signature. The mirror is the one in the host's apt sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rdo.common.errors import RdoError
from rdo.common.process import CommandError, run
from rdo.distribution.models import Provided

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TIMEOUT = 900.0  # seconds for one call of apt
_CONFIGURATION = """\
Dir "{folder}";
Dir::State "state";
Dir::State::status "{folder}/status";
Dir::Cache "cache";
Dir::Etc "etc";
Dir::Etc::sourcelist "sources.list";
Dir::Etc::sourceparts "sources.list.d";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb {{
  MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
  ShortDescription "Contents-$(ARCHITECTURE)";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents";
  KeepCompressed "true";
  DefaultEnabled "false";
}};
"""


def mirror_of_host(etc: Path = Path("/etc/apt")) -> str:
    """Return the address of the Debian archive in the host's apt sources, both of their formats.

    :raises RdoError: there is none
    """
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in {".list", ".sources"} or not file.is_file():
            continue
        for uri, suites in _entries(file.read_text(encoding="utf-8", errors="replace"), file.suffix):
            # The archive proper: security and third parties have other suites or other paths.
            if uri.rstrip("/").endswith("/debian") and not all("-" in suite for suite in suites):
                return uri.rstrip("/")
    raise RdoError(
        f"The apt sources below {etc} name no Debian archive.",
        hint="Add one: an address that ends in /debian, with a suite such as bookworm.",
    )


def _entries(text: str, suffix: str) -> Iterator[tuple[str, list[str]]]:
    if suffix == ".list":
        for line in text.splitlines():
            match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line)
            if match:
                yield match[1], [match[2]]
        return
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*)$", paragraph))
        if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
            for uri in fields.get("URIs", "").split():
                yield uri, fields.get("Suites", "").split()


@dataclass(frozen=True)
class Suite:
    """One suite of the archive, with an apt of its own in ``folder``."""

    folder: Path
    suite: str
    architecture: str = "amd64"

    def update(self, mirror: str, *, contents: bool = False) -> None:
        """Fetch the lists of packages and, with ``contents``, of their files.

        :raises CommandError: apt refused them or can't have them
        """
        for part in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for part in ("sources.list.d", "preferences.d", "apt.conf.d"):
            (self.folder / "etc" / part).mkdir(exist_ok=True)
        (self.folder / "status").touch()
        configuration = _CONFIGURATION.format(folder=self.folder, architecture=self.architecture, user="root")
        self._configuration.write_text(configuration)
        source = f"deb [signed-by={_KEYRING}] {mirror} {self.suite} main\n"
        (self.folder / "etc" / "sources.list").write_text(source)
        options = ["-o", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=true"] if contents else []
        self._apt("apt-get", "--error-on=any", *options, "update")

    def versions(self) -> dict[str, str]:
        """Return the Debian version of each package."""
        return dict(parse_packages(self._index("Packages")))

    def contents(self) -> Iterator[tuple[str, str]]:
        """Return (path, package) of each file, after an :meth:`update` with contents."""
        return parse_contents(self._index("Contents-deb"))

    def file_of(self, package: str, path: str) -> str:
        """Fetch one package and return the text of one of its files; ``path`` has no leading slash.

        :raises CommandError: there is no such package
        """
        with TemporaryDirectory(prefix="rdo-deb-") as folder:
            self._apt("apt-get", "download", package, cwd=Path(folder))
            for deb in Path(folder).glob("*.deb"):
                run(["dpkg-deb", "-x", str(deb), f"{folder}/tree"], timeout=_TIMEOUT)
            return (Path(folder) / "tree" / path).read_text(encoding="utf-8")

    @property
    def _configuration(self) -> Path:
        return self.folder / "apt.conf"

    def _apt(self, *command: str, cwd: Path | None = None) -> str:
        environment = {
            "APT_CONFIG": str(self._configuration),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C",
        }
        return run(command, cwd=cwd, env=environment, timeout=_TIMEOUT).stdout

    def _index(self, created_by: str) -> list[str]:
        targets = self._apt(
            "apt-get",
            "-o",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=true",
            "indextargets",
            "--format",
            "$(FILENAME)",
            f"Created-By: {created_by}",
        )
        lines: list[str] = []
        for file in targets.splitlines():
            lines += self._apt("/usr/lib/apt/apt-helper", "cat-file", file).splitlines()
        return lines


def parse_packages(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read (package, version) from the lines of a ``Packages`` index."""
    package = ""
    for line in lines:
        if line.startswith("Package: "):
            package = line[9:].strip()
        elif line.startswith("Version: ") and package:
            yield package, line[9:].strip()
            package = ""


def parse_contents(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read (path, package) from the lines of a ``Contents`` index; a file of two packages comes twice."""
    for line in lines:
        path, _, owners = line.rstrip().rpartition(" ")
        for owner in owners.split(","):
            if path and owner:
                yield path.rstrip(), owner.rpartition("/")[2]


_METADATA = re.compile(
    r"usr/lib/python3/dist-packages/(?P<name>[^/]+?)"
    r"(?:-(?P<version>[0-9][^/-]*)(?:-py3[^/]*)?)?\.(?:dist|egg)-info(?:/|\Z)"
)


def provides_of_contents(
    contents: Iterable[tuple[str, str]], versions: Mapping[str, str]
) -> tuple[dict[str, Provided], list[str]]:
    """Derive what is offered from the places of ``*.dist-info`` and ``*.egg-info``.

    :param versions: Debian version of each package, for metadata whose path has no version
    :returns: by canonical name, and notes on what could not be taken
    """
    found: dict[str, Provided] = {}
    notes: set[str] = set()
    for path, package in contents:
        match = _METADATA.match(path)
        if match is None:
            continue
        dist = canonicalize_name(match["name"])
        version = _valid(match["version"]) or upstream_version(versions.get(package, ""))
        if version is None:
            notes.add(f"{dist}: {package} has no version that Python knows")
            continue
        old = found.get(dist)
        if old is None or (_rank(package, dist), package) < (_rank(old.package, dist), old.package):
            found[dist] = Provided(version=version, package=_WHOLE.get(package, package))
    return found, sorted(notes)


def provides_of_table(
    table: Iterable[str], versions: Mapping[str, str]
) -> tuple[dict[str, Provided], list[str]]:
    """Derive what is offered from dh-python's own table, ``name package`` a line, and packages' versions.

    The table is what Debian's packaging itself turns requirements into dependencies with. A package in which
    several distributions are has the version of the one that bears its name; the others are left out.

    :returns: by canonical name, and notes on what could not be taken
    """
    found: dict[str, Provided] = {}
    notes: list[str] = []
    names: dict[str, list[str]] = {}
    for line in table:
        fields = line.split()
        if len(fields) != 2 or line.startswith("#") or fields[1] not in versions:
            continue
        names.setdefault(fields[1], []).append(canonicalize_name(fields[0]))
    for package, dists in sorted(names.items()):
        chosen = [dist for dist in dists if _rank(package, dist) == 0] or (dists if len(dists) == 1 else [])
        notes += [
            f"{dist}: {package} holds several, its version is unsure" for dist in dists if dist not in chosen
        ]
        version = upstream_version(versions[package])
        for dist in chosen:
            if version is None:
                notes.append(f"{dist}: {versions[package]} of {package} is no version that Python knows")
            elif dist not in found or _rank(package, dist) == 0:
                found[dist] = Provided(version=version, package=_WHOLE.get(package, package))
    return found, sorted(notes)


# Where the package with the metadata is not the one with the code.
_WHOLE = {"python3-pkg-resources": "python3-setuptools"}

# Distributions whose version is that of a package which holds others too and bears another name.
_BEARS = {"flit-core": "flit", "pillow": "python3-pil"}


def _rank(package: str, dist: str) -> int:
    """Return 0 where a package bears a distribution's name, 1 for another library, 2 for anything else."""
    if _BEARS.get(dist) == package:
        return 0
    if not package.startswith("python3-"):
        return 2
    plain = canonicalize_name(package.removeprefix("python3-"))
    return 0 if plain in {dist, dist.removeprefix("python-"), dist.removeprefix("py")} else 1


def upstream_version(debian: str) -> str | None:
    """Return upstream's version in a Debian version, as Python knows it; None where that can't be told.

    ``2:1.8.0+dfsg-3`` is 1.8.0, ``3.0~rc1-1`` is 3.0rc1, ``2.0+really1.9-1`` is 1.9.
    """
    text = debian.partition(":")[2] if ":" in debian else debian
    text = text.rpartition("-")[0] if "-" in text else text
    text = text.rpartition("really")[2].lstrip(".")
    text = re.sub(r"[+.~-]?(?:dfsg|ds|repack|debian|deb\d|gfdl|ndfsg)[.\d~+-]*.*\Z", "", text)
    text = re.sub(r"[+~](?:git|bzr|hg|svn|snapshot|\d{8}).*\Z", "", text)
    return _valid(re.sub(r"~(?=a|b|rc|c|dev|post)", "", text))


def _valid(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(Version(text))
    except InvalidVersion:
        return None


def import_provides(folder: Path, suite: str, mirror: str) -> tuple[dict[str, Provided], str, list[str]]:
    """Find out what a suite offers.

    The archive's index of files says it exactly. Where the mirror's copy of that is not the one that the
    archive has signed, dh-python's table stands in: also signed, but versions are then the packages'.

    :returns: what is offered, the source of it in words, and notes
    """
    archive = Suite(folder, suite)
    archive.update(mirror)
    versions = archive.versions()
    try:
        archive.update(mirror, contents=True)
    except CommandError as error:
        archive.update(mirror)
        table = archive.file_of("dh-python", "usr/share/dh-python/dist/cpython3_fallback")
        found, notes = provides_of_table(table.splitlines(), versions)
        reason = next(
            (x for x in error.output.splitlines() if x.startswith("E:")), error.what.splitlines()[0]
        )
        return found, "dh-python's table and the Packages index", [f"no index of files: {reason}", *notes]
    found, notes = provides_of_contents(archive.contents(), versions)
    return found, "the Contents and Packages indices", notes
