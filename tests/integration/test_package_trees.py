"""Packages that try to get out of their trees while they are unpacked: real RPMs and real debs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rdo.building.debs import Deb, DebPool
from rdo.building.package_trees import finisher
from rdo.building.roots import Root, ensure_build_root, ensure_tools
from rdo.building.rpm_layers import RpmLayers
from rdo.building.rpminfo import read_rpm
from rdo.building.sealed import Bind
from rdo.common.errors import RdoError
from rdo.common.files import sha256_file
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from tests.integration.repository_tools import paths_in, shell
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

# More than any folder of a test is deep.
UP = "/.." * 30

SPEC = """\
Name: evil
Version: 1
Release: 1
Summary: Wants out
License: MIT
BuildArch: noarch
%description
Wants out.
%install
mkdir -p %{{buildroot}}/usr/bin %{{buildroot}}/usr/share
printf '#!/bin/sh\\n' >%{{buildroot}}/usr/bin/evil
chmod 755 %{{buildroot}}/usr/bin/evil
ln -s {outside} %{{buildroot}}/opt
ln -s ..{up}{outside} %{{buildroot}}/usr/share/relative
%post
/usr/sbin/alternatives --install /opt/preload x /usr/bin/evil 1 \\
    --slave /opt/new/folder/link y /usr/bin/evil --follower /usr/share/relative/link z /usr/bin/evil
/usr/sbin/alternatives --install /usr{up}{outside}/dots x /usr/bin/evil 1
/usr/sbin/alternatives --install /usr/bin/good x /usr/bin/evil 1
%files
/usr/bin/evil
/opt
/usr/share/relative
"""

POSTINST = """\
#!/bin/sh
update-alternatives --install /opt/preload x /usr/bin/evil 1 --slave /opt/new/folder/link y /usr/bin/evil
update-alternatives --install /usr/share/relative/link z /usr/bin/evil 1
update-alternatives --install /usr{up}{outside}/dots x /usr/bin/evil 1
update-alternatives --install /usr/bin/good x /usr/bin/evil 1
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Return paths whose layers of packages are of this test alone."""
    paths = paths_in(tmp_path_factory.mktemp("trees"))
    shared = paths.layers.resolve()
    paths.layers.unlink()
    paths.layers.mkdir()
    for kind in ("macros", "grown"):
        (paths.layers / kind).symlink_to(shared / kind)
    return paths


@pytest.fixture(scope="module")
def tools(paths: Paths) -> Root:
    return ensure_tools(Distribution.load(paths.distribution).platform("debian13"), installation_of(paths))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret\n")
    return folder


class LocalPool(DebPool):
    """The archive, with some debs that lie here instead of at the mirror."""

    places: Mapping[str, Path] = {}

    def _download(self, debs: Sequence[Deb], folder: Path) -> None:
        (folder / "debs").mkdir()
        for deb in debs:
            shutil.copyfile(self.places[deb.sha256], folder / "debs" / f"{deb.sha256}.deb")


def fetch(paths: Paths, *files: Path) -> list[Path]:
    """Unpack debs as the platform's own are; return their trees."""
    root = ensure_build_root(
        Distribution.load(paths.distribution).platform("debian13"), installation_of(paths)
    )
    pool = LocalPool(root, installation_of(paths))
    debs = [Deb(file.stem, "1", sha256_file(file), file.stat().st_size, ()) for file in files]
    pool.places = {deb.sha256: file for deb, file in zip(debs, files, strict=True)}
    pool.fetch(debs)
    return [pool.layer(deb).path for deb in debs]


def make_deb(tree: Path, postinst: str = "") -> Path:
    control = tree / "DEBIAN"
    control.mkdir()
    text = f"Package: {tree.name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: evil\n"
    (control / "control").write_text(text)
    if postinst:
        (control / "postinst").write_text(postinst)
        (control / "postinst").chmod(0o755)
    file = tree.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--build", str(tree), str(file)], check=True, capture_output=True)
    return file


def program(tree: Path) -> None:
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/evil").write_text("#!/bin/sh\n")


def assert_untouched(outside: Path) -> None:
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret\n"


def test_an_rpm_stays_in_its_tree(paths: Paths, tools: Root, outside: Path, tmp_path: Path) -> None:
    exchange = tmp_path / "x"
    exchange.mkdir()
    (exchange / "x.spec").write_text(SPEC.format(outside=outside, up=UP))
    script = 'rpmbuild --quiet -bb --define "_topdir /tmp/r" /x/x.spec; cp /tmp/r/RPMS/*/*.rpm /x/evil.rpm'
    made = shell(tools.sandbox(paths), script, binds=[Bind(exchange, "/x", writable=True)])
    assert made.ok, made.tail
    info = read_rpm(exchange / "evil.rpm")
    layers = RpmLayers(tools, paths)
    layers.unpack([info], {info.sha256: exchange / "evil.rpm"})
    tree = layers.layer(info).path
    assert str((tree / "usr/bin/good").readlink()) == "/usr/bin/evil"
    assert (tree / "opt").is_symlink()
    assert sorted(path.name for path in tree.parent.iterdir()) == ["package.rpm", "root"]
    assert_untouched(outside)


def test_a_deb_stays_in_its_tree(paths: Paths, outside: Path, tmp_path: Path) -> None:
    tree = tmp_path / "evil"
    program(tree)
    (tree / "opt").symlink_to(outside)
    (tree / "usr/share").mkdir()
    (tree / "usr/share/relative").symlink_to(f"..{UP}{outside}")
    (tree / "usr/share/doc").symlink_to(outside)
    (found,) = fetch(paths, make_deb(tree, POSTINST.format(outside=outside, up=UP)))
    assert str((found / "usr/bin/good").readlink()) == "/usr/bin/evil"
    assert sorted(path.name for path in found.parent.iterdir()) == ["root", "sonames"]
    assert_untouched(outside)


def test_a_deb_does_not_reach_another(paths: Paths, tmp_path: Path) -> None:
    """They are unpacked in one sandbox; a link to where another lies leads nowhere."""
    victim = tmp_path / "victim"
    program(victim)
    (victim / "usr/lib/python3/dist-packages").mkdir(parents=True)
    (victim / "usr/lib/python3/dist-packages/one.py").write_text("ONE = 1\n")
    victim_deb = make_deb(victim)
    place = f"/work/x/{sha256_file(victim_deb)}/root"
    evil = tmp_path / "evil"
    program(evil)
    (evil / "usr/bin/evil").write_text("another\n")
    (evil / "opt").symlink_to(f"{place}/usr/bin")
    (evil / "usr/share").symlink_to(f"{place}/usr")
    (evil / "usr/lib").mkdir()
    (evil / "usr/lib/python3").symlink_to(f"{place}/usr/lib/python3")
    evil_deb = make_deb(evil, "update-alternatives --install /opt/added x /usr/bin/evil 1\n")
    _, found = fetch(paths, evil_deb, victim_deb)
    assert sorted(path.name for path in (found / "usr/bin").iterdir()) == ["evil"]
    assert (found / "usr/bin/evil").read_text() == "#!/bin/sh\n"
    assert list(found.rglob("one.*.pyc")), "its own modules are compiled"


def test_a_tree_that_is_no_folder_is_refused(paths: Paths, outside: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    (evil / "bin").mkdir(parents=True)
    (evil / "bin/evil").write_text("evil\n")
    (evil / "usr").symlink_to(outside)
    with pytest.raises(RdoError, match="can't be finished"):
        fetch(paths, make_deb(evil))
    assert_untouched(outside)


def finish(tree: Path, script: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run what finishes a tree as a sandbox does."""
    (tree.parent / "post").write_text(script)
    code, said = finisher(("bin", "lib"), ("usr/share/doc",))
    said = json.dumps({**json.loads(said), **settings})
    command = [sys.executable, "-I", "-S", "-c", code, str(tree), str(tree.parent / "post"), said]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tree)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/usr/bin").mkdir(parents=True)
    (tmp_path / "tree/usr/bin/ld.bfd").write_text("linker")
    return tmp_path / "tree"


def test_alternatives_become_links(tree: Path) -> None:
    script = (
        "/usr/sbin/alternatives --install /usr/bin/ld ld \\\n  /usr/bin/ld.bfd 50 \\\n"
        "  --follower /usr/libexec/linker linker /usr/bin/ld.bfd || :\n"
    )
    done = finish(tree, script, links={"/usr/bin/ld.bfd": ["/usr/bin/ln"], "/usr/bin/absent": ["/usr/bin/x"]})
    assert done.returncode == 0, done.stderr
    links = {
        str(path.relative_to(tree)): str(path.readlink()) for path in tree.rglob("*") if path.is_symlink()
    }
    assert links == {
        "usr/bin/ld": "/usr/bin/ld.bfd",
        "usr/libexec/linker": "/usr/bin/ld.bfd",
        "usr/bin/ln": "ld.bfd",
    }
    assert (tree / "usr/libexec").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "words",
    [
        "/usr/bin/ld.bfd x /usr/bin/ld.bfd",  # it is there
        "/usr/bin/x x /usr/bin/absent",
        "/usr/bin/$x x /usr/bin/ld.bfd",
        "/usr/../../x x /usr/bin/ld.bfd",
        "/usr/share/man/man1/ld.1 x /usr/bin/ld.bfd",
        "/usr/bin/ld.bfd/x x /usr/bin/ld.bfd",
    ],
)
def test_other_alternatives_are_left_out(tree: Path, words: str) -> None:
    assert finish(tree, f"alternatives --install {words} 50").returncode == 0
    assert not [path for path in tree.rglob("*") if path.is_symlink()]
    assert (tree / "usr/bin/ld.bfd").read_text() == "linker"


def test_old_folders_are_merged(tree: Path) -> None:
    for place in ("bin", "lib/deep", "usr/lib/deep", "usr/share/doc/x"):
        (tree / place).mkdir(parents=True)
    (tree / "bin/sh").write_text("sh")
    (tree / "bin/ld.bfd").write_text("newer")
    os.link(tree / "bin/sh", tree / "bin/also")
    (tree / "lib/deep/a").write_text("a")
    (tree / "usr/lib/deep/b").write_text("b")
    assert finish(tree, "(none)").returncode == 0
    assert sorted(path.name for path in tree.iterdir()) == ["usr"]
    assert (tree / "usr/bin/ld.bfd").read_text() == "newer"
    assert (tree / "usr/bin/sh").samefile(tree / "usr/bin/also")
    assert sorted(path.name for path in (tree / "usr/lib/deep").iterdir()) == ["a", "b"]
    assert not (tree / "usr/share/doc").exists()


def test_a_package_s_own_modules_are_not_imported(tree: Path) -> None:
    """What finishes a tree is Python, and a package may have modules of any name."""
    for place in (tree, tree / "usr/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"):
        place.mkdir(parents=True, exist_ok=True)
        for name in ("json", "traceback", "genericpath", "encodings"):
            (place / f"{name}.py").write_text(
                "open('/imported', 'w')\nimport os\nos.mkdir('/imported-too')\n"
            )
    (tree / "bin").symlink_to("/usr/nowhere")
    done = finish(tree, "alternatives --install /usr/x x /usr/bin/ld.bfd", merge=["usr/bin/ld.bfd", "bin"])
    assert done.returncode == 0, done.stderr
    assert not list(tree.glob("imported*"))
