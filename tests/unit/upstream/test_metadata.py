from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rdo.common.errors import RdoError
from rdo.upstream.metadata import MetadataError, NoHookRootError, read_metadata
from rdo.upstream.metadata_cache import MetadataCache
from rdo.upstream.models import HookSubject
from rdo.upstream.setuppy import read_setup_py
from tests.unit.upstream.sdists import make_sdist, pkg_info


@dataclass
class Hooks:
    """Answers as a backend in a sealed root would, and counts."""

    requires: list[str] = field(default_factory=list)
    metadata: str = ""
    calls: list[str] = field(default_factory=list)

    def requires_for_build_wheel(self, subject: HookSubject) -> list[str]:
        self.calls.append("requires")
        return self.requires

    def core_metadata(self, subject: HookSubject) -> str:
        self.calls.append("metadata")
        return self.metadata


class Rootless(Hooks):
    def requires_for_build_wheel(self, subject: HookSubject) -> list[str]:
        raise NoHookRootError(f"nothing provides what {subject.dist} needs")

    def core_metadata(self, subject: HookSubject) -> str:
        raise NoHookRootError(f"nothing provides what {subject.source.filename} needs")


def test_static_metadata(tmp_path: Path) -> None:
    info = pkg_info(
        "Oslo.Thing",
        "1.2",
        "Summary: A  thing",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "License-File: gone",
        "Classifier: Programming Language :: Python",
        "Project-URL: Homepage, https://example.org",
        "Requires-Python: >=3.10",
        "Requires-Dist: a>=1",
        'Requires-Dist: b; extra == "test_it"',
        "Provides-Extra: test_it",
    )
    files = {
        "PKG-INFO": info,
        "LICENSE": "",
        "pyproject.toml": '[build-system]\nrequires = ["pbr>=6"]\n'
        'build-backend = "pbr.build"\n[project.scripts]\nthing = "thing:main"\n',
    }
    metadata = read_metadata(make_sdist(tmp_path, "oslo_thing", "1.2", files))
    assert (metadata.name, metadata.dist, metadata.version) == ("Oslo.Thing", "oslo-thing", "1.2")
    assert metadata.summary == "A thing"
    assert metadata.description.strip() == "The description."
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ("LICENSE",)
    assert metadata.home_page == "https://example.org"
    assert metadata.requires_dist == ("a>=1", 'b; extra == "test_it"')
    assert metadata.extras == ("test-it",)
    assert metadata.how == "static"
    assert metadata.build_system.backend == "pbr.build"
    assert metadata.build_system.requires == ("pbr>=6", "pbr")
    assert metadata.console_scripts == {"thing": "thing:main"}


def test_dynamic_requirements_come_from_egg_info(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": pkg_info(
            "a", "1", "Requires-Dist: wrong", "Dynamic: Requires-Dist", metadata_version="2.4"
        ),
        "setup.py": "from setuptools import setup\nsetup(setup_requires=['pbr>=2'], pbr=True)\n",
        "a.egg-info/requires.txt": "b>=1\n\n[:python_version < '3.9']\nc\n\n"
        "[x]\nd\n\n[x:sys_platform == 'linux']\ne\n",
        "a.egg-info/entry_points.txt": "[console_scripts]\nrun = a.cmd:main\n\n[a.drivers]\nsql = a:Sql\n",
        "tests/data/other.egg-info/requires.txt": "nonsense\n",
    }
    metadata = read_metadata(make_sdist(tmp_path, "a", "1", files))
    assert metadata.how == "egg-info"
    assert metadata.requires_dist == (
        "b>=1",
        "c; python_version < '3.9'",
        'd; extra == "x"',
        "e; sys_platform == 'linux' and extra == \"x\"",
    )
    assert metadata.extras == ("x",)
    assert metadata.console_scripts == {"run": "a.cmd:main"}
    assert metadata.entry_points == {"a.drivers": {"sql": "a:Sql"}}
    assert metadata.build_system.requires == ("setuptools", "wheel", "pbr>=2")
    assert not metadata.build_system.declared
    assert metadata.build_system.exact


def test_entry_points_that_setuptools_did_not_make_are_none(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": pkg_info("a", "1", metadata_version="2.4"),
        "setup.py": "from setuptools import setup\nsetup()\n",
        "setup.cfg": "[metadata]\nname = a\n[entry_points]\nconsole_scripts =\n    run = a.cmd:main\n",
        "a.egg-info/requires.txt": "",
    }
    assert read_metadata(make_sdist(tmp_path, "a", "1", files)).console_scripts == {}


def test_old_metadata_falls_back_to_pyproject(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": pkg_info("a", "1", metadata_version="2.1"),
        "pyproject.toml": '[build-system]\nrequires = ["x"]\nbuild-backend = "strange.backend"\n'
        '[project]\nname = "a"\nversion = "1"\ndependencies = ["b"]\n'
        "[project.optional-dependencies]\nc = [\"d; python_version > '3' or os_name == 'nt'\"]\n"
        '[project.entry-points."g.h"]\ni = "j:k"\n',
    }
    metadata = read_metadata(make_sdist(tmp_path, "a", "1", files))
    assert metadata.how == "pyproject"
    assert metadata.requires_dist == (
        "b",
        "d; (python_version > '3' or os_name == 'nt') and extra == \"c\"",
    )
    assert metadata.entry_points == {"g.h": {"i": "j:k"}}
    assert not metadata.build_system.exact


@pytest.mark.parametrize("backend", ["flit_core.buildapi", "poetry.core.masonry.api", "hatchling.build"])
def test_declarative_backends_are_trusted_with_old_metadata(tmp_path: Path, backend: str) -> None:
    files = {
        "PKG-INFO": pkg_info("a", "1", "Requires-Dist: b", metadata_version="2.1"),
        "pyproject.toml": f'[build-system]\nrequires = ["x"]\nbuild-backend = "{backend}"\n'
        '[tool.poetry.scripts]\nrun = "a:b"\n'
        '[tool.hatch.build.targets.wheel.hooks.vcs]\ndependencies = ["h"]\n',
    }
    metadata = read_metadata(make_sdist(tmp_path, "a", "1", files))
    assert (metadata.how, metadata.requires_dist) == ("static", ("b",))
    assert metadata.build_system.requires == (("x", "h") if backend == "hatchling.build" else ("x",))
    assert metadata.console_scripts == {"run": "a:b"}


@pytest.mark.parametrize(
    ("setup_py", "requires"),
    [
        ("setup(name='a', version='1')", ()),
        ("setup(name='a', version='1', install_requires=['b>=1'] + ['c'])", ("b>=1", "c")),
        ("reqs = ['b']\nsetup(install_requires=reqs)", ("b",)),
        ("setup(**arguments)", ()),
    ],
)
def test_setup_py_alone(tmp_path: Path, setup_py: str, requires: tuple[str, ...]) -> None:
    files = {"PKG-INFO": pkg_info("a", "1", metadata_version="1.1"), "setup.py": setup_py}
    assert read_metadata(make_sdist(tmp_path, "a", "1", files)).requires_dist == requires


@pytest.mark.parametrize(
    "setup_py",
    [
        "setup(install_requires=read('requirements.txt'))",
        "reqs = ['b']\nif windows: reqs.append('c')\nsetup(install_requires=reqs)",
    ],
)
def test_computed_requirements_need_the_hook(tmp_path: Path, setup_py: str) -> None:
    files = {"PKG-INFO": pkg_info("a", "1", metadata_version="1.1"), "setup.py": setup_py}
    source = make_sdist(tmp_path, "a", "1", files)
    with pytest.raises(MetadataError, match=r"a-1\.tar\.gz"):
        read_metadata(source)
    hooks = Hooks(metadata=pkg_info("a", "1", "Requires-Dist: z"))
    metadata = read_metadata(source, hooks)
    assert (metadata.how, metadata.requires_dist) == ("hook", ("z",))
    assert hooks.calls == ["metadata"]


def test_malformed_setup_requires_is_tolerated(tmp_path: Path) -> None:
    for files in (
        {"setup.py": "setup(setup_requires='setuptools;wheel;pip')"},
        {"setup.py": "setup()", "setup.cfg": "[options]\nsetup_requires = setuptools;wheel;pip\n"},
        {"setup.py": "setup()", "setup.cfg": "[options]\nsetup_requires =\n  pip\n  !!!\n  # no\n"},
    ):
        info = {"PKG-INFO": pkg_info("a", "1")}
        metadata = read_metadata(make_sdist(tmp_path, "a", "1", info | files))
        assert metadata.build_system.requires == ("setuptools", "wheel", "pip")


def test_in_tree_wrappers_and_computed_setup_requires_are_not_exact_until_the_hook_ran(
    tmp_path: Path,
) -> None:
    wrapper = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "mine"\nbackend-path = ["."]\n'
    for files in ({"pyproject.toml": wrapper}, {"setup.py": "setup(setup_requires=compute())"}):
        source = make_sdist(tmp_path, "a", "1", {"PKG-INFO": pkg_info("a", "1")} | files)
        assert not read_metadata(source).build_system.exact
        exact = read_metadata(source, Hooks(requires=["cython"]))
        assert exact.build_system.exact
        assert "cython" in exact.build_system.requires


@pytest.mark.parametrize(
    ("code", "wraps"),
    [
        ("from setuptools.build_meta import *\nfrom setuptools.build_meta import build_wheel\n", True),
        ("def f():\n    from setuptools import build_meta\n    return build_meta\n", True),
        ("import setuptools.build_meta as base\nbuild_wheel = base.build_wheel\n", True),
        ("from setuptools import build_meta\ndef get_requires_for_build_wheel(c=None): ...\n", False),
        ("from setuptools import build_meta\nfrom hatchling import build\n", False),
        ("import json\n", False),
        ("def f(:\n", False),
    ],
)
def test_in_tree_wrappers_that_leave_the_hook_alone_need_none(tmp_path: Path, code: str, wraps: bool) -> None:
    wrapper = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "own"\nbackend-path = ["in"]\n'
    files = {"PKG-INFO": pkg_info("a", "1"), "pyproject.toml": wrapper, "in/own.py": code}
    hooks = Hooks()
    system = read_metadata(make_sdist(tmp_path, "a", "1", files), hooks).build_system
    assert system.exact
    assert (system.wraps, hooks.calls) == (("setuptools.build_meta", []) if wraps else (None, ["requires"]))


def test_where_a_hook_has_no_root_the_stated_build_requirements_stand(tmp_path: Path) -> None:
    files = {"PKG-INFO": pkg_info("A", "1"), "setup.py": "setup(setup_requires=compute())"}
    source = make_sdist(tmp_path, "a", "1", files)
    system = read_metadata(source, Rootless()).build_system
    assert (system.exact, system.requires) == (False, ("setuptools", "wheel"))
    (tmp_path / "old").mkdir()
    nameless = make_sdist(tmp_path / "old", "a", "1", {"setup.py": "setup(install_requires=f())"})
    with pytest.raises(RdoError, match="nothing provides"):
        read_metadata(nameless, Rootless())


def test_a_backend_that_makes_itself_needs_no_hook(tmp_path: Path) -> None:
    text = '[build-system]\nrequires = []\nbuild-backend = "pbr.build"\nbackend-path = ["."]\n'
    files = {"PKG-INFO": pkg_info("pbr", "7"), "pyproject.toml": text}
    system = read_metadata(make_sdist(tmp_path, "pbr", "7", files)).build_system
    assert (system.exact, system.requires) == (True, ())


def test_code_of_a_source_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    files = {
        "PKG-INFO": pkg_info("a", "1"),
        "setup.py": f"open({str(trap)!r}, 'w')\nsetup(setup_requires=f())",
    }
    read_metadata(make_sdist(tmp_path, "a", "1", files))
    assert not trap.exists()


def test_licences_without_expression(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": pkg_info("a", "1", "License: BSD"),
        "COPYING.txt": "",
        "licenses.py": "",
        "a/LICENSE": "",
    }
    metadata = read_metadata(make_sdist(tmp_path, "a", "1", files))
    assert metadata.license == "BSD"
    assert metadata.license_expression is None
    assert "COPYING.txt" in metadata.license_files
    assert "a/LICENSE" not in metadata.license_files


def test_cache_reads_once_and_heals(tmp_path: Path) -> None:
    cache = MetadataCache(tmp_path / "cache")
    source = make_sdist(tmp_path, "a", "1", {"PKG-INFO": pkg_info("a", "1")})
    first = cache.read(source)
    source.path.unlink()
    assert cache.read(source) == first
    (damaged,) = (tmp_path / "cache").rglob("*.json")
    damaged.write_text("{")
    assert cache.find(source.sha256) is None


def test_cache_reads_again_when_a_hook_runner_comes(tmp_path: Path) -> None:
    cache = MetadataCache(tmp_path / "cache")
    files = {"PKG-INFO": pkg_info("a", "1"), "setup.py": "setup(setup_requires=compute())"}
    source = make_sdist(tmp_path, "a", "1", files)
    assert not cache.read(source).build_system.exact
    hooks = Hooks(requires=["cython"])
    assert cache.read(source, hooks).build_system.exact
    assert cache.read(source, hooks).build_system.exact
    assert hooks.calls == ["requires"]
    assert cache.read(source).build_system.exact


def test_a_setup_py_that_is_nested_too_deeply_is_left_unread() -> None:
    assert read_setup_py("setup(name=" + "+".join(["'a'"] * 3000) + ")").unread
    assert read_setup_py("setup(name=" + "[" * 5000).unread


@pytest.mark.parametrize(
    "text",
    [
        "[build-system]\nrequires = 5\n",
        "[build-system]\nrequires = [5]\n",
        "[build-system]\nrequires = []\nbackend-path = 'x'\n",
        "[project]\nname = 'a'\nversion = '1'\ndependencies = 'b'\n",
        "[project]\nname = 'a'\nversion = '1'\noptional-dependencies = {x = 1}\n",
    ],
)
def test_a_malformed_pyproject_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(RdoError, match="list of strings"):
        read_metadata(make_sdist(tmp_path, "a", "1", {"pyproject.toml": text}))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pyproject.toml": '[project.scripts]\n"x\\n%post\\ntouch /x" = "a:b"\n'}, "console scripts: "),
        (
            {"pyproject.toml": '[project.gui-scripts]\n"../x" = "a:b"\n'},
            "'../x' isn't the plain name of a file",
        ),
        ({"PKG-INFO": pkg_info("a\u2028b", "1")}, "isn't the name of a project"),
        ({"PKG-INFO": pkg_info("a", "1") + "x"}, None),
        ({"PKG-INFO": "Metadata-Version: 2.2\nName: a\nVersion: 1x y\n\n"}, "'1x y' is no version"),
        ({"PKG-INFO": pkg_info("a", "1", "Provides-Extra: b[c]")}, "isn't the name of an extra"),
        (
            {"a.egg-info/PKG-INFO": "", "a.egg-info/entry_points.txt": "[console_scripts]\na b = a:b\n"},
            "'a b'",
        ),
    ],
)
def test_names_that_are_none_are_refused_with_the_source(
    tmp_path: Path, files: dict[str, str], words: str | None
) -> None:
    source = make_sdist(tmp_path, "a", "1", {"PKG-INFO": pkg_info("a", "1"), **files})
    if words is None:
        assert read_metadata(source).name == "a"
        return
    with pytest.raises(MetadataError) as caught:
        read_metadata(source)
    text = caught.value.diagnostics()
    assert text.startswith("a-1.tar.gz states what no package can have:")
    assert words in text
    assert all(one == "\n" or one.isprintable() for one in text)
