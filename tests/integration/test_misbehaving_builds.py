"""Builds that misbehave fail alone, with a clear reason; failures of the machine are not the package's."""

from __future__ import annotations

import dataclasses
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild
from rdo.building.cleanup import clean_up
from rdo.building.deb_packages import DebPackages
from rdo.building.debs import Deb
from rdo.building.integrity import CacheError
from rdo.building.models import BuildRequest
from rdo.building.planner import RootPlanner
from rdo.building.roots import Layer
from rdo.building.rpmbuild import RootBuilder, build_in_root
from rdo.building.sealed import Limits, SandboxError, scratch_folder
from rdo.building.store import LocalStore
from rdo.distribution.load import Distribution
from tests.integration.test_rpmbuild import Bench
from tests.integration.test_unexpected_output import Bench as SdistBench
from tests.integration.test_unexpected_output import project as sdist
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]

SMALL = Limits(space=64 << 20, processes=64)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("misbehaving"))


def build(bench: Bench, check: str, *, timeout: float = 60, limits: Limits | None = None) -> RawBuild:
    request = bench.request("bad", check=check, timeout=timeout)
    return build_in_root(request, [], {}, bench.planner, bench.next_folder(), limits=limits)


def assert_all_is_well(bench: Bench) -> None:
    """See that the next build succeeds and that nothing lies about."""
    assert build(bench, "true", limits=SMALL).reason is None
    assert not list(scratch_folder(bench.paths).iterdir())


def test_build_that_fills_its_space(bench: Bench) -> None:
    raw = build(bench, "head -c 200M /dev/zero >big", limits=SMALL)
    assert "space" in (raw.reason or "") and "No space left" in (raw.reason or "")
    assert_all_is_well(bench)


def test_fork_bomb(bench: Bench) -> None:
    began = time.monotonic()
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    raw = build(bench, f"python3 -c '{bomb}'", limits=SMALL)
    assert raw.rpms == ()
    assert (raw.reason or "").startswith(
        "It reached its limit of 64 processes and was killed. Its last words:"
    )
    assert "package.yaml" in (raw.hint or "")
    assert time.monotonic() - began < 30
    assert_all_is_well(bench)


def test_memory_hog(bench: Bench) -> None:
    began = time.monotonic()
    hog = 'x = []\nwhile True: x.append(bytearray(b"x" * (1 << 24)))'
    raw = build(bench, f"python3 -c '{hog}'", limits=dataclasses.replace(SMALL, memory=300 << 20))
    assert (raw.reason or "").startswith("It reached its limit of 300 MiB of memory, its files included")
    assert time.monotonic() - began < 30
    assert_all_is_well(bench)


SDISTS = {
    "memory": ("x = []\nwhile True: x.append(bytearray(b'x' * (1 << 24)))", "400 MiB of memory"),
    "forks": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "512 processes"),
}


@pytest.mark.parametrize(("code", "limit"), SDISTS.values(), ids=SDISTS)
def test_sdist_that_uses_up_the_machine_and_its_neighbour(
    tmp_path_factory: pytest.TempPathFactory, code: str, limit: str
) -> None:
    """Its setup.py does so, while another package is built, which doesn't notice."""
    odd = SdistBench(tmp_path_factory.mktemp("odd"))
    fine = SdistBench(tmp_path_factory.mktemp("fine"))
    memory = (400 << 20) if "memory" in limit else (2 << 30)
    request = odd.request(sdist(code)).model_copy(update={"memory": memory})
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        neighbour = pool.submit(fine.build, sdist("import time; time.sleep(3)"))
        raw = build_in_root(request, (), {}, odd.planner, odd.folder / "build")
    assert (raw.reason or "").startswith(f"It reached its limit of {limit}")
    assert raw.rpms == ()
    assert neighbour.result().reason is None
    assert time.monotonic() - began < 60


def test_package_may_have_more_memory_than_others(bench: Bench) -> None:
    request = bench.request("bad", check="python3 -c 'bytearray(200 << 20)'")
    little = dataclasses.replace(SMALL, memory=150 << 20)
    folders = (bench.next_folder(), bench.next_folder())
    assert build_in_root(request, [], {}, bench.planner, folders[0], limits=little).reason is not None
    request = request.model_copy(update={"memory": 600 << 20})
    assert build_in_root(request, [], {}, bench.planner, folders[1], limits=little).reason is None


@pytest.mark.parametrize(("words", "status"), [("sandbox: set-up failed", 125), ("bwrap: no", 1)])
def test_build_that_says_that_the_machine_failed(bench: Bench, words: str, status: int) -> None:
    raw = build(bench, f"echo {words}; exit {status}", limits=SMALL)
    assert raw.reason is not None and raw.rpms == ()
    assert_all_is_well(bench)


def test_build_that_writes_without_end(bench: Bench) -> None:
    raw = build(bench, "yes", limits=dataclasses.replace(SMALL, log=1 << 20))
    assert (raw.reason or "").startswith("It wrote more than 1 MiB of log and was killed.")
    assert_all_is_well(bench)


def test_network(bench: Bench) -> None:
    raw = build(bench, "python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 80), 5)'")
    assert "use the network" in (raw.reason or "")
    assert_all_is_well(bench)


def test_hang(bench: Bench) -> None:
    raw = build(bench, "setsid sleep 1000 & echo waiting; sleep 1000", timeout=3)
    assert (raw.reason or "").startswith("No end after 3 s; it was killed.")
    assert raw.seconds < 10
    assert_all_is_well(bench)


@pytest.mark.parametrize("place", ["/usr/bin/evil", "/etc/passwd", "/run/rdo/out/evil", "/run/rdo/in/evil"])
def test_writing_where_a_build_may_not(bench: Bench, place: str) -> None:
    raw = build(bench, f"echo x >>{place}")
    assert raw.rpms == ()
    assert place in (raw.reason or "")
    for layer in bench.planner.root.layers:
        assert not (layer.path / "usr/bin/evil").exists()


def test_writing_to_a_host_s_path_stays_inside(bench: Bench, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    raw = build(bench, f"mkdir -p {tmp_path}; echo x >{tmp_path}/evil; ls {tmp_path}/evil")
    assert not (tmp_path / "evil").exists()
    assert raw.rpms == () or raw.reason is None


@pytest.mark.parametrize("inodes", [5, 14])
def test_machine_s_failure_is_not_the_package_s(bench: Bench, inodes: int) -> None:
    """So little space that the sandbox can't be set up, or that the root in it can't be prepared."""
    with pytest.raises(SandboxError, match="can't be set up"):
        build(bench, "true", limits=dataclasses.replace(SMALL, inodes=inodes))
    assert_all_is_well(bench)


def layer_of(planner: RootPlanner, deb: Deb) -> Layer:
    """Return the layer of a deb."""
    assert isinstance(planner.packages, DebPackages)
    return planner.packages.pool.layer(deb)


class Separate:
    """An installation with layers of its own over the shared base roots, to be damaged at will."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        paths = self.bench.paths
        (paths.cache / "layers").unlink()
        platform = Distribution.load(paths.distribution).platform("debian13")
        self.paths = paths
        self.builder = RootBuilder.make(platform, installation_of(paths))
        self.planner = RootPlanner(platform, installation_of(paths))
        self.store = LocalStore(paths.store)

    def request(self, check: str = "python3 -c 'import yaml; yaml.dump'") -> BuildRequest:
        return self.bench.request("user", ["python3dist(pyyaml)"], check=check)

    def layer(self) -> Path:
        (deb,) = (d for d in self.planner.plan(["python3dist(pyyaml)"]).debs if d.name == "python3-yaml")
        return layer_of(self.planner, deb).path

    def build(self) -> RawBuild:
        return self.builder.build(self.request(), (), self.store, self.bench.next_folder())


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Separate:
    return Separate(tmp_path_factory.mktemp("separate"))


def test_layers_that_were_removed_are_made_again(separate: Separate) -> None:
    assert separate.build().reason is None
    shutil.rmtree(separate.layer().parent)
    assert separate.build().reason is None, "gone before the build"
    shutil.rmtree(separate.layer())
    assert separate.build().reason is None, "half gone: its folder is still there"


def test_layer_that_lost_a_file_is_found_out_when_the_build_fails(separate: Separate) -> None:
    assert separate.build().reason is None
    (separate.layer() / "usr/lib/python3/dist-packages/yaml/__init__.py").unlink()
    assert separate.build().reason is None, "tried again with the layer made anew"
    assert (separate.layer() / "usr/lib/python3/dist-packages/yaml/__init__.py").exists()


def test_macros_that_vanish_are_laid_down_again(separate: Separate) -> None:
    assert separate.build().reason is None
    shutil.rmtree(separate.planner.root.layers[0].path.parent)
    assert separate.build().reason is None


def test_error_of_the_cache_is_no_result(separate: Separate) -> None:
    """Without the builder's second try it is seen as what it is."""
    separate.build()
    planner = RootPlanner(separate.planner.platform, installation_of(separate.paths))
    (separate.layer() / "usr/lib/python3/dist-packages/yaml/__init__.py").unlink()
    with pytest.raises(CacheError, match="changed under the build"):
        planner.inspect(
            [layer_of(planner, deb) for deb in planner.plan(["python3dist(pyyaml)"]).debs], again=True
        )
    assert separate.build().reason is None
    assert not [line for line in clean_up(separate.paths) if "ended" in line]
