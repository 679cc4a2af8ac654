"""The standard macros in the real build root: what rpmbuild makes with them; EL's way makes the same."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rdo.building.roots import Root, ensure_build_root, ensure_grown
from rdo.building.sealed import Bind, SealedResult
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from tests.integration.repository_tools import paths_in
from tests.integration.small_projects import FLIT, HATCHLING, PROJECTS, Project
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

SITE = "/usr/lib/python3.13/site-packages"
EL_LIKE = Path(__file__).parents[2] / "benchmarks" / "el-like.macros"
NEEDED = ["flit", "gcc", "gettext", "libc6-dev", "python3-dev", "python3-hatchling", "python3-pbr"]
NEEDED += ["python3-pip", "python3-setuptools", "python3-yaml"]

# Arguments: nothing. Builds every spec at one place in the root, and hands out RPMs and what is in them.
_BUILD = r"""
set -e
T=/builddir/build
for round in $ROUNDS; do
    rm -rf $T && mkdir -p $T/SOURCES $T/SPECS
    cp /in/*.tar.gz $T/SOURCES && cp /in/*.spec $T/SPECS && find $T -type f -exec touch -d @315532800 {} +
    for spec in $T/SPECS/*.spec; do
        rpmbuild -ba --nodeps --define "_topdir $T" --define "_srcdefattr (-,root,root)" $spec
    done
    mkdir /tmp/$round && find $T/RPMS $T/SRPMS -name '*.rpm' -exec cp -t /tmp/$round {} +
    sleep 1.1
done
"""
_TAKE = "cp -r /tmp/[a-z]* /out/ 2>/dev/null; true"


@dataclass(frozen=True)
class Bench:
    """A root with the projects' build requirements."""

    root: Root
    paths: Paths

    def build(self, folder: Path, projects: tuple[Project, ...], rounds: str, *, el: bool) -> SealedResult:
        """Build projects, once for each name in ``rounds``; the RPMs come to ``folder/out/<round>``."""
        inputs = folder / "in"
        inputs.mkdir(parents=True)
        (folder / "out").mkdir()
        for project in projects:
            project.sdist(inputs)
            (inputs / f"{project.name}.spec").write_text(project.spec)
        binds = [Bind(inputs, "/in"), Bind(folder / "out", "/out", writable=True)]
        binds += [Bind(EL_LIKE, "/etc/rpm/macros.rdo-el")] if el else []
        return self.root.sandbox(self.paths).run(
            ["bash", "-c", _BUILD], binds=binds, env={"ROUNDS": rounds}, after=_TAKE, log=folder / "log"
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    paths = paths_in(tmp_path_factory.mktemp("macros"))
    platform = Distribution.load(paths.distribution).platform("debian13")
    root = ensure_grown(
        ensure_build_root(platform, installation_of(paths)),
        NEEDED,
        installation_of(paths),
        title="Layer for tests of macros",
    )
    return Bench(root, paths)


@pytest.fixture(scope="module")
def built(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RPMs of two builds of our own, and of one in EL's way: folders ``first``, ``second``, ``el``."""
    folder = tmp_path_factory.mktemp("built")
    ours = bench.build(folder / "ours", PROJECTS, "first second", el=False)
    assert ours.ok, ours.tail
    theirs = bench.build(folder / "theirs", PROJECTS, "el", el=True)
    assert theirs.ok, theirs.tail
    for place in (folder / "ours" / "out", folder / "theirs" / "out"):
        for one in place.iterdir():
            shutil.move(one, folder / one.name)
    return folder


@pytest.fixture(scope="module")
def said(bench: Bench, built: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What rpm says of each RPM: round -> file name -> tags."""
    script = 'for f in /rpms/*/*.rpm; do echo "$f"; rpm --dbpath /tmp/db -qp --json "$f"; done'
    tree = "mkdir /tmp/tree; cd /tmp/tree; for f in /rpms/first/*.rpm; do"
    tree += " case $f in *.src.rpm) ;; *) rpm2archive -n - <$f | tar -x;; esac; done"
    result = bench.root.sandbox(bench.paths).run(
        ["bash", "-c", f"({script}) >/tmp/said 2>/dev/null; {tree}"],
        user="root",
        binds=[Bind(built, "/rpms", writable=True)],
        after="cp -r --no-preserve=ownership /tmp/said /tmp/tree /rpms/",
    )
    assert result.ok, result.tail
    found: dict[str, dict[str, dict[str, Any]]] = {}
    decoder, text = json.JSONDecoder(), (built / "said").read_text().lstrip()
    while text:
        name, _, rest = text.partition("\n")
        value, end = decoder.raw_decode(rest)
        _, _, variant, file = name.split("/")
        found.setdefault(variant, {})[file] = value
        text = rest[end:].lstrip()
    return found


def files(tags: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a package's files by path, each with its attributes."""
    keys = ("Filemodes", "Fileflags", "Filelangs", "Filemtimes", "Fileusername")
    folders = _listed(tags, "Dirnames")
    names = zip(_listed(tags, "Dirindexes"), _listed(tags, "Basenames"), strict=True)
    values = {key: _listed(tags, key) for key in keys if key in tags}
    return {
        folders[folder] + name: {key: rows[number] for key, rows in values.items()}
        for number, (folder, name) in enumerate(names)
    }


def dependencies(tags: dict[str, Any], kind: str) -> set[str]:
    """Return ``name`` or ``name version`` of what a package provides or requires."""
    rows = zip(_listed(tags, f"{kind}name"), _listed(tags, f"{kind}version"), strict=True)
    return {f"{name} {version}".strip() for name, version in rows}


def _listed(tags: dict[str, Any], tag: str) -> list[Any]:
    value = tags.get(tag, [])
    return value if isinstance(value, list) else [value]


def one(said: dict[str, dict[str, dict[str, Any]]], start: str) -> dict[str, Any]:
    """Return the first build's package of that name."""
    return next(tags for name, tags in said["first"].items() if name.startswith(f"{start}-1.0-1."))


def test_twice_the_same_bytes(built: Path) -> None:
    names = sorted(path.name for path in (built / "first").iterdir())
    assert len(names) == 11
    different = [
        n for n in names if (built / "first" / n).read_bytes() != (built / "second" / n).read_bytes()
    ]
    assert different == []


def test_same_files_and_dependencies_as_in_els_way(said: dict[str, dict[str, dict[str, Any]]]) -> None:
    assert sorted(said["first"]) == sorted(said["el"])
    for name, ours in said["first"].items():
        theirs = said["el"][name]
        assert _without_times(files(ours)) == _without_times(files(theirs)), name
        for kind in ("Provide", "Require", "Recommend", "Conflict"):
            if f"{kind}name" in ours or f"{kind}name" in theirs:
                assert dependencies(ours, kind) == dependencies(theirs, kind), name


def _without_times(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {path: {k: v for k, v in row.items() if k != "Filemtimes"} for path, row in found.items()}


def test_dependencies_of_a_python_package(said: dict[str, dict[str, dict[str, Any]]]) -> None:
    tags = one(said, "python3-small_pbr")
    provides = dependencies(tags, "Provide")
    assert {"python3dist(small-pbr) 1", "python3.13dist(small-pbr) 1"} <= provides
    assert {"python-small_pbr 1.0-1.deb13", "python3.13-small_pbr 1.0-1.deb13"} <= provides
    requires = dependencies(tags, "Require")
    assert {"python(abi) 3.13", "/usr/bin/python3", "/usr/bin/bash", "python3.13dist(pyyaml) 5.1"} <= requires
    assert any("six" in item and " with " in item for item in requires)
    assert {"systemd"}.isdisjoint(requires)
    extra = one(said, "python3-small_pbr+net-extra")
    assert "python3.13dist(requests) 2" in dependencies(extra, "Require")
    assert "python3dist(small-pbr[net-extra]) 1" in dependencies(extra, "Provide")
    assert list(files(extra)) == [f"{SITE}/small_pbr-1.0.dist-info"]


def test_files_of_a_python_package(said: dict[str, dict[str, dict[str, Any]]], built: Path) -> None:
    found = files(one(said, "python3-small_pbr"))
    config, licence = 1 | 16, 128
    assert found["/etc/small/small.conf"]["Fileflags"] == config
    assert found[f"{SITE}/small_pbr-1.0.dist-info/licenses/LICENSE"]["Fileflags"] == licence
    assert found[f"{SITE}/small_pbr/locale/de/LC_MESSAGES/small.mo"]["Filelangs"] == "de"
    assert found["/usr/share/locale/fr/LC_MESSAGES/small.mo"]["Filelangs"] == "fr"
    assert f"{SITE}/small_pbr/odd [name] {{x}} 100%.txt" in found
    assert "/usr/share/man/man1/small.1.gz" in found
    assert not [p for p in found if p.endswith(("/RECORD", "/REQUESTED", "/direct_url.json", "/pbr.json"))]
    tree = built / "tree"
    assert (tree / f".{SITE}/small_pbr-1.0.dist-info/INSTALLER").read_text() == "rpm\n"
    assert (tree / "usr/bin/small-pbr").read_text().startswith("#!/usr/bin/python3 -sP\n")
    assert (tree / f".{SITE}/small_pbr/run.sh").read_text().startswith("#!/usr/bin/bash\n")


def test_byte_code_stays_valid_once_installed(
    said: dict[str, dict[str, dict[str, Any]]], built: Path
) -> None:
    found = files(one(said, "python3-small_pbr"))
    sources = [path for path in found if path.endswith(".py")]
    assert len(sources) == 3
    for path in sources:
        folder, _, name = path.rpartition("/")
        for level in ("", ".opt-1"):
            cached = f"{folder}/__pycache__/{name[:-3]}.cpython-313{level}.pyc"
            flags, mtime, size = struct.unpack("<4x3I", (built / "tree" / f".{cached}").read_bytes()[:16])
            assert flags == 0
            assert mtime == found[path]["Filemtimes"] == found[cached]["Filemtimes"]
            assert size == (built / "tree" / f".{path}").stat().st_size
    cmd = f"{SITE}/small_pbr/__pycache__/cmd.cpython-313"
    tree = built / "tree"
    assert (tree / f".{cmd}.pyc").read_bytes() != (tree / f".{cmd}.opt-1.pyc").read_bytes()


def test_extension(said: dict[str, dict[str, dict[str, Any]]], built: Path) -> None:
    tags = one(said, "python3-small_c")
    library = next(path for path in files(tags) if path.endswith(".so"))
    assert library == f"{SITE}/small_c/_c.cpython-313-x86_64-linux-gnu.so"
    content = (built / "tree" / f".{library}").read_bytes()
    assert b".symtab" not in content
    assert b"/builddir" not in content
    assert any(item.startswith("libc.so.6(GLIBC_") for item in dependencies(tags, "Require"))
    assert tags["Arch"] == "x86_64"
    assert "-O2" in tags["Optflags"]


def test_namespace(said: dict[str, dict[str, dict[str, Any]]]) -> None:
    found = files(one(said, "python3-small_ns"))
    assert {f"{SITE}/wide", f"{SITE}/wide/inner", f"{SITE}/wide/inner/deep/__init__.py"} <= set(found)
    assert f"{SITE}/wide/__init__.py" not in found


@pytest.mark.parametrize(
    ("project", "save", "expected"),
    [
        (FLIT, "-l wrong_name", "Nothing is installed as wrong_name. There are: small_flit"),
        (HATCHLING, "", "Name the modules"),
    ],
)
def test_mistakes_are_said(bench: Bench, tmp_path: Path, project: Project, save: str, expected: str) -> None:
    result = bench.build(tmp_path, (replace(project, save=save),), "only", el=False)
    assert not result.ok
    assert expected in result.tail


def test_failing_import_fails_the_build(bench: Bench, tmp_path: Path) -> None:
    broken = replace(FLIT, files={**FLIT.files, "small_flit.py": "import no_such_module\n"})
    result = bench.build(tmp_path, (broken,), "only", el=False)
    assert not result.ok
    assert "No module named 'no_such_module'" in result.tail


def test_module_that_does_not_compile_fails_the_build(bench: Bench, tmp_path: Path) -> None:
    files_with_mistake = {**HATCHLING.files, "small_hatch/old.py": "print 'two'\n"}
    result = bench.build(tmp_path, (replace(HATCHLING, files=files_with_mistake),), "only", el=False)
    assert not result.ok
    assert "1 modules don't compile" in result.tail


def test_our_modules_come_before_debians(bench: Bench) -> None:
    script = (
        f"mkdir -p {SITE}; echo 'import sys; sys.marked = 1' >{SITE}/x.pth; echo 'V = 1' >{SITE}/yaml.py;"
    )
    script += " python3 -c 'import sys, yaml; print(yaml.V, sys.marked, sys.path)'"
    result = bench.root.sandbox(bench.paths).run(["sh", "-c", script], user="root")
    assert result.tail.startswith("1 1 ["), result.tail
    path = result.tail.partition("[")[2]
    assert path.index(SITE) < path.index("/usr/lib/python3/dist-packages")
