"""rpmlint over a whole repository, its answers kept by content: what was looked at is not looked at again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rdo.building.roots import ensure_tools, temporary
from rdo.building.sealed import Bind, Limits
from rdo.common.errors import RdoError
from rdo.common.files import sha256_file, write_atomically
from rdo.common.installation import Installation
from rdo.common.progress import Progress
from rdo.distribution.models import Platform
from rdo.repository.metadata import RpmFile

# RPMs for one process: its start takes a second, and what an interrupted run has finished is kept by batches.
_BATCH = 12
_LIMIT = 1800.0  # seconds for a batch
_SUMMARY = re.compile(r"^[= ]*(\d+) packages and \d+ specfiles checked; ", re.MULTILINE)
_LINE = re.compile(
    r"(?P<name>\S+)\.(?P<arch>\w+)(?::\d+)?: (?P<level>[EWI]): (?P<check>\S+)(?: (?P<detail>.*))?"
)


@dataclass(frozen=True, order=True)
class Remark:
    """One thing that rpmlint says of a package."""

    package: str
    level: Literal["E", "W", "I"]
    check: str
    detail: str

    def __str__(self) -> str:
        return f"{self.package}: {self.level}: {self.check} {self.detail}".rstrip()


def lint(
    rpms: Sequence[RpmFile],
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    key: Path,
    jobs: int,
) -> list[Remark]:
    """Return what rpmlint says of RPMs, by package.

    :param key: the certificate that signed them
    :param jobs: processes of rpmlint at once
    :raises RdoError: rpmlint could not be run, or said something that can't be read
    """
    paths = installation.paths
    config = paths.distribution / "rpmlint.toml"
    root = ensure_tools(platform, installation, progress)
    # the layers' ids name rpmlint's version with all that it stands on
    folder = paths.metadata / "-".join(
        ("rpmlint", *(part[:16] for part in (sha256_file(config), sha256_file(key), root.id)))
    )
    known = {rpm.sha256: found for rpm in rpms if (found := _kept(folder, rpm)) is not None}
    missing = [rpm for rpm in rpms if rpm.sha256 not in known]
    batches = [missing[n : n + _BATCH] for n in range(0, len(missing), _BATCH)]
    sandbox = root.sandbox(paths)
    folder.mkdir(parents=True, exist_ok=True)

    def run(batch: Sequence[RpmFile]) -> dict[str, list[Remark]]:
        folders = sorted({rpm.path.parent for rpm in batch})
        places = [f"/run/packages-{folders.index(rpm.path.parent)}/{rpm.path.name}" for rpm in batch]
        # Its reports are on standard output, and go to a file: there may be more than a pipe's end keeps.
        with temporary(folder) as work:
            log = work / "said"
            result = sandbox.run(
                ["rpmlint", "--config", "/run/rpmlint.toml", *places],
                binds=[
                    Bind(config, "/run/rpmlint.toml"),
                    Bind(key, "/run/repository.asc"),
                    *(Bind(folder, f"/run/packages-{n}") for n, folder in enumerate(folders)),
                ],
                limits=Limits(timeout=_LIMIT),
                log=log,
                before="rpm --import /run/repository.asc",
            )
            said = log.read_text(errors="replace")
        if result.limit is not None or not checked_all(said, len(batch)):
            raise RdoError(f"rpmlint failed:\n{result.tail[-2000:]}")
        found = sorted_by_package(said.splitlines(), batch)
        for rpm in batch:
            rows = [[r.package, r.level, r.check, r.detail] for r in found[rpm.sha256]]
            write_atomically(_place(folder, rpm), json.dumps(rows), durable=False)
        return found

    with (
        progress.task("rpmlint", len(rpms)) as task,
        ThreadPoolExecutor(max_workers=jobs) as pool,
    ):
        task.advance(len(known))
        for batch, remarks in zip(batches, pool.map(run, batches), strict=True):
            known |= remarks
            task.advance(len(batch))
    return sorted(remark for rpm in rpms for remark in known[rpm.sha256])


def checked_all(said: str, count: int) -> bool:
    """Return whether rpmlint came to its end and counts as many packages as it was given.

    Its exit status is that of its findings. Words of packages are in its remarks, but don't begin a line.
    """
    return [int(number) for number in _SUMMARY.findall(said)] == [count]


def sorted_by_package(lines: Iterable[str], rpms: Sequence[RpmFile]) -> dict[str, list[Remark]]:
    """Return rpmlint's remarks on several RPMs, by the RPM's hash.

    :raises RdoError: a remark is on a package that is none of them
    """
    names = {_name(rpm.filename): rpm.sha256 for rpm in rpms}
    found: dict[str, list[Remark]] = {rpm.sha256: [] for rpm in rpms}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        # what it says of the spec inside is said of the source package
        arch = "src" if match["arch"] == "spec" else match["arch"]
        package = f"{match['name']}.{arch}"
        if package not in names:
            raise RdoError(f"rpmlint speaks of {package}, which it was not asked about.")
        level: Literal["E", "W", "I"] = match["level"]  # type: ignore[assignment]  # the pattern has these three
        found[names[package]].append(Remark(package, level, match["check"], match["detail"] or ""))
    return found


def _name(filename: str) -> str:
    """Return ``name.arch`` of ``name-version-release.arch.rpm``."""
    rest, arch = filename.removesuffix(".rpm").rsplit(".", 1)
    return f"{rest.rsplit('-', 2)[0]}.{arch}"


def _place(folder: Path, rpm: RpmFile) -> Path:
    return folder / rpm.sha256[:2] / f"{rpm.sha256}.json"


def _kept(folder: Path, rpm: RpmFile) -> list[Remark] | None:
    try:
        return [Remark(*row) for row in json.loads(_place(folder, rpm).read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return None
