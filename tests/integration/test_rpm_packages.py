"""A platform whose own packages come from signed RPM repositories.

The repository is a stand-in with packages of ours. What rpmbuild itself needs can't be had as RPMs here, so
the base root is Debian's, with its debs in the rpmdb; everything above it goes EL's way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild
from rdo.building.deb_packages import DebPackages
from rdo.building.models import BuildRequest
from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.platform_packages import Chosen
from rdo.building.roots import Layer, Root, ensure_tools
from rdo.building.rpm_packages import RpmPackages, source_of
from rdo.building.rpmbuild import build_in_root
from rdo.building.rpminfo import read_rpm
from rdo.building.sealed import Bind, Sandbox
from rdo.common.errors import InputError, RdoError
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from rdo.distribution.models import DnfRoot, Platform, RpmRepository
from rdo.repository import keys
from rdo.repository.keys import Key
from rdo.repository.metadata import RpmFile
from rdo.repository.signing import sign_rpms
from tests.integration.repository_tools import paths_in, shell
from tests.settings import installation_of, settings_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

SPEC = """\
Name: stand-ins
Version: {version}
Release: 1
Summary: Stand-ins
License: MIT
BuildArch: noarch
%description
Stand-ins.

%package -n libfoo
Summary: A library
Requires: /usr/share/libfoo-common/table
%description -n libfoo
A library.

%package -n libfoo-common
Summary: What only the lists of files tell of
%description -n libfoo-common
Data.

%package -n libfoo-devel
Summary: Its headers
Requires: libfoo = %{{version}}-%{{release}}
Requires: (foo-tools if coreutils)
Provides: pkgconfig(foo) = %{{version}}
%description -n libfoo-devel
Headers.

%package -n foo-tools
Summary: A command behind an alternative
%description -n foo-tools
A command.
%post -n foo-tools
/usr/sbin/alternatives --install /usr/bin/foo foo /usr/bin/foo.real 50 \\
  --slave /usr/bin/foo-too foo-too /usr/bin/foo.real

%package -n python3-bar
Summary: A module
Provides: python3dist(bar) = %{{version}}
Provides: python3.13dist(bar) = %{{version}}
Requires: libfoo
%description -n python3-bar
A module.

%package -n bash
Version: 99
Summary: Newer than the base's
%description -n bash
Newer.

%install
for folder in include share/libfoo share/libfoo-common bin lib/python3.13/site-packages/bar; do
    mkdir -p %{{buildroot}}/usr/$folder
done
echo '#define FOO {version}' >%{{buildroot}}/usr/include/foo.h
echo foo >%{{buildroot}}/usr/share/libfoo/data
echo table >%{{buildroot}}/usr/share/libfoo-common/table
printf '#!/bin/sh\\necho foo {version}\\n' >%{{buildroot}}/usr/bin/foo.real
chmod 755 %{{buildroot}}/usr/bin/foo.real
echo 'VERSION = "{version}"' >%{{buildroot}}/usr/lib/python3.13/site-packages/bar/__init__.py

%files -n libfoo
/usr/share/libfoo
%files -n libfoo-common
/usr/share/libfoo-common
%files -n libfoo-devel
/usr/include/foo.h
%files -n foo-tools
/usr/bin/foo.real
%files -n python3-bar
/usr/lib/python3.13/site-packages/bar
%files -n bash
"""

NEEDY = """\
Name: needy
Version: 1
Release: 1
Summary: Needs what the repository has
License: MIT
BuildArch: noarch
BuildRequires: pkgconfig(foo) >= 2
BuildRequires: python3dist(bar)
%description
Needs.
%build
grep -q 'FOO 2' /usr/include/foo.h
foo >out
foo-too >>out
%install
install -D -m 644 out %{buildroot}/usr/share/needy/out
%check
python3 -c 'import bar; assert bar.VERSION == "2"'
cat /usr/share/libfoo/data /usr/share/libfoo-common/table
rpm -q libfoo-devel libfoo libfoo-common foo-tools python3-bar
rpm -q --requires libfoo-devel | grep 'libfoo = 2-1'
%files
/usr/share/needy
"""


@dataclass(frozen=True)
class Bench:
    """The stand-in: a signed repository, and the Debian root that stands for a minimal EL."""

    paths: Paths
    debian: Platform
    base: Root
    tools: Root
    key: Key
    repository: Path
    key_file: Path

    def platform(self, **repository: object) -> Platform:
        """Return a platform made by dnf whose packages come from the repository."""
        values = {
            "id": "stand-in",
            "baseurl": str(self.repository),
            "gpgkey": str(self.key_file),
        } | repository
        one = RpmRepository.model_validate(values)
        root = DnfRoot(kind="dnf", releasever="10-stream", repositories=(one,), packages=())
        return self.debian.model_copy(update={"name": "stand-in", "root": root, "native": {}, "provides": {}})

    def packages(self, paths: Paths | None = None, **repository: object) -> RpmPackages:
        """Return its packages."""
        source = source_of(self.platform(**repository), settings_of(self.paths))
        return RpmPackages(source, self.base, self.tools, installation_of(paths or self.paths))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("rpm-packages")
    paths = paths_in(folder)
    debian = Distribution.load(paths.distribution).platform("debian13")
    debs = DebPackages(debian, installation_of(paths))
    tools = ensure_tools(debian, installation_of(paths))
    key = keys.create(paths)
    key_file = folder / "key.asc"
    key_file.write_text(key.public)
    repository = folder / "repository"
    sandbox = tools.sandbox(paths)
    # Two versions: the newest counts, as for dnf.
    rpms = [rpm for version in ("1", "2") for rpm in build_stand_ins(version, folder, sandbox)]
    signed = sign_rpms(rpms, key, paths, lambda: sandbox)
    write_repository(repository, signed, key, sandbox)
    base = Root(tuple(debs.layers(Chosen((), ()))))
    return Bench(paths, debian, base, tools, key, repository, key_file)


def build_stand_ins(version: str, folder: Path, sandbox: Sandbox) -> list[RpmFile]:
    exchange = folder / f"build-{version}"
    (exchange / "out").mkdir(parents=True)
    (exchange / "x.spec").write_text(SPEC.format(version=version))
    script = 'rpmbuild --quiet -bb --define "_topdir /tmp/r" /x/x.spec; cp /tmp/r/RPMS/*/*.rpm /x/out'
    made = shell(sandbox, script, binds=[Bind(exchange, "/x", writable=True)])
    assert made.ok, made.tail
    return [RpmFile.of(path) for path in sorted((exchange / "out").iterdir())]


def write_repository(folder: Path, rpms: list[RpmFile], key: Key | None, sandbox: Sandbox) -> None:
    folder.mkdir()
    for rpm in rpms:
        (folder / rpm.filename).write_bytes(rpm.path.read_bytes())
    made = shell(sandbox, "createrepo_c -q /r", binds=[Bind(folder, "/r", writable=True)])
    assert made.ok, made.tail
    if key is not None:
        repomd = folder / "repodata" / "repomd.xml"
        repomd.with_suffix(".xml.asc").write_text(key.sign_detached(repomd.read_bytes()))


def own(bench: Bench, folder: Path) -> Paths:
    """Return paths whose repositories' metadata and RPM layers are not there yet; roots are shared."""
    paths = paths_in(folder)
    (paths.layers).unlink()
    paths.layers.mkdir()
    for kind in bench.paths.layers.iterdir():
        if kind.name not in ("rpm", "rpmdb"):
            (paths.layers / kind.name).symlink_to(kind)
    return paths


def request(
    spec: str = NEEDY, requires: tuple[str, ...] = ("pkgconfig(foo) >= 2", "python3dist(bar)")
) -> BuildRequest:
    return BuildRequest(
        package="needy",
        version="1",
        release="1",
        spec=spec,
        sources=(),
        build_requires=requires,
        timeout=60,
    )


def build(planner: RootPlanner, folder: Path, one: BuildRequest) -> RawBuild:
    return build_in_root(one, [], {}, planner, folder)


@pytest.mark.parametrize("repo_gpgcheck", [True, False])
def test_build_takes_the_platform_s_rpms(bench: Bench, tmp_path: Path, repo_gpgcheck: bool) -> None:
    paths = own(bench, tmp_path)
    packages = bench.packages(paths, repo_gpgcheck=repo_gpgcheck)
    planner = RootPlanner(bench.platform(), installation_of(paths), packages=packages)
    plan = planner.plan(request().build_requires)
    names = ["foo-tools", "libfoo", "libfoo-common", "libfoo-devel", "python3-bar"]
    assert [(info.name, info.version) for info in plan.chosen.rpms] == [(name, "2") for name in names]
    assert not list(paths.layers.glob("rpm/*")), "planning fetches nothing"
    raw = build(planner, tmp_path / "one", request())
    assert raw.reason is None, raw.log.read_text() if raw.log else raw.reason
    assert raw.log is not None
    for name in names:
        assert f"\n{name}-2-1.noarch\n" in raw.log.read_text(), "rpm in the root knows it"
    (rpm,) = (path for path in raw.rpms if not path.name.endswith(".src.rpm"))
    assert read_rpm(rpm).files == ("/usr/share/needy", "/usr/share/needy/out")
    assert plan.layers == planner.plan(request().build_requires).layers


def test_packages_are_downloaded_once(bench: Bench, tmp_path: Path) -> None:
    paths = own(bench, tmp_path)
    source = source_of(bench.platform(), settings_of(bench.paths))
    planner = RootPlanner(
        bench.platform(),
        installation_of(paths),
        packages=RpmPackages(source, bench.base, bench.tools, installation_of(paths)),
    )
    planner.prefetch([request().build_requires])
    moved = bench.repository.with_name("away")
    bench.repository.rename(moved)
    try:
        again = RpmPackages(source, bench.base, bench.tools, installation_of(paths))
        raw = build(
            RootPlanner(bench.platform(), installation_of(paths), packages=again), tmp_path / "one", request()
        )
    finally:
        moved.rename(bench.repository)
    assert raw.reason is None, raw.reason
    assert len([path for path in paths.layers.glob("rpm/*") if path.is_dir()]) == 5


def test_base_stands_fixed(bench: Bench) -> None:
    planner = RootPlanner(bench.platform(), installation_of(bench.paths), packages=bench.packages())
    plan = planner.plan(["bash", "/usr/bin/rpmbuild", "coreutils"])
    assert plan.chosen.rpms == ()
    assert plan.layers == tuple(layer.id for layer in planner.root.layers)
    with pytest.raises(UnsatisfiedError, match="bash >= 99"):
        planner.plan(["bash >= 99"])


def test_what_was_not_asked_for_is_not_there(bench: Bench, tmp_path: Path) -> None:
    planner = RootPlanner(bench.platform(), installation_of(bench.paths), packages=bench.packages())
    raw = build(planner, tmp_path / "one", request(requires=("libfoo",)))
    assert "is needed by needy" in (raw.reason or "")
    with pytest.raises(UnsatisfiedError, match="nothing provides python3dist\\(baz\\)"):
        planner.plan(["python3dist(baz)"])


def test_unsigned_packages_are_refused(bench: Bench, tmp_path: Path) -> None:
    sandbox = bench.tools.sandbox(bench.paths)
    write_repository(tmp_path / "unsigned", build_stand_ins("3", tmp_path, sandbox), None, sandbox)
    paths = own(bench, tmp_path)
    packages = bench.packages(paths, baseurl=str(tmp_path / "unsigned"), repo_gpgcheck=False)
    planner = RootPlanner(bench.platform(), installation_of(paths), packages=packages)
    with pytest.raises(RdoError, match=r"refused: libfoo-common-3-1\.noarch: .* not signed"):
        planner.ensure(planner.plan(["libfoo-common"]), {})
    assert not [path for path in paths.layers.glob("rpm/*") if path.is_dir()]


def test_packages_of_another_key_are_refused(bench: Bench, tmp_path: Path) -> None:
    other = Paths(state=tmp_path / "other", cache=tmp_path / "other", distribution=bench.paths.distribution)
    (tmp_path / "other.asc").write_text(keys.create(other).public)
    paths = own(bench, tmp_path)
    packages = bench.packages(paths, gpgkey=str(tmp_path / "other.asc"), repo_gpgcheck=False)
    planner = RootPlanner(bench.platform(), installation_of(paths), packages=packages)
    with pytest.raises(RdoError, match="refused: libfoo-common"):
        planner.ensure(planner.plan(["libfoo-common"]), {})


def test_metadata_is_signed_unless_the_data_says_otherwise(bench: Bench, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bench.repository, copy)
    (copy / "repodata/repomd.xml.asc").unlink()
    with pytest.raises(RdoError, match="GPG signature is not available"):
        bench.packages(own(bench, tmp_path), baseurl=str(copy))


def test_another_key_than_the_stated_one_is_refused(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="and the platform's data says") as caught:
        bench.packages(own(bench, tmp_path), fingerprints=("C" * 40,))
    assert bench.key.fingerprint in caught.value.what


def spoil_metadata(repository: Path) -> None:
    repomd = repository / "repodata" / "repomd.xml"
    repomd.write_text(repomd.read_text() + "<!-- -->\n")


def spoil_package(repository: Path) -> None:
    (rpm,) = repository.glob("libfoo-common-2-*.rpm")
    rpm.write_bytes(rpm.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("spoil", "words"), [(spoil_metadata, "repomd|metadata|GPG|gpg"), (spoil_package, "libfoo-common")]
)
def test_what_is_not_as_signed_is_refused(
    bench: Bench, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bench.repository, copy)
    spoil(copy)
    paths = own(bench, tmp_path)
    with pytest.raises(RdoError, match=words):
        packages = bench.packages(paths, baseurl=str(copy), repo_gpgcheck=True)
        planner = RootPlanner(bench.platform(), installation_of(paths), packages=packages)
        planner.ensure(planner.plan(["libfoo-common"]), {})
    assert not [path for path in paths.layers.glob("rpm/*") if path.is_dir()]


def test_records_are_read_once(bench: Bench, tmp_path: Path) -> None:
    paths = own(bench, tmp_path)
    first = bench.packages(paths).records
    (kept,) = paths.cache.glob("rpm-repositories/*/records.json")
    assert {entry["name"] for entry in json.loads(kept.read_text())} >= {"libfoo", "bash"}
    assert bench.packages(paths).records == first
    assert not list(paths.cache.glob("rpm-repositories/tmp-*"))


def test_missing_folder_is_said_first(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which is not there"):
        bench.packages(baseurl=str(tmp_path / "nothing"))


def test_database_of_another_rpm_is_found(bench: Bench, tmp_path: Path) -> None:
    """A base that was installed by an rpm whose database lies elsewhere."""
    moved = bench.base.sandbox(bench.paths).run(
        ["sh", "-ec", "mkdir -p /usr/lib/sysimage && mv /var/lib/rpm /usr/lib/sysimage/rpm"],
        user="root",
        keep=tmp_path / "moved",
    )
    assert moved.ok, moved.tail
    layer = Layer(f"test:{tmp_path}", tmp_path / "moved" / "root")
    paths = own(bench, tmp_path / "own")
    source = source_of(bench.platform(), settings_of(bench.paths))
    packages = RpmPackages(source, Root((layer, *bench.base.layers)), bench.tools, installation_of(paths))
    assert [info.nevra for info in packages.base] == [info.nevra for info in bench.packages().base]
