"""The build root's helper scripts, run as the macros run them, on this machine's Python."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

HELPERS = Path(__file__).parents[3] / "src" / "rdo" / "packaging" / "files"
SITE = f"/usr/lib/python3.{sys.version_info.minor}/site-packages"
TAG = f"cpython-3{sys.version_info.minor}"


def run(script: str, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-sB", str(HELPERS / script), *map(str, arguments)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def lay(root: Path, files: dict[str, str]) -> Path:
    """Write files below a build root, by their path in the root."""
    for path, content in files.items():
        target = Path(f"{root}{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return root


class Installed:
    """A build root in which a wheel has been installed, and its record."""

    def __init__(self, folder: Path, modules: list[str], *, licence: str = "", metadata: str = "") -> None:
        self.folder, self.root = folder, folder / "root"
        distinfo = f"{SITE}/thing-1.0.dist-info"
        text = f"Name: thing\nVersion: 1.0\n{metadata}"
        self.files = {f"{distinfo}/METADATA": text, **{f"{SITE}/{m}": "" for m in modules}}
        if licence:
            self.files[f"{distinfo}/{licence}"] = "MIT\n"
        self.files["/usr/bin/thing"] = "#!/usr/bin/python3\n"
        lay(self.root, self.files)
        record = [{"distinfo": distinfo, "files": sorted(self.files)}]
        (folder / "record").write_text(json.dumps(record))

    def save(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(
            "pyproject_files.py",
            *("--buildroot", self.root, "--site", SITE, "--record", self.folder / "record"),
            *("--output", self.folder / "files", "--modules-output", self.folder / "modules", "--"),
            *arguments,
        )

    @property
    def listed(self) -> list[str]:
        return (self.folder / "files").read_text().replace(SITE, "@").splitlines()

    @property
    def modules(self) -> list[str]:
        return (self.folder / "modules").read_text().split()


def test_listing_of_a_package(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing/__init__.py", "thing/sub/a.py", "thing/data.txt"])
    assert installed.save("thing").returncode == 0
    assert installed.listed == [
        "%dir @/thing-1.0.dist-info",
        "@/thing-1.0.dist-info/METADATA",
        "%dir @/thing",
        "@/thing/__init__.py",
        "%dir @/thing/__pycache__",
        f"@/thing/__pycache__/__init__.{TAG}.pyc",
        f"@/thing/__pycache__/__init__.{TAG}.opt-1.pyc",
        "@/thing/data.txt",
        "%dir @/thing/sub",
        "@/thing/sub/a.py",
        "%dir @/thing/sub/__pycache__",
        f"@/thing/sub/__pycache__/a.{TAG}.pyc",
        f"@/thing/sub/__pycache__/a.{TAG}.opt-1.pyc",
    ]
    assert installed.modules == ["thing", "thing.sub.a"]


def test_modules_that_can_be_imported(tmp_path: Path) -> None:
    names = [
        "thing/__main__.py",
        "thing/no-name.py",
        "one.py",
        f"_c.{TAG}-x86_64-linux-gnu.so",
        "thing/x.pyi",
    ]
    installed = Installed(tmp_path, [*names, "thing/_d.abi3.so", "thing/templates/2x/a.py"])
    assert installed.save("*").returncode == 0
    assert installed.modules == ["_c", "one", "thing._d"]


def test_globs_and_namespaces(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["wide/a/__init__.py", "wide/b/__init__.py", "other.py"])
    assert installed.save("wide.a").returncode == 0
    assert "%dir @/wide" in installed.listed
    assert "@/wide/a/__init__.py" in installed.listed
    assert "@/wide/b/__init__.py" not in installed.listed
    assert installed.modules == ["wide.a"]


def test_auto_lists_everything_else(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing.py", "thing-nspkg.pth"])
    assert installed.save("thing", "+auto").returncode == 0
    assert {"/usr/bin/thing", "@/thing-nspkg.pth"} <= set(installed.listed)
    assert installed.save("thing").returncode == 0
    assert "/usr/bin/thing" not in installed.listed


@pytest.mark.parametrize("place", ["licenses/LICENSE", "LICENSE"])
def test_licences(tmp_path: Path, place: str) -> None:
    installed = Installed(tmp_path, ["thing.py"], licence=place, metadata="License-File: LICENSE\n")
    assert installed.save("-l", "thing").returncode == 0
    assert f"%license @/thing-1.0.dist-info/{place}" in installed.listed


def test_missing_licence_is_a_mistake_only_where_it_is_wanted(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing.py"])
    refused = installed.save("-l", "thing")
    assert refused.returncode == 1
    assert "licence" in refused.stderr
    assert installed.save("-L", "thing").returncode == 0


def test_glob_that_names_nothing(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing.py"])
    refused = installed.save("thing", "thnig*")
    assert refused.returncode == 1
    assert "Nothing is installed as thnig*. There are: thing" in refused.stderr


def test_no_modules(tmp_path: Path) -> None:
    installed = Installed(tmp_path, [])
    assert installed.save("*").returncode == 1
    assert installed.save("-M").returncode == 0
    assert installed.modules == []


def test_names_that_mean_something_to_rpm(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing/a b.txt", "thing/[x].txt", "thing/100%.txt"])
    assert installed.save("thing").returncode == 0
    assert {r"@/thing/a\ b.txt", r"@/thing/\[x\].txt", "@/thing/100%%.txt"} <= set(installed.listed)


def test_translations(tmp_path: Path) -> None:
    installed = Installed(tmp_path, ["thing/locale/pt_BR/LC_MESSAGES/thing.mo", "thing/loose.mo"])
    assert installed.save("thing").returncode == 0
    assert "%lang(pt_BR) @/thing/locale/pt_BR/LC_MESSAGES/thing.mo" in installed.listed
    assert "@/thing/loose.mo" in installed.listed


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("check_import.py", "--buildroot", folder, "--site", SITE, *arguments)


def test_import_check_takes_the_build_roots_modules(tmp_path: Path) -> None:
    lay(tmp_path, {f"{SITE}/json/__init__.py": "ours = 1\n", f"{SITE}/needs.py": "from json import ours\n"})
    assert check(tmp_path, "needs").stdout == "Modules imported: 1\n"


def test_all_failing_imports_are_named(tmp_path: Path) -> None:
    lay(tmp_path, {f"{SITE}/{n}.py": c for n, c in {"a": "import no_such", "b": "exit(0)", "c": ""}.items()})
    result = check(tmp_path, "a", "b,c")
    assert result.returncode == 1
    assert "No module named 'no_such'" in result.stderr
    assert "2 of 3 modules can't be imported: a b" in result.stderr


def test_import_check_of_a_list(tmp_path: Path) -> None:
    lay(tmp_path, {f"{SITE}/a/__init__.py": "", f"{SITE}/a/bad.py": "1/0", "/list": "a\na.bad\n"})
    assert check(tmp_path, "--file", f"{tmp_path}/list").returncode == 1
    assert check(tmp_path, "--file", f"{tmp_path}/list", "-t").returncode == 0
    assert check(tmp_path, "--file", f"{tmp_path}/list", "-e", "*.bad").returncode == 0
    nothing = check(tmp_path, "--file", f"{tmp_path}/list", "-e", "*")
    assert nothing.returncode == 1
    assert "no module to import" in nothing.stderr


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        ("#!/usr/bin/env python3", "#!/usr/bin/python3 -sP"),
        ("#!/usr/bin/python", "#!/usr/bin/python3 -sP"),
        ("#!/usr/bin/python3.13 -s", "#!/usr/bin/python3 -sP"),
        ("#!/usr/bin/python3 -E", "#!/usr/bin/python3 -EsP"),
        ("#!/usr/bin/python3 -sP", "#!/usr/bin/python3 -sP"),
        ("#!/bin/sh", "#!/bin/sh"),
        ("#!/usr/bin/env bash", "#!/usr/bin/env bash"),
        ("no script", "no script"),
    ],
)
def test_python_shebangs(tmp_path: Path, line: str, fixed: str) -> None:
    script = tmp_path / "script"
    script.write_text(f"{line}\nrest\n")
    script.chmod(0o555)
    assert run("shebang.py", "--fix", script).returncode == 0
    assert script.read_text() == f"{fixed}\nrest\n"
    assert script.stat().st_mode & 0o777 == 0o555


def finish(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        "finish.py", "--site", SITE, *arguments, root, SOURCE_DATE_EPOCH="1700000000", PYTHONHASHSEED="0"
    )


def test_byte_code_depends_on_the_sources_only(tmp_path: Path) -> None:
    files = {f"{SITE}/a.py": "assert 1, {'x', 'y', 'z'}\n", f"{SITE}/b.py": "X = 1\n"}
    seen = []
    for place in ("one", "other"):
        root = lay(tmp_path / place / "root", files)
        assert finish(root).returncode == 0
        cache = Path(f"{root}{SITE}/__pycache__")
        seen.append({path.name: path.read_bytes() for path in cache.iterdir()})
        assert (cache / f"b.{TAG}.pyc").stat().st_nlink == 2
        assert Path(f"{root}{SITE}/a.py").stat().st_mtime == 1700000000
        shutil.rmtree(root)
    assert seen[0] == seen[1]
    assert sorted(seen[0]) == [f"{n}.{TAG}{level}.pyc" for n in "ab" for level in (".opt-1", "")]
    content = seen[0][f"a.{TAG}.pyc"]
    assert int.from_bytes(content[8:12], "little") == 1700000000
    code = marshal.loads(content[16:])
    assert isinstance(code, CodeType)
    assert code.co_filename == f"{SITE}/a.py"


def test_module_that_does_not_compile(tmp_path: Path) -> None:
    root = lay(tmp_path, {f"{SITE}/bad.py": "print 'x'\n", f"{SITE}/good.py": ""})
    refused = finish(root)
    assert refused.returncode == 1
    assert f"1 modules don't compile: {SITE}/bad.py" in refused.stderr
    assert finish(root, "--lenient").returncode == 0
    assert Path(f"{root}{SITE}/__pycache__/good.{TAG}.pyc").exists()


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        ("def f():\n    assert 1\n", 2),
        ("if 1: assert 1\n", 2),
        ("x = 1; assert x\n", 2),
        ("print(__debug__)\n", 2),
        ("# nothing to assert\nself = 'assert'\nassertions = assert_ = 1\n", 1),
    ],
)
def test_levels_share_byte_code_where_nothing_is_asserted(tmp_path: Path, source: str, levels: int) -> None:
    root = lay(tmp_path, {f"{SITE}/a.py": source})
    assert finish(root).returncode == 0
    assert len({path.stat().st_ino for path in Path(f"{root}{SITE}/__pycache__").iterdir()}) == levels


def test_large_packages_are_compiled_by_two_processes(tmp_path: Path) -> None:
    padding = f"# {'x' * 90}\n" * 11_000
    names = [f"m{number}" for number in range(6)]
    root = lay(tmp_path, {f"{SITE}/{name}.py": f"{name} = 1\n{padding}" for name in names})
    assert finish(root).returncode == 0
    cache = Path(f"{root}{SITE}/__pycache__")
    assert sorted(path.name for path in cache.glob(f"*.{TAG}.pyc")) == [f"{n}.{TAG}.pyc" for n in names]
    for name in ("m4", "m5"):
        Path(f"{root}{SITE}/{name}.py").write_text(f"print 'x'\n{padding}")
    refused = finish(root)
    assert refused.returncode == 1
    assert f"2 modules don't compile: {SITE}/m4.py {SITE}/m5.py" in refused.stderr


def test_executables_are_settled(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "/usr/bin/asks": "#!/usr/bin/env bash\n",
            "/usr/bin/plain": "#!/bin/sh\n",
            "/usr/share/data": "nothing to run\n",
            "/usr/share/man/man8/thing.8": ".TH\n",
        },
    )
    for path in ("usr/bin/asks", "usr/bin/plain", "usr/share/data"):
        (root / path).chmod(0o755)
    (root / "usr/share/man/man8/also.8").symlink_to("thing.8")
    assert finish(root).returncode == 0
    assert (root / "usr/bin/asks").read_text() == "#!/usr/bin/bash\n"
    assert (root / "usr/bin/plain").read_text() == "#!/bin/sh\n"
    assert (root / "usr/share/data").stat().st_mode & 0o777 == 0o644
    manual = root / "usr/share/man/man8"
    assert sorted(path.name for path in manual.iterdir()) == ["also.8.gz", "thing.8.gz"]
    assert (manual / "also.8.gz").read_bytes() == (manual / "thing.8.gz").read_bytes()
    assert (manual / "thing.8.gz").read_bytes()[4:8] == bytes(4)


BACKEND = """
from pathlib import Path
def build_wheel(folder, config_settings=None, metadata_directory=None):
    Path(folder, "x-1-py3-none-any.whl").write_text(repr(config_settings))
    return "x-1-py3-none-any.whl"
"""


def test_wheel_by_a_backend_of_its_own(tmp_path: Path) -> None:
    table = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["backend"]\n'
    lay(tmp_path, {"/pyproject.toml": table, "/backend/own.py": BACKEND})
    wheels = tmp_path / "wheels"
    result = run("pyproject_wheel.py", "--wheels", wheels, "-C", "a=1", "-C", "b=2", "-C", "b=3", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (wheels / "x-1-py3-none-any.whl").read_text() == "{'a': '1', 'b': ['2', '3']}"


def test_wheel_by_a_backend_that_is_not_there(tmp_path: Path) -> None:
    lay(tmp_path, {"/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "no_such.api"\n'})
    result = run("pyproject_wheel.py", "--wheels", tmp_path / "wheels", tmp_path)
    assert result.returncode == 1
    assert "No module named 'no_such'" in result.stderr


def test_adopting_what_another_installer_left(tmp_path: Path) -> None:
    distinfo = f"{SITE}/thing-1.0.dist-info"
    record = (
        "thing.py,,\nthing-1.0.dist-info/METADATA,,\nthing-1.0.dist-info/RECORD,,\n../../../bin/thing,,\n"
    )
    record += "thing-1.0.dist-info/direct_url.json,,\n__pycache__/thing.pyc,,\n"
    files = {f"{SITE}/thing.py": "", "/usr/bin/thing": "#!/usr/bin/python3\n", f"{distinfo}/RECORD": record}
    files |= {f"{distinfo}/METADATA": "", f"{distinfo}/INSTALLER": "pip\n"}
    root = lay(tmp_path / "root", {**files, f"{distinfo}/direct_url.json": "{}", f"{SITE}/__pycache__/x": ""})
    result = run(
        "pyproject_install.py",
        *("--adopt", "--buildroot", root, "--site", SITE, "--record", tmp_path / "record"),
        *("--ghost", tmp_path / "ghost", tmp_path),
    )
    assert result.returncode == 0, result.stderr
    (one,) = json.loads((tmp_path / "record").read_text())
    assert one["files"] == [
        "/usr/bin/thing",
        f"{distinfo}/INSTALLER",
        f"{distinfo}/METADATA",
        f"{SITE}/thing.py",
    ]
    assert Path(f"{root}{distinfo}/INSTALLER").read_text() == "rpm\n"
    assert Path(f"{root}/usr/bin/thing").read_text() == "#!/usr/bin/python3 -sP\n"
    assert (tmp_path / "ghost").read_text() == f"%ghost %dir {distinfo}\n"


def test_install_without_a_wheel(tmp_path: Path) -> None:
    result = run(
        "pyproject_install.py",
        *("--buildroot", tmp_path, "--site", SITE, "--record", tmp_path / "r", "--ghost", tmp_path / "g"),
        tmp_path,
    )
    assert result.returncode == 1
    assert "there is no wheel" in result.stderr
