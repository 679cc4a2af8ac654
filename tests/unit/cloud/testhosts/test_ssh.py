from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path

import paramiko

from rdo.cloud.testhosts import proxy
from rdo.cloud.testhosts.records import HostDescription, TestHost
from rdo.cloud.testhosts.ssh import config_text, ensure_key, known_hosts_text, ssh_command
from rdo.common.paths import Paths


def host(name: str, address: str) -> HostDescription:
    return HostDescription(name, address, "debian13", "", (), "/disk", f"rdo-0-{name}", "/cgroup")


HOSTS = [host("web", "192.0.2.10"), host("database", "192.0.2.11")]


def test_config_says_how_paramiko_reaches_a_host() -> None:
    text = config_text(HOSTS, Path("/state/ssh"), Path("/run/netns/rdo-0"), "/usr/bin/python3")
    config = paramiko.SSHConfig()
    config.parse(io.StringIO(text))
    found = config.lookup("web")
    assert found["hostname"] == "192.0.2.10"
    assert found["user"] == "root"
    assert "/state/ssh/id_ed25519" in found["identityfile"]
    assert found["userknownhostsfile"] == "/state/ssh/known_hosts"
    assert found["stricthostkeychecking"] == "yes"
    assert found["proxycommand"] == (
        f"/usr/bin/python3 -S -E {proxy.__file__} /run/netns/rdo-0 192.0.2.10 22"
    )


def test_config_says_nothing_about_others() -> None:
    config = paramiko.SSHConfig()
    config.parse(io.StringIO(config_text(HOSTS, Path("/s"), Path("/n"), "python3")))
    assert config.lookup("example.org") == {"hostname": "example.org"}


def test_known_hosts_pin_name_and_address() -> None:
    text = known_hosts_text(
        [(HOSTS[0], "ssh-ed25519 AAAA root@web\n"), (HOSTS[1], "ssh-ed25519 BBBB root@x")]
    )
    assert text.splitlines() == [
        "database,192.0.2.11 ssh-ed25519 BBBB",
        "web,192.0.2.10 ssh-ed25519 AAAA",
    ]


def test_words_of_a_command_arrive_as_they_are() -> None:
    target = TestHost("web", "192.0.2.10", "debian13", "running", 1, "", Path("/config"))
    assert ssh_command(target, ["sh", "-c", "echo 'a  b'"]) == [
        "ssh",
        "-F",
        "/config",
        "web",
        "--",
        "sh -c 'echo '\"'\"'a  b'\"'\"''",
    ]
    assert ssh_command(target, terminal=True) == ["ssh", "-F", "/config", "-t", "web"]


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    paths = Paths(state=tmp_path, cache=tmp_path, distribution=tmp_path)
    key = ensure_key(paths)
    assert key.startswith("ssh-ed25519 ")
    assert ensure_key(paths) == key
    private = tmp_path / "hosts/ssh/id_ed25519"
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.parent.stat().st_mode & 0o777 == 0o700


def test_relay_copies_both_ways_and_ends_with_the_peer() -> None:
    ours, theirs = socket.socketpair()
    source_read, source_write = os.pipe()
    sink_read, sink_write = os.pipe()
    relaying = threading.Thread(target=proxy.relay, args=(ours, source_read, sink_write))
    relaying.start()
    os.write(source_write, b"question")
    assert theirs.recv(100) == b"question"
    theirs.sendall(b"answer")
    assert os.read(sink_read, 100) == b"answer"
    os.close(source_write)
    assert theirs.recv(100) == b""
    theirs.sendall(b"last words")
    theirs.close()
    relaying.join(5)
    assert not relaying.is_alive()
    assert os.read(sink_read, 100) == b"last words"
    for descriptor in (source_read, sink_read, sink_write):
        os.close(descriptor)
    ours.close()
