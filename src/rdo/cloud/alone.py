"""Each package of a repository by itself: installed on a fresh host, and imported with what it asks for.

Installing everything at once (:mod:`rdo.cloud.trial`) hides what a package forgot to require: another one
brings it. Here each package gets two sealed roots of its own. In the first, the platform's host, the real dnf
installs it from the signed repository, scriptlets and all, and rpm looks at its files. The second holds
exactly what its requirements lead to, of ours and of the platform's, and its modules are imported in it.
"""

from __future__ import annotations

import fnmatch
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.roots import Layer, temporary
from rdo.building.rpminfo import RpmInfo
from rdo.building.sealed import Bind, Limits, Sandbox, SealedResult, scratch_folder
from rdo.cloud.plan import Part
from rdo.cloud.testhosts import image
from rdo.cloud.trial import together
from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_bytes, write_atomically
from rdo.common.installation import Installation
from rdo.common.paths import Paths
from rdo.common.progress import Progress
from rdo.distribution.models import Platform
from rdo.repository.closure import published_infos
from rdo.repository.publish import published_rpms, show
from rdo.repository.release_rpm import NAME
from rdo.repository.snapshot_writer import KEY_FILE

# Part of what results are kept by; raised when packages are looked at in another way.
_FORMAT = 1
_LIMIT = 900.0  # seconds for one package

_REPO = f"""\
[rdo]
name=RDO
baseurl=file:///run/repository
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///run/repository/{KEY_FILE}
metadata_expire=-1
"""
# rpm would give scriptlets a mount namespace of their own, which a sealed root can't have, being one.
_PREPARE = """
mkdir -p /etc/rpm
echo '%__transaction_unshare %{nil}' >/etc/rpm/macros.rdo-sealed
printf '%s' "$1" >/etc/yum.repos.d/rdo.repo
rpm --import /run/repository/$2
dnf -y --quiet --disableplugin='*' makecache
"""
_INSTALL = """
dnf -y --quiet --disableplugin='*' --setopt=install_weak_deps=False install "$1" >/tmp/said 2>&1 || {
    grep -iE 'error|warning|fail' /tmp/said || tail -20 /tmp/said
    exit 1
}
grep -iE 'scriptlet failed|warning: .*(user|group) .* does not exist' /tmp/said && exit 1
rpm -V "$1"
"""
_IMPORT = """
import importlib, os, sys
wrong = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        wrong.append(f"import {name}: {type(error).__name__}: {error}")
    except (Exception, SystemExit):
        # what a module wants of its surroundings (settings, a display) is not what this is about
        pass
# Last, as only the end of what is printed is kept; nothing that a module has left to be done at exit runs.
sys.stdout.flush()
sys.stderr.flush()
os.write(1, "".join(f"\\n{line}" for line in wrong).encode(errors="replace"))
os._exit(bool(wrong))
"""
_SITE = re.compile(r"/usr/lib(?:64)?/python3\.\d+/site-packages/([A-Za-z]\w*)(?:/__init__\.py|\.py|\.\S*so)")


class Alone(Part):
    """What was found of one package: how long it took, and what was wrong."""

    package: str
    seconds: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Bench:
    """What all packages are tried with."""

    planner: RootPlanner
    host: Sandbox
    snapshot: Path
    infos: Sequence[RpmInfo]
    files: Mapping[str, Path]
    kept: Path
    scratch: Path


def try_each(
    series: str,
    platform: Platform,
    installation: Installation,
    progress: Progress,
    *,
    patterns: Sequence[str] = (),
    jobs: int,
) -> list[Alone]:
    """Try each published binary package by itself; what was tried from the same packages is not tried again.

    :param patterns: names, with ``*`` and ``?``; all packages by default
    :param jobs: packages at once
    :raises InputError: nothing is published, no package has such a name, or not root
    :raises RdoError: a root could not be made
    """
    paths = installation.paths
    image.require_hosts(platform)
    snapshot = show(paths, platform.name, series).path
    infos = [info for info in published_infos(snapshot, paths) if info.name != NAME]
    wanted = sorted((info for info in infos if _matches(info.name, patterns)), key=lambda info: info.name)
    if not wanted:
        raise InputError(f"No package of {series} is called {' or '.join(patterns)}.")
    planner = RootPlanner(platform, installation, progress)
    layers = image.ensure_host_base(platform, installation, _debs(planner, infos), progress)
    with temporary(paths.layers / "hosts") as work:
        bench = _Bench(
            planner=planner,
            host=_prepare(layers, snapshot, paths, work),
            snapshot=snapshot,
            infos=infos,
            files={file.sha256: file.path for file in published_rpms(snapshot)},
            kept=paths.metadata / f"alone-{_FORMAT}",
            scratch=scratch_folder(paths),
        )
        with (
            progress.task(f"Packages of {series}, each by itself", len(wanted)) as task,
            ThreadPoolExecutor(max_workers=jobs) as pool,
        ):
            found = []
            for result in pool.map(lambda info: _try(bench, info), wanted):
                task.advance()
                for problem in result.problems:
                    progress.message(f"{result.package}: {problem}")
                found.append(result)
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _debs(planner: RootPlanner, infos: Sequence[RpmInfo]) -> list[str]:
    """Return what the packages take from the platform."""
    names = [f"{info.name} = {info.evr}" for info in together(infos)]
    return sorted({deb.name for deb in planner.plan(names, infos, what="a host for all packages").debs})


def _prepare(layers: Sequence[Path], snapshot: Path, paths: Paths, work: Path) -> Sandbox:
    """Return a host that knows the repository, its metadata read already."""
    result = Sandbox(layers, scratch_folder(paths)).run(
        ["/bin/sh", "-ec", _PREPARE, "prepare", _REPO, KEY_FILE],
        user="root",
        keep=work,
        binds=[Bind(snapshot, "/run/repository")],
        limits=Limits(timeout=_LIMIT),
    )
    if not result.ok:
        raise RdoError(f"A host can't read the repository: {result.tail.strip()[-1500:]}")
    return Sandbox([work / "root", *layers], scratch_folder(paths))


def _try(bench: _Bench, info: RpmInfo) -> Alone:
    try:
        plan = bench.planner.plan([f"{info.name} = {info.evr}"], bench.infos, what=info.name)
    except UnsatisfiedError as error:
        return Alone(package=info.name, seconds=0, problems=(str(error),))
    identity = sha256_bytes(
        json.dumps(
            [_PREPARE, _INSTALL, _IMPORT, info.sha256, *plan.layers, *map(str, bench.host.layers[1:])]
        ).encode()
    )
    place = bench.kept / identity[:2] / f"{identity}.json"
    try:
        return Alone.model_validate_json(place.read_bytes())
    except (FileNotFoundError, ValueError):
        pass
    began = time.monotonic()
    problems = _lines(_install(bench, info), "dnf")
    if modules := import_names(info):
        layers = bench.planner.ensure(plan, bench.files)
        problems += _lines(_import(bench, layers, modules), "python3", "import ")
    done = Alone(package=info.name, seconds=time.monotonic() - began, problems=tuple(problems))
    write_atomically(place, done.model_dump_json(), durable=False)
    return done


def _install(bench: _Bench, info: RpmInfo) -> SealedResult:
    return bench.host.run(
        ["/bin/sh", "-c", _INSTALL, "install", f"{info.name}-{info.evr.partition(':')[2] or info.evr}"],
        user="root",
        binds=[Bind(bench.snapshot, "/run/repository")],
        limits=Limits(timeout=_LIMIT),
    )


def _import(bench: _Bench, layers: Sequence[Layer], modules: Sequence[str]) -> SealedResult:
    sandbox = Sandbox([layer.path for layer in layers], bench.scratch)
    return sandbox.run(
        ["python3", "-s", "-P", "-W", "ignore", "-c", _IMPORT, *modules],
        env={"HOME": "/tmp", "DJANGO_SETTINGS_MODULE": "openstack_dashboard.settings"},
        cwd="/tmp",
        limits=Limits(timeout=_LIMIT),
    )


def _lines(result: SealedResult, what: str, telling: str = "") -> list[str]:
    """Return what is to be said of a command that failed: its last lines, those that tell more first."""
    if result.ok:
        return []
    lines = [line for line in result.tail.strip().splitlines() if line.strip()]
    return [line for line in lines if line.startswith(telling)][-30:] or lines[-30:] or [f"{what} failed"]


def import_names(info: RpmInfo) -> list[str]:
    """Return a package's modules at the top of site-packages; none for packages of tests."""
    if info.name.endswith("-tests"):
        return []
    return sorted({match[1] for path in info.files if (match := _SITE.fullmatch(path))})


def summary(found: Iterable[Alone]) -> str:
    """Return a line that says how many packages there are and how many have problems."""
    rows = list(found)
    bad = sum(bool(row.problems) for row in rows)
    return f"{len(rows)} packages, each by itself: {bad or 'no'} problems"
