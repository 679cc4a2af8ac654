from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from rdo.common.errors import InputError, RdoError
from rdo.repository.serve import Server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repositories"
    snapshot = root / "p-2026.1" / "snapshots" / "aa"
    snapshot.mkdir(parents=True)
    (root / "p-2026.1" / "snapshots" / "bb").mkdir()
    (snapshot / "file.rpm").write_bytes(bytes(range(100)))
    (root / "p-2026.1" / "current").symlink_to("snapshots/aa")
    (root / "p-2026.1" / "mirrorlist").write_text("file:///elsewhere\n")
    (root / "p-2026.1" / ".lock").write_text("")
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path)
    (root / "hidden").symlink_to("p-2026.1/.lock")
    return root


@pytest.fixture
def connection(root: Path) -> Iterator[http.client.HTTPConnection]:
    with Server(root, quiet=True) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
        yield client
        client.close()
        server.shutdown()
        thread.join()


def _get(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, Message]:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_files_through_the_link_on_one_connection(connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        status, body, headers = _get(connection, "/p-2026.1/current/file.rpm")
        assert (status, body) == (200, bytes(range(100)))
        assert headers["Content-Length"] == "100"
        assert headers["Last-Modified"].endswith("GMT")
        assert connection.sock is not None
    assert _get(connection, "/p-2026.1/current/file.rpm", "HEAD")[:2] == (200, b"")
    assert _get(connection, "/p-2026.1/")[1] == b"current/\nmirrorlist\nsnapshots/\n"


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=90-", 206, 90, 99),
        ("bytes=-5", 206, 95, 99),
        ("bytes=50-500", 206, 50, 99),
        ("bytes=0-", 200, 0, 99),
        ("bytes=1-2,5-6", 200, 0, 99),
        ("lines=1-2", 200, 0, 99),
        ("bytes=-", 200, 0, 99),
    ],
)
def test_ranges(
    connection: http.client.HTTPConnection, asked: str, status: int, first: int, last: int
) -> None:
    answer, body, headers = _get(connection, "/p-2026.1/current/file.rpm", Range=asked)
    assert (answer, body) == (status, bytes(range(first, last + 1)))
    if status == 206:
        assert headers["Content-Range"] == f"bytes {first}-{last}/100"


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=9-5", "bytes=-0"])
def test_impossible_ranges(connection: http.client.HTTPConnection, asked: str) -> None:
    status, body, headers = _get(connection, "/p-2026.1/current/file.rpm", Range=asked)
    assert (status, body, headers["Content-Range"]) == (416, b"", "bytes */100")
    assert _get(connection, "/p-2026.1/current/file.rpm")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/absent",
        "/../secret",
        "/%2e%2e/secret",
        "/p-2026.1/../../secret",
        "/out/secret",
        "/out/",
        "/hidden",
        "/p-2026.1/.lock",
        "/p-2026.1/%00",
        "/p-2026.1/%ff",
        "/" + "x" * 5000,
    ],
)
def test_what_nobody_may_have_is_not_there(connection: http.client.HTTPConnection, path: str) -> None:
    status, body, _ = _get(connection, path)
    assert status == 404
    assert b"secret" not in body.replace(path.encode(), b"")
    assert _get(connection, "/p-2026.1/current/file.rpm")[0] == 200


def test_a_mirrorlist_names_the_address_that_the_client_used(connection: http.client.HTTPConnection) -> None:
    _, body, headers = _get(connection, "/p-2026.1/mirrorlist", Host="192.0.2.1:8080")
    base = "http://192.0.2.1:8080/p-2026.1/snapshots"
    assert body.decode() == f"{base}/aa/\n{base}/bb/\n"
    assert headers["Cache-Control"] == "no-store"
    _, body, _ = _get(connection, "/p-2026.1/mirrorlist", Host="bad host\t<>")
    assert body.decode().startswith("http://127.0.0.1:")


def test_other_methods_are_refused(connection: http.client.HTTPConnection) -> None:
    assert _get(connection, "/p-2026.1/current/file.rpm", "DELETE")[0] == 501


def test_places_where_nothing_can_listen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no address"):
        Server(tmp_path, "localhost")
    with (
        Server(tmp_path) as other,
        pytest.raises(RdoError, match=r"Nothing can listen at 127\.0\.0\.1 port .* in use"),
    ):
        Server(tmp_path, port=other.server_address[1])


def test_as_a_program(root: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "rdo.repository.serve", str(root), "--port", "0", "--quiet"]
    process = subprocess.Popen([*command, "--bind", "127.0.0.1", "--ready-file", str(ready)])
    try:
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        host, _, port = ready.read_text().strip().removeprefix("http://").partition(":")
        client = http.client.HTTPConnection(host, int(port), timeout=10)
        assert _get(client, "/p-2026.1/current/file.rpm")[0] == 200
        client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not ready.exists()
