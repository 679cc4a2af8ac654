"""Real builds in sealed roots: what may be used, what comes out, and what is said when they fail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild
from rdo.building.models import BuildRequest, SourceFile
from rdo.building.planner import RootPlanner, UnsatisfiedError
from rdo.building.rpmbuild import build_in_root, rebuild
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.distribution.load import Distribution
from rdo.upstream.source_cache import HashMismatchError
from tests.integration.repository_tools import paths_in
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

SPEC = """\
%global source_date_epoch_from_changelog 1
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global build_mtime_policy clamp_to_source_date_epoch
%global _buildhost reproducible
Name: {name}
Version: 1
Release: 1
Summary: A test
License: MIT
Source0: data.txt
BuildArch: noarch
{requires}
%description
A test.
%install
install -D -p -m 644 %{{SOURCE0}} %{{buildroot}}/usr/share/{name}/data
{install}
%check
{check}
%files
/usr/share/{name}
%changelog
* Mon Nov 02 2026 RDO <dev@lists.rdoproject.org> - 1-1
- Build
"""


class Bench:
    """A planner and what was built so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = paths_in(folder)
        platform = Distribution.load(self.paths.distribution).platform("debian13")
        self.planner = RootPlanner(platform, installation_of(self.paths))
        self.infos: list[RpmInfo] = []
        self.rpms: dict[str, Path] = {}
        self._count = 0

    def next_folder(self) -> Path:
        self._count += 1
        return self.folder / "builds" / str(self._count)

    def request(self, name: str, requires: Sequence[str] = (), **parts: str | float | bool) -> BuildRequest:
        text = SPEC.format(
            name=name,
            requires="".join(f"BuildRequires: {one}\n" for one in requires),
            install=parts.get("install", ""),
            check=parts.get("check", "true"),
        )
        data = self.folder / "data.txt"
        data.write_text("data")
        return BuildRequest(
            package=name,
            version="1",
            release="1",
            spec=text,
            sources=(SourceFile(filename="data.txt", sha256=hashlib.sha256(b"data").hexdigest(), path=data),),
            build_requires=tuple(requires),
            timeout=float(parts.get("timeout", 60)),
            with_check=bool(parts.get("with_check", True)),
        )

    def build(self, request: BuildRequest) -> RawBuild:
        return build_in_root(request, self.infos, self.rpms, self.planner, self.next_folder())

    def keep(self, raw: RawBuild) -> None:
        for rpm in raw.rpms:
            if not rpm.name.endswith(".src.rpm"):
                info = read_rpm(rpm)
                self.infos.append(info)
                self.rpms[info.sha256] = rpm


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("rpmbuild"))


def hashes(raw: RawBuild) -> dict[str, str]:
    return {rpm.name: hashlib.sha256(rpm.read_bytes()).hexdigest() for rpm in raw.rpms}


def test_builds_use_the_platform_s_and_our_own_packages(bench: Bench) -> None:
    first = bench.build(
        bench.request("first", ["python3dist(pyyaml) >= 5"], check="python3 -c 'import yaml'")
    )
    assert first.reason is None
    assert sorted(rpm.name for rpm in first.rpms) == ["first-1-1.noarch.rpm", "first-1-1.src.rpm"]
    bench.keep(first)
    second = bench.build(bench.request("second", ["first"], check="cat /usr/share/first/data; rpm -q first"))
    assert second.reason is None, second.reason
    assert second.log is not None
    assert "data" in second.log.read_text()


def test_same_request_gives_the_same_bytes(bench: Bench) -> None:
    request = bench.request("same")
    first = bench.build(request)
    assert hashes(first) == hashes(bench.build(request))
    source = next(rpm for rpm in first.rpms if rpm.name.endswith(".src.rpm"))
    again = rebuild(source, bench.infos, bench.rpms, bench.planner, bench.next_folder())
    assert hashes(again) == hashes(first), "also when it is built from its source RPM"


def test_undeclared_requirement_is_not_there_and_the_hint_names_it(bench: Bench) -> None:
    raw = bench.build(bench.request("undeclared", check="python3 -c 'import yaml'"))
    assert raw.rpms == ()
    assert raw.reason == "ModuleNotFoundError: No module named 'yaml'"
    assert raw.hint == "Add the build requirement python3dist(pyyaml)."


def test_requirement_that_only_the_spec_states_fails(bench: Bench) -> None:
    request = bench.request("sly", ["python3dist(pyyaml)"]).model_copy(update={"build_requires": ()})
    raw = bench.build(request)
    assert "python3dist(pyyaml) is needed by sly" in (raw.reason or "")


def test_unsatisfiable_requirements_are_all_named(bench: Bench) -> None:
    with pytest.raises(UnsatisfiedError) as caught:
        bench.build(bench.request("never", ["nope >= 2", "python3dist(nada)", "python3dist(pyyaml) > 99"]))
    missing = {problem.requirement for problem in caught.value.problems}
    assert missing == {"nope >= 2", "python3dist(nada)", "python3dist(pyyaml) > 99"}


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("python3 -c 'import urllib.request as u; u.urlopen(\"http://example.org\")'", "use the network"),
        ("no-such-command", "no-such-command: "),
        ("cat /etc/shadow /root/x", "Bad exit status"),
        ("kill -9 $$", "Bad exit status"),
    ],
)
def test_reasons(bench: Bench, check: str, words: str) -> None:
    assert words in (bench.build(bench.request("bad", check=check)).reason or "")


def test_unpackaged_files_are_listed(bench: Bench) -> None:
    raw = bench.build(bench.request("more", install="touch %{buildroot}/usr/more"))
    assert (raw.reason or "").splitlines()[-1] == "/usr/more"


def test_hanging_build_ends_at_its_time_limit(bench: Bench) -> None:
    raw = bench.build(bench.request("slow", check="echo waiting; sleep 1000", timeout=2))
    assert "No end after 2 s" in (raw.reason or "")
    assert raw.seconds < 10


def test_checks_can_be_left_out(bench: Bench) -> None:
    assert bench.build(bench.request("unchecked", check="exit 1", with_check=False)).reason is None


def test_our_package_stands_before_the_platform_s(bench: Bench) -> None:
    mine = RpmInfo(
        name="python3-pyyaml",
        version="5",
        release="1",
        provides=("python3dist(pyyaml) = 5",),
        sha256="f" * 64,
    )
    plan = bench.planner.plan(["python3dist(pyyaml)"], [mine])
    assert [info.sha256 for info in plan.rpms] == [mine.sha256]
    assert not plan.debs
    assert bench.planner.plan(["python3dist(pyyaml) > 5"], [mine]).rpms == ()
    assert bench.planner.plan(["python3dist(pyyaml)"]).rpms == (), "only what may be used is used"


def test_planner_and_prefetch_do_not_change_a_plan(bench: Bench) -> None:
    wanted = ["python3dist(jinja2)", "libffi-devel"]
    before = bench.planner.plan(wanted).layers
    bench.planner.prefetch([wanted])
    assert bench.planner.plan(wanted).layers == before


def test_a_source_that_the_disk_has_changed_is_put_aside_and_never_built(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    request = bench.request("changed")
    source = request.sources[0].path
    source.write_text("other")
    with pytest.raises(HashMismatchError, match=r"data\.txt") as caught:
        build_in_root(request, (), {}, bench.planner, bench.next_folder())
    assert caught.value.aside.read_text() == "other"
    assert not source.exists()
