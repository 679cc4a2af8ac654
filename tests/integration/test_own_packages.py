"""Real packages as ``rdo build`` makes them: what rpmlint says, source RPMs, and builds that differ."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rdo.building.models import Artifact
from rdo.building.planner import RootPlanner
from rdo.building.roots import ensure_build_root, ensure_grown
from rdo.building.rpmbuild import rebuild
from rdo.building.rpminfo import RpmInfo, read_rpm
from rdo.building.sealed import Bind, Limits
from rdo.cli.installation import open_installation
from rdo.distribution.load import Distribution
from tests.installation import CHECKOUT, Installation
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.index, pytest.mark.mirror]

#: A namespace with data, one with scripts and extras, what both need, and pbr, which is always ours.
ASKED = ("oslo.config", "oslo.context")
COUNT = 5
BUILD = ("build", *ASKED, "--release", "2026.1", "--no-publish")


class Built:
    """An installation in which some libraries were built."""

    def __init__(self, home: Path) -> None:
        self.installation = Installation.at(home)
        made = self.installation.json(*BUILD)
        assert made["counts"] == {"built": COUNT, "cached": 0, "failed": 0, "blocked": 0}
        self.artifacts = {r["package"]: [Artifact(**a) for a in r["artifacts"]] for r in made["results"]}
        self.paths = open_installation(self.installation.environment).paths

    def path(self, artifact: Artifact) -> Path:
        """Return an artifact in the store."""
        return next((self.installation.home / "cache/store").rglob(artifact.sha256))

    def rpms(self) -> dict[str, Path]:
        """Return all RPMs by file name."""
        return {a.filename: self.path(a) for one in self.artifacts.values() for a in one}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("own") / "home")


@pytest.mark.parametrize("package", ["python-oslo-context", "python-oslo-i18n", "python-oslo-config"])
def test_source_rpm_gives_the_same_packages(built: Built, package: str, tmp_path: Path) -> None:
    planner = RootPlanner(
        Distribution.load(built.paths.distribution).platform("debian13"), installation_of(built.paths)
    )
    infos: list[RpmInfo] = []
    places: dict[str, Path] = {}
    for name, path in built.rpms().items():
        if not name.endswith(".src.rpm"):
            infos.append(read_rpm(path))
            places[infos[-1].sha256] = path
    source = next(a for a in built.artifacts[package] if a.filename.endswith(".src.rpm"))
    named = tmp_path / source.filename
    named.write_bytes(built.path(source).read_bytes())
    raw = rebuild(named, infos, places, planner, tmp_path / "build")
    assert raw.reason is None, raw.reason
    again = {rpm.name: hashlib.sha256(rpm.read_bytes()).hexdigest() for rpm in raw.rpms}
    assert again == {a.filename: a.sha256 for a in built.artifacts[package]}


def test_rpmlint_finds_no_errors(built: Built, tmp_path: Path) -> None:
    platform = Distribution.load(built.paths.distribution).platform("debian13")
    base = ensure_build_root(platform, installation_of(built.paths))
    root = ensure_grown(base, ["rpmlint"], installation_of(built.paths), title="Layer with rpmlint")
    for name, path in built.rpms().items():
        (tmp_path / name).write_bytes(path.read_bytes())
    specs = list((built.installation.state / "specs").rglob("*.spec"))
    assert len(specs) == COUNT
    for spec in specs:
        (tmp_path / spec.name).write_bytes(spec.read_bytes())
    result = root.sandbox(built.paths).run(
        ["bash", "-c", "rpmlint --config /run/rpmlint.toml /run/packages/*"],
        binds=[
            Bind(tmp_path, "/run/packages"),
            Bind(CHECKOUT / "distribution/rpmlint.toml", "/run/rpmlint.toml"),
        ],
        limits=Limits(timeout=300),
        log=tmp_path / "said",
    )
    assert result.ok, result.tail
    assert " 0 errors" in result.tail
    assert " E: " not in (tmp_path / "said").read_text()


def test_difference_between_two_builds_is_shown(built: Built, tmp_path: Path) -> None:
    installation = Installation.at(tmp_path / "home")
    folder = installation.own_distribution() / "packages/oslo.context"
    folder.mkdir()
    (folder / "package.yaml").write_text(
        "project: oslo.context\nprepare: ['echo \"# $(date +%s.%N)\" >>oslo_context/context.py']\n"
    )
    build = ("build", "oslo.context", "--release", "2026.1", "--no-publish")
    assert installation.json(*build)["counts"]["built"] == 2  # with pbr
    done = installation.rdo("verify", "oslo.context", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    (found,) = json.loads(done.stdout)["results"]
    assert found["status"] == "different"
    module = "/usr/lib/python3.13/site-packages/oslo_context/context.py: Filedigests"
    assert any(module in line for line in found["differences"]), found["differences"]
    said = installation.rdo("verify", "oslo.context")
    assert said.returncode == 1
    assert "context.py: Filedigests" in said.stdout and "DIFFERENT" in said.stdout


def test_another_folder_and_another_time_give_the_same(built: Built, tmp_path: Path) -> None:
    other = Installation.at(tmp_path / "in another folder" / "home")
    made = other.json("build", "oslo.context", "--release", "2026.1", "--no-publish")
    assert made["counts"]["built"] == 2  # with pbr
    mine = next(result for result in made["results"] if result["package"] == "python-oslo-context")
    again = {a["filename"]: a["sha256"] for a in mine["artifacts"]}
    assert again == {a.filename: a.sha256 for a in built.artifacts["python-oslo-context"]}
