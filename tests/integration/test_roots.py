"""Base roots by debootstrap and by dnf, and what grows on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdo.building import roots
from rdo.building.cleanup import clean_up
from rdo.building.deb_packages import DebPackages
from rdo.building.planner import RootPlanner
from rdo.building.roots import Layer, Root, ensure_base, ensure_tools, installed
from rdo.building.sealed import Bind, Sandbox
from rdo.cli.installation import open_installation
from rdo.common.errors import RdoError
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.distribution.models import DnfRoot, Platform, RpmRepository
from tests.integration.repository_tools import Tiny, build, paths_in, shell
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return paths_in(tmp_path_factory.mktemp("roots"))


@pytest.fixture(scope="module")
def platform(paths: Paths) -> Platform:
    return Distribution.load(paths.distribution).platform("debian13")


@pytest.fixture(scope="module")
def tools(platform: Platform, paths: Paths) -> Root:
    return ensure_tools(platform, installation_of(paths))


def test_base_is_found_again_at_once(platform: Platform, paths: Paths) -> None:
    first = ensure_base(platform, installation_of(paths))
    began = time.monotonic()
    assert ensure_base(platform, installation_of(paths)) == first
    assert time.monotonic() - began < 0.5
    assert "rpm" in installed(first)
    assert not any((first.path / place).exists() for place in ("etc/resolv.conf", "usr/sbin/policy-rc.d"))
    assert not list((first.path / "var/lib/apt/lists").iterdir())


def test_roots_are_not_readable_by_others(paths: Paths, platform: Platform) -> None:
    """They hold programs with set-user-id bits of whatever age."""
    ensure_base(platform, installation_of(paths))
    assert (paths.roots.stat().st_mode & 0o077, paths.layers.stat().st_mode & 0o077) == (0, 0)


def test_tools_sign_check_and_install(tools: Root, paths: Paths) -> None:
    for tool in ("rpmsign", "dnf", "rpmlint", "createrepo_c", "gpg"):
        assert shell(tools.sandbox(paths), f"{tool} --version").ok


def test_debs_come_as_layers_with_what_they_need(platform: Platform, paths: Paths) -> None:
    planner = RootPlanner(platform, installation_of(paths))
    plan = planner.plan(["python3dist(requests)", "gcc"])
    layers = planner.ensure(plan, {})
    assert {"python3-requests", "python3-urllib3", "gcc", "libc6-dev"} <= {deb.name for deb in plan.debs}
    script = "python3 -c 'import requests'; echo 'int main(){}' >/tmp/x.c; cc /tmp/x.c -o /tmp/x; /tmp/x"
    result = Root(tuple(layers)).sandbox(paths).run(["sh", "-ec", script])
    assert result.ok, result.tail
    assert isinstance(planner.packages, DebPackages)
    pool = planner.packages.pool
    stored = next(pool.layer(deb).path for deb in plan.debs if deb.name == "python3-requests")
    assert list(stored.rglob("requests/__pycache__/*.pyc")), "compiled once, not in every build"


def test_planning_is_quick_and_makes_nothing(platform: Platform, paths: Paths) -> None:
    planner = RootPlanner(platform, installation_of(paths))
    wanted = ["python3-devel", "python3dist(setuptools)", "python3dist(requests)", "python3dist(pyyaml) >= 5"]
    first = planner.plan(wanted).layers
    began = time.monotonic()
    assert all(planner.plan(wanted).layers == first for _ in range(20))
    assert (time.monotonic() - began) / 20 < 0.1
    assert RootPlanner(platform, installation_of(paths)).plan(list(reversed(wanted))).layers == first


def test_killed_creation_leaves_nothing_that_counts(paths: Paths, tmp_path: Path) -> None:
    """A killed debootstrap leaves a folder that bears its mark, no mount and no process."""
    own = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=paths.distribution)
    script = (
        "import sys; from pathlib import Path\n"
        "from rdo.building.roots import ensure_base; from rdo.common.paths import Paths\n"
        "from rdo.distribution.load import Distribution; from tests.settings import installation_of\n"
        "paths = Paths(*map(Path, sys.argv[1:]))\n"
        "ensure_base(Distribution.load(paths.distribution).platform('debian13'), installation_of(paths))"
    )
    arguments = [str(own.state), str(own.cache), str(own.distribution)]
    with subprocess.Popen([sys.executable, "-c", script, *arguments]) as tool:
        deadline = time.monotonic() + 30
        while not list(own.roots.glob("tmp-*/m")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        os.kill(tool.pid, signal.SIGKILL)
    (left,) = own.roots.glob("tmp-*")
    time.sleep(0.5)
    # Others' mounts come and go: tests of hosts run at the same time.
    assert str(own.cache) not in Path("/proc/self/mountinfo").read_text()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(left) in _text(p)]
    assert clean_up(own) == [f"removed {left}"]
    assert not left.exists()


def test_root_from_rpm_repositories(tools: Root, paths: Paths, platform: Platform, tmp_path: Path) -> None:
    """A stand-in for EL: the way is the same, the packages are ours."""
    sandbox = tools.sandbox(paths)
    repository = tmp_path / "repository"
    repository.mkdir()
    packages = [
        Tiny("filesystem", path="/etc/filesystem"),
        Tiny("stand-in-bash", requires=("filesystem",), path="/usr/bin/stand-in"),
        Tiny("unwanted"),
    ]
    for file in build(packages, tmp_path, sandbox):
        (repository / file.path.name).write_bytes(file.path.read_bytes())
    made = shell(sandbox, "createrepo_c -q /r", binds=[Bind(repository, "/r", writable=True)])
    assert made.ok, made.tail
    stand_in = platform.model_copy(
        update={
            "name": "stand-in",
            "root": DnfRoot(
                kind="dnf",
                releasever="10",
                repositories=(RpmRepository(id="base", baseurl=f"file://{repository}", unsigned="a test"),),
                packages=("stand-in-bash",),
            ),
        }
    )
    own = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=paths.distribution)
    base = ensure_base(stand_in, installation_of(own), tools=tools)
    assert installed(base) == {"filesystem": "0:1-1", "stand-in-bash": "0:1-1"}
    assert (base.path / "usr/bin/stand-in").exists()
    assert ensure_base(stand_in, installation_of(own), tools=tools) == base
    again = Paths(state=tmp_path, cache=tmp_path / "again", distribution=paths.distribution)
    assert ensure_base(stand_in, installation_of(again), tools=tools).id == base.id, (
        "the same inputs and packages, the same id"
    )


def test_root_from_rpm_repositories_says_what_fails(
    tools: Root, paths: Paths, platform: Platform, tmp_path: Path
) -> None:
    root = DnfRoot(
        kind="dnf",
        releasever="10",
        repositories=(RpmRepository(id="base", baseurl=f"file://{tmp_path}/nothing", unsigned="a test"),),
        packages=("bash",),
    )
    own = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=paths.distribution)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(RdoError, match="dnf could not make the root"):
        ensure_base(platform.model_copy(update={"root": root}), installation_of(own), tools=tools)
    assert not list(own.roots.glob("tmp-*"))


def published(spec: str, folder: Path, sandbox: Sandbox) -> RpmRepository:
    """Build a spec, and return an unsigned repository of what it makes."""
    folder.mkdir()
    (folder / "x.spec").write_text(spec)
    script = (
        'rpmbuild --quiet -bb --define "_topdir /tmp/r" --define "_binary_payload w.ufdio" /r/x.spec'
        " && cp /tmp/r/RPMS/noarch/*.rpm /r && createrepo_c -q /r"
    )
    made = shell(sandbox, script, binds=[Bind(folder, "/r", writable=True)])
    assert made.ok, made.tail
    return RpmRepository(id="base", baseurl=f"file://{folder}", unsigned="a test")


SPEC = "Name: one\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n"


def test_list_of_a_root_s_packages_is_whole(
    tools: Root, paths: Paths, platform: Platform, tmp_path: Path
) -> None:
    """The list is longer than what is kept of a command's output; all of it is in the root's identity."""
    names = ["-".join(["a-name-of-some-length"] * 5) + f"-{number:04}" for number in range(1000)]
    parts = (
        f"%package -n {name}\nSummary: x\n%description -n {name}\nx\n%files -n {name}\n" for name in names
    )
    repository = published(SPEC + "".join(parts), tmp_path / "repository", tools.sandbox(paths))
    root = DnfRoot(kind="dnf", releasever="10", repositories=(repository,), packages=(*names,))
    own = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=paths.distribution)
    base = ensure_base(
        platform.model_copy(update={"name": "many", "root": root}), installation_of(own), tools=tools
    )
    assert installed(base) == dict.fromkeys(names, "0:1-1")


@pytest.mark.parametrize(("answer", "words"), [("exit 1", "can't be listed"), ("exit 0", "is not complete")])
def test_a_root_whose_packages_can_t_be_listed_is_refused(
    tools: Root, paths: Paths, platform: Platform, tmp_path: Path, answer: str, words: str
) -> None:
    repository = published(f"{SPEC}%files\n", tmp_path / "repository", tools.sandbox(paths))
    # dnf works with rpm's library; the command is of a layer that breaks it
    program = tmp_path / "layer/usr/bin/rpm"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ncase $* in *--eval*) echo /var/lib/rpm;; *-qa*) {answer};; esac\n")
    program.chmod(0o755)
    broken = Root((Layer(f"test:{tmp_path}", tmp_path / "layer"), *tools.layers))
    root = DnfRoot(kind="dnf", releasever="10", repositories=(repository,), packages=("one",))
    own = Paths(state=tmp_path, cache=tmp_path / "cache", distribution=paths.distribution)
    with pytest.raises(RdoError, match=words):
        ensure_base(
            platform.model_copy(update={"name": "broken", "root": root}), installation_of(own), tools=broken
        )
    assert not [path for path in own.roots.iterdir() if path.name != "by-inputs"]


def test_mirror_is_the_host_s() -> None:
    settings = open_installation().settings
    assert roots.mirror(settings).startswith("http")
    assert not roots.mirror(settings).endswith("/")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
