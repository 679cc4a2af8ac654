"""PEP 517 hooks run in a sealed root, for sources that state no metadata of their own.

The root has the platform's packages of the backend's requirements; their versions are the platform's, since
what is asked for is metadata and not the build.
"""

from __future__ import annotations

import json
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.roots import temporary
from rdo.building.sealed import Bind, Limits, Sandbox, scratch_folder
from rdo.common.errors import RdoError
from rdo.upstream.models import BuildSystem, Source

_TIMEOUT = 120.0

_SCRIPT = r"""
import importlib, json, os, pathlib, shutil, sys, zipfile

hook, backend, backend_path, archive = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
shutil.unpack_archive(archive, "/builddir/src", **({} if archive.endswith(".zip") else {"filter": "data"}))
(top,) = os.listdir("/builddir/src")
os.chdir(os.path.join("/builddir/src", top))
sys.path[:0] = [os.path.abspath(entry) for entry in backend_path]
sys.argv = ["setup.py"]
module, _, attribute = backend.partition(":")
target = importlib.import_module(module)
for part in filter(None, attribute.split(".")):
    target = getattr(target, part)
out = "/builddir/metadata"
os.mkdir(out)
if hook == "requires":
    function = getattr(target, "get_requires_for_build_wheel", None)
    answer = json.dumps(list(function({}) if function else []))
elif hasattr(target, "prepare_metadata_for_build_wheel"):
    folder = target.prepare_metadata_for_build_wheel(out, {})
    answer = pathlib.Path(out, folder, "METADATA").read_text()
else:
    with zipfile.ZipFile(os.path.join(out, target.build_wheel(out, {}, None))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        answer = wheel.read(name).decode()
pathlib.Path("/builddir/answer").write_text(answer)
"""


class SealedHooks:
    """Runs a backend's hooks (see :class:`rdo.upstream.metadata.HookRunner`)."""

    def __init__(self, planner: RootPlanner) -> None:
        self._planner = planner

    def requires_for_build_wheel(self, source: Source, build_system: BuildSystem) -> list[str]:
        """Return what ``get_requires_for_build_wheel`` adds to the build requirements.

        :raises RdoError: the backend is not to be had, or it failed
        """
        answer = json.loads(self._run("requires", source, build_system, build_system.requires))
        return [str(entry) for entry in answer]

    def core_metadata(self, source: Source, build_system: BuildSystem) -> str:
        """Return the text of METADATA that ``prepare_metadata_for_build_wheel`` makes.

        :raises RdoError: the backend is not to be had, or it failed
        """
        more = self.requires_for_build_wheel(source, build_system)
        return self._run("metadata", source, build_system, (*build_system.requires, *more))

    def _run(self, hook: str, source: Source, system: BuildSystem, requirements: tuple[str, ...]) -> str:
        planner = self._planner
        if not re.fullmatch(r"[\w.+-]+", source.filename):
            raise RdoError(f"{source.filename!r} is no name of a source.")
        try:
            plan = planner.plan(self._wanted(system, requirements), what=f"{source.filename}'s backend")
        except UnsatisfiedError as error:
            raise RdoError(f"The metadata of {source.filename} can't be had: {error.what}") from error
        layers = planner.ensure(plan, {})
        sandbox = Sandbox([layer.path for layer in layers], scratch_folder(planner.paths))
        with temporary(planner.paths.metadata) as folder:
            (folder / "out").mkdir()
            (folder / "hook.py").write_text(_SCRIPT)
            archive = f"/builddir/{source.filename}"
            arguments = [hook, system.backend, json.dumps(system.backend_path), archive]
            result = sandbox.run(
                ["python3", "/run/hook.py", *arguments],
                cwd="/builddir",
                binds=[
                    Bind(folder / "hook.py", "/run/hook.py"),
                    Bind(source.path, "/run/source"),
                    Bind(folder / "out", "/run/out", writable=True),
                ],
                before=f"install -m 0644 /run/source '{archive}'",
                after='[ "$status" != 0 ] || cp --no-dereference /builddir/answer /run/out/answer',
                limits=Limits(timeout=_TIMEOUT, space=1 << 30),
            )
            answer = folder / "out" / "answer"
            if not result.ok or answer.is_symlink() or not answer.is_file():
                why = f"no end after {_TIMEOUT:g} s" if result.timed_out else result.tail.strip()[-1500:]
                raise RdoError(f"The build backend of {source.filename} failed: {why}")
            return answer.read_text(errors="replace")

    def _wanted(self, system: BuildSystem, requirements: tuple[str, ...]) -> list[str]:
        """Return RPM requirements of the backend's PEP 508 ones that apply here, without versions."""
        wanted = ["python3dist(setuptools)"] if system.backend.startswith("setuptools") else []
        for text in requirements:
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise RdoError(f"The build requirement {text!r} can't be read.") from error
            if requirement.marker is None or requirement.marker.evaluate(self._planner.platform.environment):
                wanted.append(f"python3dist({canonicalize_name(requirement.name)})")
        return sorted(set(wanted))
