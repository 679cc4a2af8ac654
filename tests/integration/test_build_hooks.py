"""A build backend's hooks, run where they can do no harm."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from rdo.building.hooks import SealedHooks
from rdo.building.planner import RootPlanner
from rdo.common.errors import RdoError
from rdo.distribution.load import Distribution
from rdo.upstream.models import BuildSystem, HookSubject, Source
from tests.integration.repository_tools import paths_in
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> SealedHooks:
    paths = paths_in(tmp_path_factory.mktemp("hooks"))
    return SealedHooks(
        RootPlanner(Distribution.load(paths.distribution).platform("debian13"), installation_of(paths))
    )


def sdist(folder: Path, setup: str) -> Source:
    path = folder / "thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("thing-1.0/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup.encode()))
    return Source(filename=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=path)


def subject(source: Source, system: BuildSystem | None = None, *files: str) -> HookSubject:
    return HookSubject(source=source, dist="thing", build_system=system or BuildSystem(), files=files)


def test_requirements_and_metadata(hooks: SealedHooks, tmp_path: Path) -> None:
    setup = "from setuptools import setup\nprint('noise')\n"
    setup += "setup(name='thing', version='1.0', py_modules=[],"
    setup += " setup_requires=['pyyaml'], install_requires=['six'])\n"
    source = sdist(tmp_path, setup)
    assert hooks.requires_for_build_wheel(subject(source)) == ["pyyaml"]
    text = hooks.core_metadata(subject(source))
    assert "Name: thing\nVersion: 1.0\n" in text
    assert "Requires-Dist: six" in text


def test_failing_backend_is_said_to_fail(hooks: SealedHooks, tmp_path: Path) -> None:
    source = sdist(tmp_path, "import socket; socket.create_connection(('192.0.2.1', 80))\n")
    with pytest.raises(RdoError, match="Network is unreachable"):
        hooks.core_metadata(subject(source))


@pytest.mark.parametrize(
    ("program", "limit"),
    [
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n", "of 512 processes"),
        ("x = []\nwhile True: x.append(bytearray(b'x' * (1 << 22)))\n", "of 1.5 GiB of memory"),
        ("while True: print('x' * 1000)\n", "more than 64 MiB of log"),
    ],
)
def test_backend_that_uses_up_the_machine(
    hooks: SealedHooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, limit: str
) -> None:
    monkeypatch.setattr("rdo.building.limits._machine_memory", lambda: 3 << 30)
    with pytest.raises(RdoError, match=limit):
        hooks.core_metadata(subject(sdist(tmp_path, program)))


def test_backend_that_the_platform_lacks(hooks: SealedHooks, tmp_path: Path) -> None:
    system = BuildSystem(backend="nope.api", requires=("no-such-backend>=1",))
    with pytest.raises(RdoError, match=r"python3dist\(no-such-backend\)"):
        hooks.core_metadata(subject(sdist(tmp_path, ""), system))


def test_natives_are_there_for_what_asks_a_compiler(hooks: SealedHooks, tmp_path: Path) -> None:
    setup = (
        "import subprocess\nfrom setuptools import setup\nsubprocess.run(['c++', '--version'], check=True)\n"
    )
    setup += "setup(name='thing', version='1.0', py_modules=[], setup_requires=['cython'])\n"
    asked = subject(sdist(tmp_path, setup), None, "thing.cc")
    assert hooks.requires_for_build_wheel(asked) == ["cython"]
