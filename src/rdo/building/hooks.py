"""PEP 517 hooks run in a sealed root, for sources that state no metadata of their own.

The root has the platform's packages of the backend's requirements; their versions are the platform's, since
what is asked for is metadata and not the build. It also has what isn't Python's and the build would have: a
setup.py may try its compiler, or ask pkg-config for a library, before it answers anything.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.roots import temporary
from rdo.building.sealed import Bind, Limits, Sandbox, scratch_folder
from rdo.common.errors import RdoError
from rdo.common.trees import read_within
from rdo.distribution.description import PackageDescription
from rdo.upstream.metadata import NoHookRootError
from rdo.upstream.models import HookSubject

# Rust's is left out: it is large, and what asks for it in a setup.py is a package of Python's.
_COMPILERS = {".c": "gcc", ".cc": "gcc-c++", ".cpp": "gcc-c++", ".cxx": "gcc-c++", ".pyx": "gcc"}
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
    """Runs a backend's hooks (see :class:`rdo.upstream.metadata.HookRunner`).

    :param descriptions: by canonical index name: what else builds need
    """

    def __init__(
        self, planner: RootPlanner, descriptions: Mapping[str, PackageDescription] | None = None
    ) -> None:
        self._planner = planner
        self._descriptions = descriptions or {}

    def requires_for_build_wheel(self, subject: HookSubject) -> list[str]:
        """Return what ``get_requires_for_build_wheel`` adds to the build requirements.

        :raises NoHookRootError: what the backend needs is not to be had
        :raises RdoError: the backend failed
        """
        answer = json.loads(self._run("requires", subject, subject.build_system.requires))
        return [str(entry) for entry in answer]

    def core_metadata(self, subject: HookSubject) -> str:
        """Return the text of METADATA that ``prepare_metadata_for_build_wheel`` makes.

        :raises NoHookRootError: what the backend needs is not to be had
        :raises RdoError: the backend failed
        """
        more = self.requires_for_build_wheel(subject)
        return self._run("metadata", subject, (*subject.build_system.requires, *more))

    def _run(self, hook: str, subject: HookSubject, requirements: tuple[str, ...]) -> str:
        planner, source, system = self._planner, subject.source, subject.build_system
        if not re.fullmatch(r"[\w.+-]+", source.filename):
            raise RdoError(f"{source.filename!r} is no name of a source.")
        try:
            plan = planner.plan(self._wanted(subject, requirements), what=f"{source.filename}'s backend")
        except UnsatisfiedError as error:
            raise NoHookRootError(f"The metadata of {source.filename} can't be had: {error.what}") from error
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
            answer = read_within(folder / "out", "answer")
            if not result.ok or answer is None:
                why = result.limit or result.tail.strip()[-1500:]
                raise RdoError(f"The build backend of {source.filename} failed: {why}")
            return answer.decode(errors="replace")

    def _wanted(self, subject: HookSubject, requirements: tuple[str, ...]) -> list[str]:
        """Return RPM requirements of the backend's PEP 508 ones that apply here, without versions."""
        wanted = self._natives(subject)
        if subject.build_system.backend.startswith("setuptools"):
            wanted.append("python3dist(setuptools)")
        for text in requirements:
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                raise RdoError(f"The build requirement {text!r} can't be read.") from error
            if requirement.marker is None or requirement.marker.evaluate(self._planner.platform.environment):
                wanted.append(f"python3dist({canonicalize_name(requirement.name)})")
        return sorted(set(wanted))

    def _natives(self, subject: HookSubject) -> list[str]:
        """Return what the build has that isn't Python's: compilers, and what the description says."""
        ends = {posixpath.splitext(name)[1] for name in subject.files}
        compilers = {_COMPILERS[end] for end in ends if end in _COMPILERS}
        described = self._descriptions.get(subject.dist)
        natives = [] if described is None else list(described.build_requires)
        # a compiler asks for Python's headers
        return [*natives, *compilers, "python3-devel"] if compilers else natives
