import shutil
from pathlib import Path

import pytest

from rdo.common.errors import DataError, UnknownNameError
from rdo.distribution.load import Distribution
from rdo.distribution.models import DnfRoot

RELEASE = """\
series: "2026.1"
codename: gazpacho
phase: maintained
released: 2026-04-01
platforms: [debian13]
projects:
  keystone: {type: service, version: "29.0.2", commit: "7b9f39226744b8db50a6d702cc5f715fc9c17f37"}
  placement: {dist: openstack-placement, type: service, version: "15.0.0", commit: "%s"}
constraints:
  networkx: ["3.2.1; python_version == '3.9'", "3.4.2; python_version >= '3.10'"]
index: {setuptools: "81.0.0"}
""" % ("9" * 40)
LOCK = f"{'0' * 64} 10 2026-01-01T00:00:00Z keystone-29.0.2.tar.gz keystone 29.0.2\n"
PLATFORM = """\
name: debian13
title: Debian 13
architecture: x86_64
python: "3.13"
python_version: "3.13.5"
dist: .deb13
tested: true
root: {kind: debootstrap, suite: trixie, packages: [rpm]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("releases", "platforms", "packages/keystone"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "releases/2026.1.yaml").write_text(RELEASE)
    (tmp_path / "releases/2026.1.lock").write_text(LOCK)
    (tmp_path / "platforms/debian13.yaml").write_text(PLATFORM)
    (tmp_path / "platforms/debian13.provides").write_text("# comment\npyyaml 6.0.2 python3-yaml\n")
    (tmp_path / "platforms/debian13.macros").write_text("%dist .deb13\n")
    (tmp_path / "packages/keystone/package.yaml").write_text("project: keystone\n")
    return tmp_path


def places(folder: Path) -> set[tuple[str, int]]:
    with pytest.raises(DataError) as caught:
        Distribution.load(folder).check()
    return {(problem.file.name, problem.line) for problem in caught.value.problems}


def test_good_data_loads(folder: Path) -> None:
    distribution = Distribution.load(folder)
    distribution.check()
    release = distribution.release("2026.1")
    platform = distribution.platform("debian13")
    assert release.projects["placement"].repository == "openstack/placement"
    assert release.project_of("openstack-placement") == release.projects["placement"]
    assert release.sources["keystone", "29.0.2"].size == 10
    pin = release.pin("networkx", platform.environment)
    assert pin is not None
    assert pin.version == "3.4.2"
    assert platform.provides["pyyaml"].package == "python3-yaml"
    assert platform.macros == folder / "platforms/debian13.macros"
    assert distribution.package("placement") is None
    assert list(distribution.packages()) == ["keystone"]


def test_names_of_users(folder: Path) -> None:
    distribution = Distribution.load(folder)
    release = distribution.release("2026.1")
    assert distribution.project(release, "placement") == "openstack-placement"
    assert distribution.project(release, "NetworkX") == "networkx"
    with pytest.raises(UnknownNameError) as caught:
        distribution.project(release, "keytsone")
    assert caught.value.nearest == ["keystone"]
    assert caught.value.exit_status == 2


def test_unknown_names_say_the_nearest(folder: Path) -> None:
    distribution = Distribution.load(folder)
    with pytest.raises(UnknownNameError, match="no series"):
        distribution.release("2026.7")
    with pytest.raises(UnknownNameError) as caught:
        distribution.platform("debian12")
    assert caught.value.nearest == ["debian13"]


def test_all_mistakes_of_all_files_come_together(folder: Path) -> None:
    release = (
        RELEASE.replace("phase:", "fase:")
        .replace('"29.0.2"', '"29.x"')
        .replace("python_version >= '3.10'", "python >= 3")
        .replace('setuptools: "81.0.0"', 'Setup_Tools: "81.0.0"')
    )
    (folder / "releases/2026.1.yaml").write_text(release)
    (folder / "releases/2026.1.lock").write_text("one two\n")
    (folder / "platforms/debian13.yaml").write_text(PLATFORM.replace("suite: trixie, ", ""))
    (folder / "platforms/debian13.provides").write_text(
        "a 1 b\na 1 b\nPyYAML 6 python3-yaml\nx one python3-x\ny\n"
    )
    (folder / "packages/keystone/package.yaml").write_text("project: keystone\nproject: keystone\n")
    assert places(folder) == {
        ("2026.1.yaml", 0),  # phase is missing
        ("2026.1.yaml", 3),
        ("2026.1.yaml", 7),
        ("2026.1.yaml", 10),
        ("2026.1.yaml", 11),
        ("2026.1.lock", 1),
        ("debian13.yaml", 8),
        ("debian13.provides", 2),
        ("debian13.provides", 3),
        ("debian13.provides", 4),
        ("debian13.provides", 5),
        ("package.yaml", 2),
    }


def test_mistakes_between_files(folder: Path) -> None:
    shutil.copytree(folder / "packages/keystone", folder / "packages/nova")
    for name in ("keyston", "openstack-placement", "Keystone"):
        (folder / "packages" / name).mkdir()
        (folder / "packages" / name / "package.yaml").write_text(f"# first\nproject: {name}\n")
    release = RELEASE.replace("[debian13]", "[debian13, el11]").replace(
        "dist: openstack-placement", "dist: keystone"
    )
    (folder / "releases/2026.1.yaml").write_text(release.replace("2026.1", "2026.2"))
    (folder / "releases/2026.3.yaml").write_text(RELEASE.replace("2026.1", "2026.3"))
    (folder / "platforms/el11.yml").write_text("")
    with pytest.raises(DataError) as caught:
        Distribution.load(folder).check()
    found = {(p.file.relative_to(folder).as_posix(), p.line, p.message) for p in caught.value.problems}
    place = "it describes placement: the folder must have that name"
    assert found == {
        ("releases/2026.1.yaml", 1, "the file is named 2026.1, it says 2026.2"),
        ("releases/2026.1.yaml", 5, "there is no platform named 'el11'"),
        ("releases/2026.1.yaml", 8, "keystone is made by keystone already"),
        ("packages/nova/package.yaml", 1, "the folder is named nova, the file says keystone"),
        ("packages/nova/package.yaml", 1, "no release has a project named 'nova'."),
        ("packages/keyston/package.yaml", 2, "no release has a project named 'keyston'. Nearest: keystone."),
        ("packages/openstack-placement/package.yaml", 2, place),
        (
            *("packages/Keystone/package.yaml", 2),
            "a second description of keystone: only the folder of that name counts",
        ),
    }


def test_a_name_is_pinned_in_one_place(folder: Path) -> None:
    release = RELEASE.replace('{setuptools: "81.0.0"}', '{networkx: "81.0.0", keystone: "1"}')
    (folder / "releases/2026.1.yaml").write_text(release)
    assert places(folder) == {("2026.1.yaml", 11)}


def test_our_own_data_has_no_mistakes() -> None:
    distribution = Distribution.load(Path(__file__).parents[3] / "distribution")
    distribution.check()
    assert {"2025.2", "2026.1"} <= set(distribution.series())
    assert {"debian13", "el10", "el9"} <= set(distribution.platforms())
    assert "keystone" in distribution.release("2026.1").projects


def test_names_in_descriptions_are_canonical(folder: Path) -> None:
    (folder / "packages/keystone/package.yaml").write_text(
        "project: keystone\nrelax:\n  Py_Yaml: why\nexclude:\n  a.b: why\n"
    )
    assert places(folder) == {("package.yaml", 3), ("package.yaml", 5)}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "it has no key; name it by gpgkey and fingerprints, or say by unsigned why"),
        ("gpgkey: https://example.org/key", "its fingerprints must be stated"),
        ("gpgkey: /key\n    fingerprints: [12 34]", "'12 34' isn't the fingerprint of an OpenPGP key"),
        ("gpgkey: /key\n    unsigned: why not", "it can't be both"),
        ("unsigned: why not\n    repo_gpgcheck: true", "are of a key, and it has none"),
        (f"unsigned: why not\n    fingerprints: [{'a' * 40}]", "are of a key, and it has none"),
    ],
)
def test_repositories_without_trust_are_refused_with_their_line(
    folder: Path, lines: str, message: str
) -> None:
    head = PLATFORM.replace("debian13", "el").partition("root:")[0].replace(".deb13", ".el")
    good = "  - id: good\n    baseurl: http://r\n    unsigned: packages of a test\n"
    bad = "  - id: bad\n    baseurl: http://r\n" + (f"    {lines}\n" if lines else "")
    text = f"{head}root:\n  kind: dnf\n  releasever: '1'\n  packages: [bash]\n  repositories:\n{good}{bad}"
    (folder / "platforms/el.yaml").write_text(text)
    with pytest.raises(DataError) as caught:
        Distribution.load(folder).check()
    line = text.splitlines().index("  - id: bad") + 1
    ((name, number, said),) = [(p.file.name, p.line, p.message) for p in caught.value.problems]
    assert (name, number) == ("el.yaml", line)
    assert "repository bad: " in said and message in said


def test_platforms_of_el_state_the_key_of_centos() -> None:
    distribution = Distribution.load(Path(__file__).parents[3] / "distribution")
    for name in ("el9", "el10"):
        root = distribution.platform(name).root
        assert isinstance(root, DnfRoot)
        for one in root.repositories:
            stated = ["".join(fingerprint.split()) for fingerprint in one.fingerprints]
            assert (stated, one.signed_metadata) == (["99DB70FAE1D7CE227FB6488205B555B38483C65D"], False)
