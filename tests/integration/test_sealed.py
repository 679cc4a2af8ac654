"""Sandboxes as they really are: nothing of the host inside, nothing left outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from rdo.building import enforcement
from rdo.building.cgroups import leftover_groups
from rdo.building.cleanup import clean_up
from rdo.building.roots import Root, ensure_base
from rdo.building.sealed import Bind, Limits, Sandbox, SandboxError, probe, scratch_folder
from rdo.common.paths import Paths
from rdo.distribution.load import Distribution
from tests.integration.repository_tools import paths_in
from tests.settings import installation_of

pytestmark = [pytest.mark.root, pytest.mark.mirror]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return paths_in(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="module")
def root(paths: Paths) -> Root:
    return Root(
        (ensure_base(Distribution.load(paths.distribution).platform("debian13"), installation_of(paths)),)
    )


@pytest.fixture
def sandbox(root: Root, paths: Paths) -> Sandbox:
    return root.sandbox(paths)


def test_build_user_has_no_privileges_and_no_network(sandbox: Sandbox) -> None:
    result = sandbox.run(["sh", "-c", "id -un; cat /proc/self/status; cat /proc/net/dev; hostname"])
    assert result.tail.startswith("mockbuild\n")
    assert "CapEff:\t0000000000000000" in result.tail
    assert "CapBnd:\t0000000000000000" in result.tail
    assert "NoNewPrivs:\t1" in result.tail
    assert "eth" not in result.tail
    assert "buildhost" in result.tail


def test_root_s_programs_may_be_anybody_s(root: Root, paths: Paths, tmp_path: Path) -> None:
    """A package that was built before may bring a `find`, which root runs: it must not reach the machine."""
    program = tmp_path / "layer/usr/bin/find"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        "mkdir -p /x\n"
        "mount -t devtmpfs none /x 2>/dev/null && echo mounted\n"
        "umount /proc/sys 2>/dev/null && echo unmounted\n"
        "mknod /x/disk b 8 0 2>/dev/null && echo made a device\n"
        "echo ran as $(id -u)\n"
    )
    program.chmod(0o755)
    layered = Sandbox([tmp_path / "layer", *(layer.path for layer in root.layers)], scratch_folder(paths))
    result = layered.run(["true"], before="find", after="find")
    assert result.tail.splitlines() == ["ran as 0", "ran as 0"]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("etc/passwd", "{outside}/file"),
        ("etc/group", "{outside}/absent"),
        ("etc", "{outside}"),
        # bwrap sees the machine there while it makes its mount points
        ("run", "/oldroot{outside}"),
        ("run", "../../../../../..{outside}"),
        ("proc", "/oldroot{outside}/absent"),
        ("dev", "/oldroot{outside}/absent"),
        ("builddir", "{outside}"),
        ("tmp", "{outside}"),
    ],
)
def test_links_of_a_layer_lead_nowhere_outside(
    root: Root, paths: Paths, tmp_path: Path, place: str, target: str
) -> None:
    """What sets a sandbox up is the machine's root; a package may have brought any link."""
    outside, layer = tmp_path / "outside", tmp_path / "layer"
    outside.mkdir()
    (outside / "file").write_text("as it was\n")
    before = outside.stat()
    link = layer / place
    link.parent.mkdir(parents=True)
    link.symlink_to(target.format(outside=outside))
    bound = tmp_path / "bound"
    bound.mkdir()
    (bound / "file").write_text("bound\n")
    layered = Sandbox([layer, *(one.path for one in root.layers)], scratch_folder(paths))
    binds = [Bind(bound, "/run/rdo/in"), Bind(bound / "file", "/run/rdo-file")]
    # Some of these roots are of no use: then it says so.
    with contextlib.suppress(SandboxError):
        layered.run(["cat", "/run/rdo-file", "/run/rdo/in/file"], binds=binds)
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "as it was\n"
    after = outside.stat()
    assert (before.st_mode, before.st_uid) == (after.st_mode, after.st_uid)


def test_a_bound_file_is_not_made_through_a_link(root: Root, paths: Paths, tmp_path: Path) -> None:
    layer, outside = tmp_path / "layer", tmp_path / "outside"
    (layer / "run").mkdir(parents=True)
    (layer / "run/source").symlink_to(f"/oldroot{outside}")
    (tmp_path / "source").write_text("bound\n")
    layered = Sandbox([layer, *(one.path for one in root.layers)], scratch_folder(paths))
    result = layered.run(["cat", "/run/source"], binds=[Bind(tmp_path / "source", "/run/source")])
    assert (result.tail, outside.exists()) == ("bound\n", False)


def test_loopback_works_and_nothing_else(sandbox: Sandbox) -> None:
    script = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(s.getsockname())\n"
        "try: socket.create_connection(('192.0.2.1', 80), 5)\n"
        "except OSError as error: print('sealed', error.errno)"
    )
    result = sandbox.run(["python3", "-c", script])
    assert result.tail.strip() == "sealed 101"


def test_host_is_invisible(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    result = sandbox.run(
        ["sh", "-c", f"ls -A {secret} {Path.cwd()}; env; ls /proc | grep -c '^[0-9]'"], user="root"
    )
    assert "No such file" in result.tail
    assert result.tail.count("No such file") == 2
    assert "RDO" not in result.tail
    assert int(result.tail.split()[-1]) < 10


def test_environment_is_the_same_everywhere(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "yes")
    result = sandbox.run(["env"], env={"MORE": "1"})
    assert "LEAK" not in result.tail
    assert {"LANG=C.UTF-8", "TZ=UTC", "HOME=/builddir", "MORE=1"} <= set(result.tail.split())


def test_layers_hide_each_other_in_order_and_are_never_written(
    root: Root, paths: Paths, tmp_path: Path
) -> None:
    for name in ("upper", "lower"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc" / "which").write_text(name)
    layers = [tmp_path / "upper", tmp_path / "lower", root.layers[-1].path]
    sandbox = Sandbox(layers, scratch_folder(paths))
    script = "cat /etc/which; echo changed >/etc/which; rm -rf /usr/share; cat /etc/which"
    assert sandbox.run(["sh", "-c", script], user="root").tail == "upperchanged\n"
    assert (tmp_path / "upper" / "etc" / "which").read_text() == "upper"
    assert sandbox.run(["sh", "-c", "cat /etc/which; ls -d /usr/share"]).tail == "upper/usr/share\n"


def test_hundreds_of_layers(root: Root, paths: Paths, tmp_path: Path) -> None:
    layers = []
    for number in range(400):
        (tmp_path / str(number) / "many").mkdir(parents=True)
        (tmp_path / str(number) / "many" / str(number)).write_text("")
        layers.append(tmp_path / str(number))
    sandbox = Sandbox([*layers, root.layers[-1].path], scratch_folder(paths))
    assert sandbox.run(["sh", "-c", "ls /many | wc -l"]).tail.strip() == "400"
    with pytest.raises(SandboxError, match="not 500"):
        Sandbox([tmp_path] * 500, scratch_folder(paths))


def test_read_only_and_writable_binds(sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("ro", "rw"):
        (tmp_path / name).mkdir()
    binds = [Bind(tmp_path / "ro", "/run/ro"), Bind(tmp_path / "rw", "/run/rw", writable=True)]
    script = "touch /run/rw/x; touch /run/ro/x"
    result = sandbox.run(["sh", "-c", script], user="root", binds=binds)
    assert "Read-only" in result.tail
    assert (tmp_path / "rw" / "x").exists()
    denied = sandbox.run(["sh", "-c", "touch /run/rw/y"], binds=binds)
    assert "Permission denied" in denied.tail, "the build user can't write where root collects results"


def test_time_limit_kills_everything(sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = sandbox.run(["sh", "-c", "setsid sleep 1234.5 & sleep 1234.5"], limits=Limits(timeout=1))
    assert result.timed_out
    assert not result.ok
    assert time.monotonic() - began < 5
    assert not processes("1234.5")


def test_what_stays_in_the_background_ends_with_the_command(sandbox: Sandbox) -> None:
    assert sandbox.run(["sh", "-c", "setsid sleep 1234.6 >/dev/null 2>&1 & exit 3"]).status == 3
    assert not processes("1234.6")


def test_flood_of_output_is_cut_off(sandbox: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = sandbox.run(["yes"], limits=Limits(log=1 << 20), log=log)
    assert result.flooded
    assert result.limit == "It wrote more than 1 MiB of log and was killed."
    assert log.stat().st_size < 2 << 20
    assert log.read_text().endswith(f"\nsandbox: {result.limit}\n")


SMALL = Limits(memory=128 << 20, processes=40, timeout=30)
BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
HOG = "x = []\nwhile True: x.append(bytearray(b'x' * (1 << 22)))"
ASLEEP = (
    "import os, time\nwhile True:\n    try: os.fork() or time.sleep(60)\n    except OSError: time.sleep(1)"
)


@pytest.fixture(params=["here", "watcher"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have limits enforced in this machine's way, and in that of a machine without control groups."""
    if request.param == "watcher":
        monkeypatch.setattr(enforcement, "kind", lambda: "watcher")
    return str(request.param)


@pytest.mark.parametrize(
    ("program", "limit"),
    [
        (BOMB, "It reached its limit of 40 processes and was killed."),
        (ASLEEP, "It reached its limit of 40 processes and was killed."),
        (HOG, "It reached its limit of 128 MiB of memory, its files included, and was killed."),
        (f"import os\nos.fork()\nos.setsid()\n{HOG}", "It reached its limit of 128 MiB of memory"),
    ],
    ids=["forks without end", "forks that sleep", "memory", "memory of a daemon"],
)
@pytest.mark.parametrize("user", ["build", "root"])
def test_machine_is_protected(
    sandbox: Sandbox, way: str, program: str, limit: str, user: Literal["build", "root"]
) -> None:
    began = time.monotonic()
    result = sandbox.run(["python3", "-c", program], user=user, limits=SMALL)
    assert result.limit is not None and result.limit.startswith(limit)
    assert result.tail.endswith(f"sandbox: {result.limit}\n")
    assert not result.ok and not result.timed_out
    assert time.monotonic() - began < 15
    assert not groups_of(sandbox.scratch)
    assert sandbox.run(["true"], limits=SMALL).ok


def test_neighbours_go_on(sandbox: Sandbox, way: str) -> None:
    """The machine's own count of processes ended for want of memory says nothing of a neighbour's build."""
    with ThreadPoolExecutor() as pool:
        neighbour = pool.submit(sandbox.run, ["sh", "-c", "sleep 3; exit 7"])
        for program in (HOG, BOMB):
            assert sandbox.run(["python3", "-c", program], limits=SMALL).limit is not None
        assert neighbour.result().status == 7


def test_files_in_memory_count(sandbox: Sandbox, way: str) -> None:
    hold = "x = bytearray(80 << 20); import time; time.sleep(20)"
    script = f"head -c 90M /dev/zero >/tmp/x; python3 -c '{hold}'"
    result = sandbox.run(["sh", "-c", script], limits=SMALL)
    assert result.limit is not None and "of memory, its files included" in result.limit


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_disk_limit_ends_the_build_that_goes_on_all_the_same(sandbox: Sandbox, place: str) -> None:
    began = time.monotonic()
    result = sandbox.run(
        ["sh", "-c", f"head -c 50M /dev/zero >{place}/x; sleep 60"], limits=Limits(space=20 << 20)
    )
    assert result.limit == "It filled its space of 20 MiB (No space left on device) and was killed."
    assert "No space left on device" in result.tail
    assert time.monotonic() - began < 15
    assert sandbox.run(["true"]).ok


def test_inodes_are_limited(sandbox: Sandbox) -> None:
    script = "cd /tmp; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); (: >$i) 2>/dev/null; done; sleep 60"
    result = sandbox.run(["sh", "-c", script], limits=Limits(inodes=2000, timeout=50))
    assert result.limit == "It filled its space of 2000 files (No space left on device) and was killed."


def test_what_is_written_to_the_machine_s_disk_is_limited(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "was there").write_bytes(b"x" * (30 << 20))
    binds = [Bind(tmp_path, "/out", writable=True)]
    few = Limits(disk=20 << 20, timeout=50)
    assert sandbox.run(["sh", "-c", "head -c 10M /dev/zero >/out/y"], user="root", binds=binds, limits=few).ok
    script = "head -c 30M /dev/zero >/out/x; sleep 60"
    result = sandbox.run(["sh", "-c", script], user="root", binds=binds, limits=few)
    assert result.limit == "It wrote more than 20 MiB to the disk and was killed."


def test_holes_in_results_count(sandbox: Sandbox, tmp_path: Path) -> None:
    result = sandbox.run(
        ["true"],
        binds=[Bind(tmp_path, "/out", writable=True)],
        after="truncate --size=30M /out/x",
        limits=Limits(disk=20 << 20),
    )
    assert result.limit == "It wrote more than 20 MiB to the disk and was killed."


def test_groups_that_vanish_while_they_are_looked_for(sandbox: Sandbox) -> None:
    """Other builds begin and end on the machine while what killed ones left is removed."""
    ends = time.monotonic() + 2

    def come_and_go() -> None:
        while time.monotonic() < ends:
            enforcement.enforcer(Limits(), sandbox.scratch).close()

    with ThreadPoolExecutor(3) as pool:
        going = [pool.submit(come_and_go) for _ in range(3)]
        while time.monotonic() < ends:
            list(leftover_groups(sandbox.scratch))
        for one in going:
            one.result()


def test_large_input_is_written_while_output_is_read(sandbox: Sandbox) -> None:
    """All input was written before any output was read: more than a pipe holds of each, and both waited."""
    result = sandbox.run(["cat"], input=b"x" * (1 << 20) + b"end", limits=Limits(timeout=20))
    assert result.ok and result.tail.endswith("xend")


def test_time_limit_covers_input_that_nobody_reads(sandbox: Sandbox) -> None:
    result = sandbox.run(["sleep", "60"], input=b"x" * (1 << 20), limits=Limits(timeout=1))
    assert result.timed_out


def test_input_may_be_left_unread(sandbox: Sandbox) -> None:
    assert sandbox.run(["true"], input=b"x" * (1 << 20), limits=Limits(timeout=20)).ok


def test_status_and_log(sandbox: Sandbox, tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    result = sandbox.run(["sh", "-c", "echo out; echo err >&2; kill -TERM $$"], log=log)
    assert result.status == 128 + signal.SIGTERM
    assert log.read_text() == result.tail
    assert result.tail.startswith("out\nerr\n")


def test_set_up_that_fails_is_no_failed_command(paths: Paths, root: Root, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="can't be set up"):
        Sandbox([tmp_path / "absent", root.layers[-1].path], scratch_folder(paths)).run(["true"])
    with pytest.raises(SandboxError, match="bwrap"):
        root.sandbox(paths).run(["true"], binds=[Bind(tmp_path / "absent", "/x")])
    assert root.sandbox(paths).run(["sh", "-c", "exit 125"]).status == 125


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("sandbox: set-up failed", 125),
        ("sandbox: results were lost", 125),
        ("bwrap: no", 1),
        ("prepared", 125),
        ("status 0", 3),
        ("sandbox: It reached its limit of 1 processes and was killed.", 137),
    ],
)
@pytest.mark.parametrize("user", ["build", "root"])
def test_verdict_is_not_the_command_s_to_give(
    sandbox: Sandbox, words: str, status: int, user: Literal["build", "root"]
) -> None:
    """What a command writes, to any place that it has, doesn't make it a failure of the machine."""
    script = f"for out in /proc/*/fd/*; do [ -p $out ] && echo '{words}' >$out; done; echo '{words}'"
    result = sandbox.run(
        ["bash", "-c", f"{script}; exit {status}"], user=user, after="true", limits=Limits(timeout=20)
    )
    assert (result.status, result.limit, result.ok) == (status, None, False)
    assert words in result.tail


def test_nothing_of_the_command_is_alive_when_results_are_collected(sandbox: Sandbox) -> None:
    result = sandbox.run(
        ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo 1 >/builddir/x; exit 4"],
        after="cat /builddir/x; grep -lx sleep /proc/[0-9]*/comm; echo status $status",
    )
    assert result.tail == "1\nstatus 4\n"
    assert result.status == 4


def test_collection_that_fails_is_the_machine_s_failure(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match=r"can't be copied out(.|\n)*no such luck"):
        sandbox.run(["true"], after="echo no such luck; false")
    with pytest.raises(SandboxError, match=r"can't be set up(.|\n)*no such luck"):
        sandbox.run(["true"], before="echo no such luck; false")


def test_mount_point_that_root_inside_makes_a_link(root: Root, paths: Paths, tmp_path: Path) -> None:
    """The next sandbox over the same files would follow it as the machine's root."""
    program = tmp_path / "layer/usr/bin/find"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nmv /data /was; ln -s {tmp_path}/outside /data\n")
    program.chmod(0o755)
    (tmp_path / "outside").mkdir()
    (tmp_path / "bound").mkdir()
    layered = Sandbox([tmp_path / "layer", *(layer.path for layer in root.layers)], scratch_folder(paths))
    binds = [Bind(tmp_path / "bound", "/data/deep/x"), Bind(tmp_path / "bound", "/run/y")]
    with pytest.raises(SandboxError, match=r"the mount point /data/deep/x/ was replaced by a link"):
        layered.run(["true"], before="find", binds=binds)
    assert not list((tmp_path / "outside").iterdir())


def test_probe_says_that_sandboxes_work_here(paths: Paths) -> None:
    assert probe(paths) is None


def test_kill_9_of_the_tool_leaves_nothing(root: Root, paths: Paths) -> None:
    script = (
        "import sys; from pathlib import Path; from rdo.building.sealed import Sandbox\n"
        "inside = ['sh', '-c', 'setsid sleep 1234.7 & sleep 1234.7']\n"
        "Sandbox([Path(sys.argv[1])], Path(sys.argv[2])).run(inside)"
    )
    command = [sys.executable, "-c", script, str(root.layers[-1].path), str(scratch_folder(paths))]
    with subprocess.Popen(command) as tool:
        wait_for(lambda: len(processes("1234.7")) >= 2)
        os.kill(tool.pid, signal.SIGKILL)
    wait_for(lambda: not processes("1234.7") and not processes(str(scratch_folder(paths)), program=""))
    # Others' mounts come and go: tests of hosts run at the same time.
    assert str(paths.cache) not in Path("/proc/self/mountinfo").read_text()
    left = [f"removed {folder}" for folder in scratch_folder(paths).iterdir()]
    groups = [f"removed the control group {group}" for group in groups_of(scratch_folder(paths))]
    assert len(left) == 1
    assert len(groups) == (3 if enforcement.kind() == "cgroup v1" else 0)
    assert sorted([*groups, *left]) == sorted(clean_up(paths))
    assert not list(scratch_folder(paths).iterdir())
    assert not groups_of(scratch_folder(paths))


def groups_of(scratch: Path) -> list[Path]:
    """Return the control groups that an installation has at the moment."""
    return [group for group, _ in leftover_groups(scratch)]


BUSY = "import os\nfor _ in range(80):\n    if not os.fork():\n        while True: pass\nos.wait()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_many_busy_processes(root: Root, paths: Paths, number: signal.Signals) -> None:
    """They made the machine so slow that it took a minute."""
    script = (
        "import sys; from pathlib import Path; from rdo.building.sealed import Sandbox\n"
        "Sandbox([Path(sys.argv[1])], Path(sys.argv[2])).run(['python3', '-c', sys.argv[3]])"
    )
    scratch = scratch_folder(paths)
    command = [sys.executable, "-c", script, str(root.layers[-1].path), str(scratch), BUSY]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tool:
        wait_for(lambda: len(processes("import os\nfor _ in range(80)", program="python3")) >= 80, 30)
        began = time.monotonic()
        tool.send_signal(number)
        assert tool.wait(20) != 0
    wait_for(lambda: not processes("import os\nfor _ in range(80)", program="python3"))
    assert time.monotonic() - began < 10
    clean_up(paths)
    assert not groups_of(scratch)


def processes(word: str, program: str = "sleep") -> list[int]:
    """Return the processes of a program one of whose arguments begins with a word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found_word = any(argument.startswith(word.encode()) for argument in arguments[1:])
            if arguments[0].endswith(program.encode()) and found_word:
                found.append(int(entry.name))
    return found


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
