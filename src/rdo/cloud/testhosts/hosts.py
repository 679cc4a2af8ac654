"""Test hosts: create, start, stop, crash, reboot, destroy, list.

Every function that changes something needs root. Processes are told by pid, start time and boot of the
machine, and only those that are provably ours are ever signalled.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rdo.cloud.testhosts import boot, cgroups, serving, ssh
from rdo.cloud.testhosts.disk import check_layers, ensure_private, make_disk
from rdo.cloud.testhosts.network import Network, free_address, installation_tag
from rdo.cloud.testhosts.records import HostDescription, Runtime, TestHost, check_name, view
from rdo.common.errors import InputError, RdoError, UnknownNameError
from rdo.common.files import locked, make_folder
from rdo.common.paths import Paths
from rdo.common.progress import Progress, SilentProgress

_POWER_OFF = signal.SIGRTMIN + 4
_REBOOT = signal.SIGRTMIN + 5


def list_hosts(paths: Paths) -> list[TestHost]:
    """Return the installation's hosts by name; changes nothing."""
    return [_view(paths, description) for description in _descriptions(paths)]


def get(paths: Paths, name: str) -> TestHost:
    """Return one host.

    :raises UnknownNameError: there is none of that name
    """
    return _view(paths, _description(paths, name))


def create(
    paths: Paths,
    names: Sequence[str],
    *,
    layers: Sequence[Path],
    platform: str,
    in_memory: bool = False,
    progress: Progress | None = None,
) -> list[TestHost]:
    """Make hosts and boot them side by side; return them when all answer over ssh.

    :param layers: what :func:`rdo.cloud.testhosts.image.ensure_host_base` returned, topmost first
    :param in_memory: keep the hosts' own disks in memory; they don't survive a reboot of the machine then
    :raises InputError: a name is wrong or taken (nothing is made then), or not root
    :raises RdoError: a host doesn't come up; it stays for a look at it
    """
    require_root()
    check_layers(layers)
    for name in names:
        check_name(name)
    if len(set(names)) != len(names):
        raise InputError("A host is named twice.")
    with _locked(paths):
        taken = {host.name: host.address for host in _descriptions(paths)}
        for name in names:
            if name in taken:
                raise InputError(f"There is a host named {name!r} already.")
        for name in names:
            address = free_address(taken.values())
            taken[name] = address
            _make_host(paths, name, address, layers, platform, in_memory)
    return start(paths, names, progress=progress)


def start(paths: Paths, names: Sequence[str], *, progress: Progress | None = None) -> list[TestHost]:
    """Boot hosts that don't run, side by side; return them when all answer over ssh.

    :raises RdoError: a host doesn't come up; its console's last lines are in the message
    """
    require_root()
    report = progress or SilentProgress()
    network = Network.of(paths)
    with _locked(paths):
        descriptions = [_description(paths, name) for name in dict.fromkeys(names)]
        _write_ssh_files(paths)
        spawned = []
        for description in descriptions:
            folder = _folder(paths, description.name)
            if Runtime.load(folder).state in ("stopped", "crashed"):
                network.ensure_host(description.name, description.address)
                _spawn_launcher(folder)
                spawned.append(folder)
        # A host whose launcher has not written anything yet looks stopped: another `start`, which waits for
        # the lock, would boot it a second time.
        boot.wait_for_launchers(spawned)
    with (
        report.task("Booting " + ", ".join(names), len(names)) as task,
        ThreadPoolExecutor(max_workers=max(1, len(names))) as pool,
    ):

        def wait(name: str) -> TestHost:
            for unit in boot.wait_until_ready(_folder(paths, name), lambda: get(paths, name)):
                report.message(f"{name}: {unit} failed at boot")
            task.advance()
            return get(paths, name)

        return list(pool.map(wait, names))


def stop(paths: Paths, name: str, *, timeout: float = 90.0) -> TestHost:
    """Power a host off in order; after ``timeout`` seconds pull its plug.

    :raises UnknownNameError: there is no such host
    """
    require_root()
    runtime = Runtime.load(_folder(paths, _description(paths, name).name))
    if runtime.init is not None and runtime.state == "running":
        runtime.init.send(_POWER_OFF)
        if not runtime.init.wait(timeout):
            runtime.init.send(signal.SIGKILL)
    _wait_for_launcher(runtime)
    return get(paths, name)


def crash(paths: Paths, name: str) -> TestHost:
    """Kill a host's init, which ends all its processes at once, as a power cut does.

    :raises InputError: the host doesn't run
    """
    require_root()
    runtime = Runtime.load(_folder(paths, _description(paths, name).name))
    if runtime.init is None or runtime.state != "running":
        raise InputError(f"{name} doesn't run.")
    runtime.init.send(signal.SIGKILL)
    _wait_for_launcher(runtime)
    return get(paths, name)


def reboot(paths: Paths, name: str, *, timeout: float = 90.0) -> TestHost:
    """Reboot a host in order; return it when it answers over ssh again.

    :raises InputError: the host doesn't run
    :raises RdoError: it doesn't go down within ``timeout`` seconds, or doesn't come up
    """
    require_root()
    folder = _folder(paths, _description(paths, name).name)
    runtime = Runtime.load(folder)
    if runtime.init is None or runtime.state != "running":
        raise InputError(f"{name} doesn't run.")
    runtime.init.send(_REBOOT)
    if not runtime.init.wait(timeout):
        raise RdoError(f"{name} didn't go down within {timeout:g} s.")
    boot.wait_until_ready(folder, lambda: get(paths, name), after_boots=runtime.boots)
    return get(paths, name)


def destroy(paths: Paths, names: Sequence[str]) -> None:
    """Remove hosts with all they have; with the last one the network and the repository server go too.

    :raises UnknownNameError: there is no such host (nothing is removed then)
    """
    require_root()
    with _locked(paths):
        descriptions = [_description(paths, name) for name in names]
        network = Network.of(paths)
        for description in descriptions:
            folder = _folder(paths, description.name)
            _end_processes(Runtime.load(folder))
            cgroups.remove(Path(description.cgroup))
            network.remove_host(description.name)
            rubbish = paths.hosts / f".gone-{uuid.uuid4().hex}"
            folder.rename(rubbish)
            shutil.rmtree(description.disk, ignore_errors=True)
            shutil.rmtree(rubbish)
        _write_ssh_files(paths)
        if not _descriptions(paths):
            serving.stop_repository(paths)
            network.remove()
            with contextlib.suppress(OSError):
                _memory_disks(paths).rmdir()


def require_root() -> None:
    """Check for the rights that namespaces and mounts need.

    :raises InputError: they are not there
    """
    if os.geteuid() != 0:
        raise InputError("Test hosts need root: they are made of namespaces and mounts.", hint="Use sudo.")


@contextlib.contextmanager
def _locked(paths: Paths) -> Iterator[None]:
    # Hosts' disks have set-user-id programs and whatever their root puts there: for root alone.
    make_folder(paths.hosts, private=True)
    with locked(paths.hosts / ".lock"):
        # What a killed create or destroy left: folders that never had, or have no more, a host's name.
        for pattern in (".new-*", ".gone-*"):
            for leftover in paths.hosts.glob(pattern):
                shutil.rmtree(leftover)
        yield


def _folder(paths: Paths, name: str) -> Path:
    return paths.hosts / name


def _memory_disks(paths: Paths) -> Path:
    return Path("/dev/shm", f"rdo-{installation_tag(paths)}")


def _descriptions(paths: Paths) -> list[HostDescription]:
    found = sorted(paths.hosts.glob("[a-z]*/host.json"))
    return [HostDescription.load(file.parent) for file in found]


def _description(paths: Paths, name: str) -> HostDescription:
    try:
        return HostDescription.load(_folder(paths, check_name(name)))
    except FileNotFoundError:
        known = [description.name for description in _descriptions(paths)]
        raise UnknownNameError("host", name, known) from None


def _view(paths: Paths, description: HostDescription) -> TestHost:
    return view(description, Runtime.load(_folder(paths, description.name)), ssh.config_file(paths))


def _make_host(
    paths: Paths, name: str, address: str, layers: Sequence[Path], platform: str, in_memory: bool
) -> None:
    temporary = paths.hosts / f".new-{name}"
    temporary.mkdir()
    final = _folder(paths, name)
    tag = installation_tag(paths)
    disk = temporary
    if in_memory:
        disk = ensure_private(_memory_disks(paths)) / name
        shutil.rmtree(disk, ignore_errors=True)
    key = make_disk(disk, name, layers, ssh.ensure_key(paths))
    (temporary / "host_key.pub").write_text(f"{key}\n")
    HostDescription(
        name=name,
        address=address,
        platform=platform,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        layers=tuple(str(layer) for layer in layers),
        disk=str(disk if in_memory else final),
        namespace=Network.of(paths).host_namespace(name),
        cgroup=str(cgroups.unified_hierarchy() / f"rdo-{tag}-{name}"),
    ).save(temporary)
    temporary.rename(final)


def _write_ssh_files(paths: Paths) -> None:
    keys = [
        (description, (_folder(paths, description.name) / "host_key.pub").read_text())
        for description in _descriptions(paths)
    ]
    ssh.write_files(paths, keys, Network.of(paths).namespace_file)


def _spawn_launcher(folder: Path) -> None:
    (folder / "runtime.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "rdo.cloud.testhosts.launcher", str(folder)]
    with boot.console_log(folder).open("wb") as console:
        # setsid: of no terminal and no parent of ours, so it lives on when the tool ends.
        subprocess.run(
            ["setsid", "--fork", *command],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            cwd="/",
            check=True,
            timeout=60,
        )


def _wait_for_launcher(runtime: Runtime) -> None:
    if runtime.launcher is not None and not runtime.launcher.wait(10):
        runtime.launcher.send(signal.SIGKILL)
        runtime.launcher.wait(10)


def _end_processes(runtime: Runtime) -> None:
    # The launcher first: it would start a host again that goes down by a reboot just now.
    for process in (runtime.launcher, runtime.init):
        if process is not None:
            process.send(signal.SIGKILL)
            process.wait(10)
