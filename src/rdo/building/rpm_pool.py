"""The packages of a platform's RPM repositories: what they say of themselves, and their files.

dnf itself fetches and checks everything, in a root that has it (see ``files/dnf/pool.py``). The repositories
are taken as they were when they were first looked at for a base root, so that all roots on it fit together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rdo.building.roots import Root, lay_repositories, network_binds, temporary
from rdo.building.rpm_layers import RpmLayers
from rdo.building.rpminfo import RpmInfo, record_of
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError
from rdo.common.files import locked, sha256_bytes, sha256_file, write_atomically
from rdo.common.installation import Installation
from rdo.common.progress import Progress, SilentProgress
from rdo.common.rpmlibrary import createrepo
from rdo.common.trees import read_within
from rdo.distribution.models import RpmRepository

# Raised when records are made in another way.
_FORMAT = 1
_RECORDS = TypeAdapter(list[RpmInfo])
# Paths that the list of packages has for every package; others are in the lists of files.
_PRIMARY = re.compile(r"^(?:/etc/|/usr/lib/sendmail$|.*bin/)")
_PATH = re.compile(r"(?:^|(?<=[\s(]))/[^\s()]+")


@dataclass(frozen=True)
class RpmSource:
    """Where packages come from. Addresses have no variables left.

    ``module_platform`` is dnf's name of the system for modules, such as ``platform:el9``.
    """

    repositories: tuple[RpmRepository, ...]
    architecture: str
    module_platform: str = ""

    def binds(self) -> list[Bind]:
        """Return the local folders that dnf must see."""
        places = [one.baseurl for one in self.repositories]
        local = sorted({url.removeprefix("file://") for url in places if url.startswith("file:")})
        return [Bind(Path(place), place) for place in local]


class RpmPool:
    """The packages of RPM repositories, as they were when a base root first asked for them.

    :param base: identity of the base root
    :param tools: a root that has dnf
    """

    def __init__(
        self, source: RpmSource, base: str, tools: Root, layers: RpmLayers, installation: Installation
    ) -> None:
        self.source, self.layers = source, layers
        self._tools, self._paths, self._proxies = tools, installation.paths, installation.settings.proxies
        said = [one.model_dump(mode="json") for one in source.repositories]
        key = [_FORMAT, base, said, source.architecture, source.module_platform]
        self._folder = installation.paths.cache / "rpm-repositories" / sha256_bytes(json.dumps(key).encode())
        self._read: list[RpmInfo] | None = None

    def records(self, progress: Progress | None = None) -> list[RpmInfo]:
        """Return the newest of each package, by name; the first time the metadata is fetched.

        :raises RdoError: a repository can't be read, or it is not what its signature and hashes say
        """
        if self._read is None:
            kept = self._folder / "records.json"
            if not kept.exists():
                with locked(self._folder.with_suffix(".lock")):
                    if not kept.exists():
                        self._make(progress or SilentProgress())
            self._read = _RECORDS.validate_json(kept.read_bytes())
        return self._read

    def fetch(self, infos: Iterable[RpmInfo], progress: Progress | None = None) -> None:
        """Download what is missing in one go, check it, and unpack each as a layer of its own.

        :raises RdoError: the download failed, or a package is not what the metadata and its signature say
        """
        if not (missing := [info for info in infos if not self.layers.there(info)]):
            return
        report = progress or SilentProgress()
        with (
            report.task(f"{len(missing)} packages of the platform", len(missing)) as task,
            locked(self._folder.with_suffix(".lock")),
            temporary(self._folder.parent) as folder,
        ):
            answer = self._ask(
                {"what": "download", "sha256": [i.sha256 for i in missing]}, self._folder, folder
            )
            _require(answer, missing, self._folder)
            rpms = {info.sha256: folder / f"{info.sha256}.rpm" for info in missing}
            for info in missing:
                if sha256_file(rpms[info.sha256]) != info.sha256:
                    raise RdoError(f"{info.nevra} is not what its repository's metadata says (checksum).")
            self.layers.unpack(missing, rpms)
            for _ in missing:
                task.advance()

    def _make(self, report: Progress) -> None:
        names = ", ".join(one.id for one in self.source.repositories)
        with report.task(f"Metadata of {names}"), temporary(self._folder.parent) as folder:
            for name in ("root", "cache", "persist", "log", "packages"):
                (folder / name).mkdir()
            # What was fetched once stays: never expired.
            expiry = "metadata_expire=-1\n"
            lay_repositories(self.source.repositories, folder / "repos", "/pool/repos", expiry)
            answer = self._ask({"what": "metadata"}, folder)
            text = _RECORDS.dump_json(_records(answer, folder, self.source.repositories)).decode()
            write_atomically(folder / "records.json", text, durable=False)
            folder.rename(self._folder)

    def _ask(self, request: Mapping[str, Any], pool: Path, packages: Path | None = None) -> dict[str, Any]:
        said = {
            **request,
            "architecture": self.source.architecture,
            "module_platform": self.source.module_platform,
        }
        script = (files("rdo.building") / "files" / "dnf" / "pool.py").read_text()
        binds = [Bind(pool, "/pool", writable=True), *network_binds(), *self.source.binds()]
        if packages is not None:
            binds.append(Bind(packages, "/pool/packages", writable=True))
        (pool / "answer.json").unlink(missing_ok=True)
        result = self._tools.sandbox(self._paths).run(
            ["python3", "-c", script],
            user="root",
            network=True,
            binds=binds,
            env={"HOME": "/root", **self._proxies},
            input=json.dumps(said).encode(),
            limits=Limits(timeout=1800),
        )
        if not result.ok:
            raise RdoError(f"The platform's repositories: {result.tail.strip()[-1500:]}")
        answer: dict[str, Any] = json.loads(read_within(pool, "answer.json") or b"{}")
        return answer


def _require(answer: Mapping[str, Any], wanted: Sequence[RpmInfo], folder: Path) -> None:
    if refused := answer["refused"]:
        lines = "; ".join(f"{package}: {message}" for package, message in sorted(refused.items()))
        raise RdoError(f"Packages of the platform are refused: {lines}")
    if absent := [info.nevra for info in wanted if info.sha256 in answer["missing"]]:
        raise RdoError(
            f"The repositories have no {', '.join(absent)} any more.",
            hint=f"Remove {folder} and the platform's base root and start again.",
        )


def _records(answer: Mapping[str, Any], folder: Path, repositories: Sequence[RpmRepository]) -> list[RpmInfo]:
    """Return records of what dnf would install; of equal packages the first repository's."""
    wanted: dict[str, set[str]] = {}
    for repository, kind, digest in answer["packages"]:
        if kind != "sha256":
            raise RdoError(f"The repository {repository} names its packages by {kind}; only sha256 will do.")
        wanted.setdefault(repository, set()).add(digest)
    found: dict[str, RpmInfo] = {}
    lists: list[Path] = []
    for one in repositories:
        named = {kind: folder / str(p).removeprefix("/pool/") for kind, p in answer["files"][one.id].items()}
        lists += [named["filelists"]] if "filelists" in named else []
        for info in _primary(named["primary"], wanted.get(one.id, set())):
            found.setdefault(info.nevra, info)
    infos = list(found.values())
    more = _owners(lists, _paths_to_find(infos), {info.sha256 for info in infos})
    infos = [
        info.model_copy(update={"files": (*info.files, *more[info.sha256])}) if info.sha256 in more else info
        for info in infos
    ]
    return sorted(infos, key=lambda info: info.nevra)


def _primary(file: Path, wanted: set[str]) -> Iterator[RpmInfo]:
    packages: list[RpmInfo] = []

    def take(package: Any) -> None:
        if package.pkgId in wanted:
            packages.append(record_of(package, package.pkgId))

    _parsed(createrepo().xml_parse_primary, file, pkgcb=take, do_files=True)
    yield from packages


def _paths_to_find(infos: Sequence[RpmInfo]) -> set[str]:
    """Return required paths that the list of packages does not tell of."""
    required = {path for info in infos for text in info.requires for path in _PATH.findall(text)}
    return {path for path in required if not _PRIMARY.match(path)}


def _owners(lists: Sequence[Path], paths: set[str], wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """Return which of the paths each package has, by SHA-256, as lists of files say."""
    owners: dict[str, tuple[str, ...]] = {}

    def take(package: Any) -> None:
        if package.pkgId in wanted:
            has = {folder + name for _, folder, name, *_ in package.files} & paths
            if has:
                owners[package.pkgId] = tuple(sorted(has))

    if paths:
        for file in lists:
            _parsed(createrepo().xml_parse_filelists, file, pkgcb=take)
    return owners


def _parsed(parse: Callable[..., object], file: Path, **options: object) -> None:
    try:
        parse(str(file), **options)
    except (createrepo().CreaterepoCError, OSError) as error:
        raise RdoError(f"The metadata {file.name} can't be read: {error}") from error
