"""EL's plain way: ``rpmbuild -ba``, one spec after the other, in one root that has all they need already."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.closure import Closure
from benchmarks.measure import Sample
from benchmarks.places import Bench, installation_of
from rdo.building.models import BuildRequest
from rdo.building.planner import RootPlanner
from rdo.building.rpm_layers import JUST_DB
from rdo.building.rpmbuild import RootBuilder
from rdo.building.sealed import Bind, Limits, Sandbox, scratch_folder
from rdo.common.errors import RdoError

MACROS = Path(__file__).with_name("el-like.macros")

_TOP = "/builddir/build"

# Untimed: RPM learns what is in the root, and sources and specs come to their place.
_BEFORE = f"""
{JUST_DB} /run/bench/db/*.rpm || exit 1
mkdir -p {_TOP} && cd {_TOP} && mkdir -p BUILD BUILDROOT RPMS SRPMS SOURCES SPECS || exit 1
cp -r /run/bench/in/. SOURCES/ && mv SOURCES/*.spec SPECS/ || exit 1
cp /run/bench/stamp.py /builddir/ 2>/dev/null
find SOURCES SPECS -type f -exec touch -d @315532800 {{}} +
chown -R mockbuild: /builddir
"""

# Timed, each by bash's own clock. Arguments: names of specs.
_LOOP = f"""
TIMEFORMAT='bench: %R %U %S'
for name; do
    echo "bench: $name"
    time $STAMP rpmbuild -ba --define "_topdir {_TOP}" --define "_srcdefattr (-,root,root)" \\
        {_TOP}/SPECS/$name.spec || exit
done
"""
_AFTER = f"""
find {_TOP}/RPMS {_TOP}/SRPMS -type f -name '*.rpm' -exec cp -t /run/bench/out {{}} +
"""


@dataclass(frozen=True)
class ReadyRoot:
    """A root with the build requirements of all that is built in it; ``folder`` has inputs and outputs."""

    sandbox: Sandbox
    folder: Path

    @classmethod
    def make(cls, bench: Bench, closure: Closure, folder: Path) -> ReadyRoot:
        """Make a root for a closure's chosen packages. EL's way wants pip besides."""
        builder = RootBuilder.make(bench.platform, installation_of(bench.paths))
        planner = RootPlanner(bench.platform, installation_of(bench.paths))
        artifacts = [artifact for result in closure.results.values() for artifact in result.artifacts]
        infos = builder.infos(artifacts, bench.store)
        wanted = {one for request in closure.measured for one in request.build_requires}
        plan = planner.plan([*sorted(wanted), "python3-pip"], infos, what="the ready root")
        rpms = {info.sha256: bench.store.path(info.sha256) for info in plan.rpms}
        layers = [layer.path for layer in planner.ensure(plan, rpms)]
        (folder / "db").mkdir(parents=True)
        for number, path in enumerate(planner.database(plan)):
            shutil.copyfile(path, folder / "db" / f"{number}.rpm")
        return cls(Sandbox(layers, scratch_folder(bench.paths)), folder)

    def build(
        self,
        requests: Sequence[BuildRequest],
        name: str,
        *,
        el: bool,
        stamp: Path | None = None,
    ) -> tuple[dict[str, Sample], Path, str]:
        """Build packages one after the other.

        :param name: of a new folder for what is built
        :param el: with EL's macros; with the platform's else
        :param stamp: a Python program that is given each command to run
        :returns: what each took, the folder of RPMs, and the log
        :raises RdoError: a build failed
        """
        work = self.folder / name
        (work / "in").mkdir(parents=True)
        (work / "out").mkdir()
        for request in requests:
            (work / "in" / f"{request.package}.spec").write_text(request.spec)
            for source in request.sources:
                _link(source.path, work / "in" / source.filename)
        binds = [
            Bind(self.folder / "db", "/run/bench/db"),
            Bind(work / "in", "/run/bench/in"),
            Bind(work / "out", "/run/bench/out", writable=True),
        ]
        binds += [Bind(MACROS, "/etc/rpm/macros.rdo-el")] if el else []
        binds += [Bind(stamp, "/run/bench/stamp.py")] if stamp else []
        log = work / "log"
        result = self.sandbox.run(
            ["bash", "-c", _LOOP, "loop", *(request.package for request in requests)],
            binds=binds,
            env={"STAMP": "python3 -S /builddir/stamp.py" if stamp else ""},
            cwd="/builddir",
            log=log,
            limits=Limits(timeout=3600),
            before=_BEFORE,
            after=_AFTER,
        )
        if not result.ok:
            raise RdoError(f"A build in the ready root failed: {result.tail.strip()[-1500:]}")
        text = log.read_text(errors="replace")
        return _samples(text), work / "out", text


def _samples(log: str) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    name = ""
    for line in re.findall(r"^bench: (.*)$", log, re.MULTILINE):
        if match := re.fullmatch(r"([\d.]+) ([\d.]+) ([\d.]+)", line):
            found[name] = Sample(float(match[1]), float(match[2]) + float(match[3]))
        else:
            name = line
    return found


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
