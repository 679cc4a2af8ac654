"""What a build makes is what was to be made, or nothing of it is kept: each way out of the seal, for real."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild, execute
from rdo.building.models import BuildRequest, SourceFile
from rdo.building.planner import RootPlanner
from rdo.building.platform_names import TakenNameError
from rdo.building.rpmbuild import RootBuilder, build_in_root
from rdo.building.store import LocalStore
from rdo.distribution.load import Distribution
from rdo.repository.expected import UnexpectedError, require_expected
from tests.integration.repository_tools import paths_in
from tests.integration.small_projects import Project
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

TOP = "/builddir/build"
BACKEND = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
SETUP = "from setuptools import setup\n{code}\nsetup(name={name!r}{version}, packages=['odd'])\n"
OTHER_SPEC = """
Name: openstack-keystone
Epoch: 9
Version: 99
Release: 1
Summary: x
License: MIT
BuildArch: noarch
%description
x
%post
touch /tmp/was-here
%files
"""
INJECT = f"""
import os, subprocess
if os.path.isdir('{TOP}/RPMS'):
    open('/tmp/e.spec', 'w').write({OTHER_SPEC!r})
    defines = ['--define', '_topdir /tmp/t', '--define', '_rpmdir {TOP}/RPMS']
    subprocess.run(['rpmbuild', '-bb', *defines, '/tmp/e.spec'])
"""
# A process that goes on beside rpmbuild, and is as quick as it can.
APPEND = f"""
import glob, os, time
if os.path.isdir('{TOP}/RPMS') and os.fork() == 0:
    os.setsid()
    [os.close(number) for number in (0, 1, 2)]
    while True:
        for rpm in glob.glob('{TOP}/RPMS/noarch/*.rpm') + glob.glob('{TOP}/SRPMS/*.rpm'):
            if os.path.getsize(rpm) < 100000:
                open(rpm, 'ab').write(b'x' * 200000)
        time.sleep(0.001)
"""


def project(
    code: str = "",
    *,
    name: str = "odd",
    version: str | None = "1.0",
    install: str = "",
    listed: Sequence[str] = (),
) -> Project:
    """A project whose setup.py does as it likes while the wheel is built."""
    text = SETUP.format(code=code, name=name, version="" if version is None else f", version={version!r}")
    files: dict[str, str | bytes] = {
        "pyproject.toml": BACKEND,
        "setup.py": text,
        "odd/__init__.py": "",
    }
    return Project("odd", files, "odd", install=install, listed=list(listed))


class Bench:
    """Builds projects whose pin is odd 1.0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = paths_in(folder)
        self.platform = Distribution.load(self.paths.distribution).platform("debian13")
        self.planner = RootPlanner(self.platform, installation_of(self.paths))
        self._count = 0

    def request(self, of: Project) -> BuildRequest:
        self._count += 1
        place = self.folder / "sources" / str(self._count)
        place.mkdir(parents=True)
        sdist = of.sdist(place)
        digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
        return BuildRequest(
            package="python-odd",
            version="1.0",
            release="1",
            spec=of.spec,
            sources=(SourceFile(filename=sdist.name, sha256=digest, path=sdist),),
            build_requires=("python3-devel", "python3dist(setuptools)", "python3dist(wheel)"),
            dist="odd",
            upstream_version="1.0",
        )

    def build(self, of: Project) -> RawBuild:
        request = self.request(of)
        return build_in_root(request, (), {}, self.planner, self.folder / "builds" / str(self._count))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("unexpected"))


def made(names: str) -> str:
    """Code that root's own copying would have met."""
    return (
        "import os\nhere = os.getcwd()\n"
        f"if os.path.isdir('{TOP}/RPMS'):\n    os.chdir('{TOP}')\n    {names}\n    os.chdir(here)"
    )


def test_a_good_build_is_taken_with_what_was_expected_of_it(bench: Bench) -> None:
    raw = bench.build(project())
    assert raw.reason is None, raw.reason
    assert [rpm.name for rpm in raw.rpms] == [
        "python-odd-1.0-1.deb13.src.rpm",
        "python3-odd-1.0-1.deb13.noarch.rpm",
    ]
    assert raw.expected is not None
    assert [one.facts.name for one in raw.expected.packages] == ["python3-odd"]


LISTED = "/etc/sudoers.d/odd"
CASES: dict[str, tuple[Project, str]] = {
    "another package": (project(INJECT), "openstack-keystone-99-1.noarch.rpm was made besides"),
    "junk": (
        project(made("os.mkdir('RPMS/noarch'); open('RPMS/noarch/b-1-1.noarch.rpm', 'w').write('x')")),
        "b-1-1.noarch.rpm is no RPM",
    ),
    "another file": (
        project(made("os.mkdir('RPMS/noarch'); open('RPMS/noarch/notes', 'w')")),
        "RPMS/noarch/notes, which is not an RPM",
    ),
    "hidden": (
        project(made("os.mkdir('RPMS/noarch'); open('RPMS/noarch/.hidden.rpm', 'w')")),
        ".hidden.rpm is no RPM",
    ),
    "link": (project(made("os.symlink('/etc/passwd', 'SRPMS/p.rpm')")), "SRPMS/p.rpm, which is not a plain"),
    "pipe": (project(made("os.mkfifo('SRPMS/p.rpm')")), "SRPMS/p.rpm, which is not a plain file"),
    "linked folder": (
        project(made("os.mkdir('/tmp/x'); os.rename('RPMS', 'x'); os.symlink('/tmp/x', 'RPMS')")),
        "RPMS, which is not a folder",
    ),
    "longer than rpmbuild made it": (project(APPEND), "has a payload that isn't the one of its header"),
    "deep": (project(made("os.makedirs('RPMS/a/b/c')")), "folders within"),
    "many": (project(made("[open(f'SRPMS/{n}.rpm', 'w') for n in range(2000)]")), "1000 files or more"),
    "odd name": (
        project(made(r"os.mkdir('RPMS/a'); open('RPMS/a/x\n\x1b[2J.rpm', 'w')")),
        r"x\n\x1b[2J.rpm is no RPM",
    ),
    "twice": (
        project(made("[(os.mkdir('RPMS/' + n), open(f'RPMS/{n}/x.rpm', 'w')) for n in 'ab']")),
        "two files of the name x.rpm",
    ),
    "no version": (project(version=None), "says odd 0.0.0; the pin is odd 1.0"),
    "another version": (project(version="1.1"), "says odd 1.1; the pin is odd 1.0"),
    "another name": (project(name="other-name"), "says other-name 1.0; the pin is odd 1.0"),
    "folder of another name": (
        project(
            install="cp -r %{buildroot}%{python3_sitelib}/odd-1.0.dist-info "
            "%{buildroot}%{python3_sitelib}/keystone-99.dist-info && "
            "echo %{python3_sitelib}/keystone-99.dist-info >>%{pyproject_files}"
        ),
        "keystone-99.dist-info is named as another distribution's; the pin is odd 1.0",
    ),
    "setuid": (
        project(install="chmod 4755 %{buildroot}%{python3_sitelib}/odd/__init__.py"),
        "setuid or setgid, which its %files doesn't say",
    ),
    "writable": (
        project(install="chmod 0666 %{buildroot}%{python3_sitelib}/odd/__init__.py"),
        "everybody can write to it",
    ),
    "another place": (
        project(
            install=f"mkdir -p %{{buildroot}}/etc/sudoers.d && touch %{{buildroot}}{LISTED} && "
            f"echo {LISTED} >>%{{pyproject_files}}"
        ),
        f"has {LISTED}, which its %files doesn't name",
    ),
    "another owner": (
        project(
            install="mkdir -p %{buildroot}%{python3_sitelib}/more && "
            "echo '%attr(0755, games, root) %{python3_sitelib}/more' >>%{pyproject_files}"
        ),
        "is the user games's",
    ),
    "capabilities": (
        project(
            install="touch %{buildroot}%{python3_sitelib}/more && "
            "echo '%caps(cap_setuid=ep) %{python3_sitelib}/more' >>%{pyproject_files}"
        ),
        "has the capabilities",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_what_was_not_asked_for_is_refused_and_named(bench: Bench, case: str) -> None:
    odd, words = CASES[case]
    raw = bench.build(odd)
    assert words in (raw.reason or ""), raw.reason
    assert raw.rpms == ()
    assert "\x1b" not in str(raw.reason)


def test_the_hint_of_a_wrong_version_names_the_way_out(bench: Bench) -> None:
    raw = bench.build(project(version=None))
    assert "environment" in (raw.hint or "")
    mended = project("import os", version=None)
    setup = str(mended.files["setup.py"]).replace(
        "setup(name='odd'", "setup(name='odd', version=os.environ['PBR_VERSION']"
    )
    spec_line = 'export PBR_VERSION="%{version}"\n%pyproject_wheel'
    mended = replace(mended, files={**mended.files, "setup.py": setup})
    request = bench.request(mended)
    request = request.model_copy(update={"spec": request.spec.replace("%pyproject_wheel", spec_line)})
    raw = build_in_root(request, (), {}, bench.planner, bench.folder / "builds" / "mended")
    assert raw.reason is None, raw.reason


def test_a_spec_that_the_build_changes_is_found(bench: Bench) -> None:
    """rpmbuild has read its spec by then: the source package would show another one."""
    raw = bench.build(project(made("open('SPECS/python-odd.spec', 'a').write('# more')")))
    assert "python-odd.spec isn't the file that was given to it" in (raw.reason or ""), raw.reason


SCRIPTS = """
%post -n python3-odd
echo 'hi & <b>' é %%

# a comment
%preun -n python3-odd -p /sbin/ldconfig

%posttrans -n python3-odd -p <lua>
print("x")

%triggerin -n python3-odd -- bash > 3, coreutils
echo triggered

%transfiletriggerin -P 100 -n python3-odd -- /usr/share/odd /usr/share/even
echo files

%filetriggerpostun -n python3-odd -- /usr/share/odd
echo gone
"""


def test_scripts_triggers_and_rights_that_the_spec_has_are_expected(bench: Bench) -> None:
    good = project(
        listed=[
            "%attr(2750, root, root) %dir /usr/share/odd",
            "%config(noreplace) %attr(0640, root, bin) /etc/odd.conf",
            SCRIPTS,
        ],
        install="mkdir -p %{buildroot}/usr/share/odd %{buildroot}/etc && touch %{buildroot}/etc/odd.conf",
    )
    raw = bench.build(good)
    assert raw.reason is None, raw.reason
    assert raw.expected is not None
    facts = raw.expected.packages[0].facts
    assert sorted(facts.scripts) == ["%post", "%posttrans", "%preun"]
    assert len(facts.triggers) == 3


def test_a_name_that_the_platform_has_for_something_else_is_refused(bench: Bench) -> None:
    request = bench.request(project())
    request = request.model_copy(update={"spec": request.spec.replace("python3-odd", "python3-apt")})
    with pytest.raises(TakenNameError, match=r"python3-apt is debian13's name for .*\(python-apt\)"):
        build_in_root(request, (), {}, bench.planner, bench.folder / "builds" / "taken")
    on_purpose = request.model_copy(update={"replaces": ("python3-apt",)})
    raw = build_in_root(on_purpose, (), {}, bench.planner, bench.folder / "builds" / "on purpose")
    assert raw.reason is None, raw.reason


@pytest.fixture
def builder(bench: Bench) -> RootBuilder:
    return RootBuilder.make(bench.platform, installation_of(bench.paths))


def test_nothing_of_a_refused_build_is_kept_but_its_log(
    bench: Bench, builder: RootBuilder, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "store")
    result = execute(builder, store, tmp_path, bench.request(project(INJECT)), ())
    assert result.status == "failed"
    assert result.artifacts == ()
    content = [path for path in (store.folder / "content").rglob("*") if path.is_file()]
    assert [path.name for path in content] == [result.log]


def test_an_old_result_is_judged_not_built_again(bench: Bench, builder: RootBuilder, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    request = bench.request(project())
    result = execute(builder, store, tmp_path, request, ())
    assert result.status == "built", result.reason
    require_expected(result.artifacts, store, bench.paths)
    shutil.rmtree(store.folder / "expected")
    with pytest.raises(UnexpectedError, match="never compared"):
        require_expected(result.artifacts, store, bench.paths)
    again = execute(builder, store, tmp_path, request, ())
    assert (again.status, again.artifacts) == ("cached", result.artifacts)
    require_expected(result.artifacts, store, bench.paths)


def test_an_old_result_that_is_not_what_was_to_be_built_is_refused(
    bench: Bench, builder: RootBuilder, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "store")
    request = bench.request(project())
    good = execute(builder, store, tmp_path, request, ())
    odd = tmp_path / "openstack-keystone-99-1.noarch.rpm"
    shutil.copyfile(store.path(good.artifacts[1].sha256), odd)
    more = good.artifacts[1].model_copy(update={"filename": odd.name})
    store.record(good.model_copy(update={"artifacts": (*good.artifacts, more), "expected": None}))
    result = execute(builder, store, tmp_path, request, ())
    assert result.status == "failed"
    assert "calls itself python3-odd" in (result.reason or "")
