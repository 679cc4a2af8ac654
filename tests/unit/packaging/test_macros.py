"""What a platform's roots and hosts get."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from rdo.distribution.load import Distribution
from rdo.distribution.models import Platform
from rdo.packaging.macros import HELPERS, MACROS, host_files, root_commands, root_files

DISTRIBUTION = Path(__file__).parents[3] / "distribution"
STATED = [
    *(
        "python3_sitelib",
        "python3_sitearch",
        "python3_version",
        "python3_pkgversion",
        "__python3",
        "py3_dist",
    ),
    *("pypi_source", "pyproject_wheel", "pyproject_install", "pyproject_save_files", "pyproject_files"),
    *("pyproject_check_import", "pyproject_extras_subpkg", "py3_shebang_fix", "py_provides", "pytest"),
    *("_unitdir", "_sysusersdir", "_tmpfilesdir", "_presetdir", "systemd_post", "systemd_preun"),
    *("systemd_postun", "systemd_postun_with_restart", "systemd_requires", "systemd_ordering"),
    *("sysusers_create_compat", "sysusers_create_package", "tmpfiles_create", "_sharedstatedir"),
]


@pytest.fixture(scope="module")
def debian() -> Platform:
    return Distribution.load(DISTRIBUTION).platform("debian13")


@pytest.fixture(scope="module")
def el() -> Platform:
    return Distribution.load(DISTRIBUTION).platform("el10")


def test_platform_that_has_its_own_gets_nothing(el: Platform) -> None:
    assert (root_files(el), root_commands(el), host_files(el)) == ({}, [], {})


def test_macros_say_the_platforms_values(debian: Platform) -> None:
    text = root_files(debian)[MACROS][0].decode()
    assert text.endswith(f"\n%dist {debian.dist}\n")
    assert f"\n%python3_version        {debian.python}\n" in text
    names = {line[1:].split("(")[0].split()[0] for line in text.splitlines() if line.startswith("%")}
    assert set(STATED) <= names


def test_helpers_are_laid_and_every_one_is_called(debian: Platform) -> None:
    files = root_files(debian)
    scripts = [path for path in files if path.startswith(HELPERS) and path.endswith(".py")]
    assert len(scripts) == 7
    for path in scripts:
        ast.parse(files[path][0])
        assert files[path][1] == 0o644
    assert any("file --compile" in command for command in root_commands(debian))


def test_files_are_the_same_every_time(debian: Platform) -> None:
    assert root_files(debian) == root_files(debian)
    assert set(host_files(debian)) < set(root_files(debian))


def test_search_path(debian: Platform, tmp_path: Path) -> None:
    (content, mode) = host_files(debian)["/usr/lib/python3/dist-packages/rdo.pth"]
    site, debians = tmp_path / "site-packages", tmp_path / "dist-packages"
    site.mkdir()
    debians.mkdir()
    text = content.decode().replace("/usr/lib/python3.13/site-packages", str(site))
    (debians / "rdo.pth").write_text(text.replace("/usr/lib/python3/dist-packages", str(debians)))
    (site / "more.pth").write_text(f"{tmp_path}\n")
    script = f"import site, sys; site.addsitedir({str(debians)!r}); print(*sys.path, sep='\\n')"
    out = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-3:] == [str(site), str(tmp_path), str(debians)]
    assert mode == 0o644
    assert out.stderr == ""
