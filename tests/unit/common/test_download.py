"""Downloads end, whatever the server does."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from rdo.common.download import download
from rdo.common.errors import RdoError

OK = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def server(answers: Callable[[], Iterator[bytes]]) -> Iterator[str]:
    """Serve what ``answers`` yields, whatever is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not over.is_set():
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        for part in answers():
                            if over.is_set():
                                break
                            connection.sendall(part)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/it"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                socket.create_connection(listening.getsockname(), 1).close()
            thread.join(10)


def had(url: str, *, limit: float = 20, longest: int = 1 << 20) -> tuple[bytes, list[int | None]]:
    content, sizes = bytearray(), list[int | None]()
    download(url, content.extend, limit=limit, longest=longest, begin=sizes.append)
    return bytes(content), sizes


def dribbled(*head: bytes) -> Iterator[bytes]:
    yield from head
    for _ in itertools.repeat(None):
        time.sleep(0.05)
        yield b"x"


def test_what_is_there_is_had_whole() -> None:
    with server(lambda: iter([OK, b"Content-Length: 9\r\n\r\n", b"one", b" and two"])) as url:
        assert had(url) == (b"one and t", [9])
    with server(lambda: iter([OK, b"\r\n", b"one", b" and two"])) as url:
        assert had(url) == (b"one and two", [None])


@pytest.mark.parametrize("head", [(OK, b"\r\n"), (OK, b"Content-Length: 90000\r\n\r\n"), (OK, b"X-A: "), ()])
def test_a_server_that_dribbles_is_left(head: tuple[bytes, ...]) -> None:
    """Each byte came within the limit of one wait, so that the whole had none."""
    began = time.monotonic()
    with server(lambda: dribbled(*head)) as url, pytest.raises(RdoError, match="not here after 1 s"):
        had(url, limit=1)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("head", [b"\r\n", b"Content-Length: 3000000\r\n\r\n"])
def test_what_is_too_large_is_not_taken(head: bytes) -> None:
    taken = bytearray()
    with (
        server(lambda: itertools.chain([OK, head], itertools.repeat(bytes(60000)))) as url,
        pytest.raises(RdoError, match="more than 1 MiB"),
    ):
        download(url, taken.extend, limit=20, longest=1 << 20)
    assert len(taken) <= 1 << 20


def test_what_is_not_there_is_the_library_s_error() -> None:
    with (
        server(lambda: iter([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])) as url,
        pytest.raises(httpx.HTTPStatusError),
    ):
        had(url)
    with pytest.raises(httpx.ConnectError):
        had(url, limit=20)
