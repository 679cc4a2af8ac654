"""Images that operators name for verifying a cloud."""

from __future__ import annotations

import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdo.cloud.guests import Guest, given_guest
from rdo.common.errors import InputError, RdoError
from rdo.common.files import sha256_bytes
from rdo.common.paths import Paths
from rdo.common.progress import SilentProgress
from rdo.upstream.source_cache import HashMismatchError

QCOW2 = b"QFI\xfb" + struct.pack(">IQIIQ", 3, 0, 0, 16, 3 * 2**29) + bytes(600)
RAW = bytes(510) + b"\x55\xaa" + bytes(512)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "cache", tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "small.qcow2").write_bytes(QCOW2)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def given(place: object, paths: Paths, sha256: str | None = None, login: str = "cirros") -> Guest:
    return given_guest(str(place), paths, SilentProgress(), sha256=sha256, login=login, ram=512)


def test_a_file_says_its_format_and_how_large_its_disk_is(tmp_path: Path, paths: Paths) -> None:
    file = tmp_path / "image"
    file.write_bytes(QCOW2)
    guest = given(file, paths)
    assert (guest.file, guest.format, guest.disk, guest.ram) == (file, "qcow2", 2, 512)
    assert (guest.login, guest.own) == ("cirros", False)
    file.write_bytes(RAW)
    assert (given(file, paths).format, given(file, paths).disk) == ("raw", 1)


def test_what_is_no_image_is_refused(tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(InputError, match="no such file"):
        given(tmp_path / "absent", paths)
    page = tmp_path / "page.html"
    page.write_text("<html>Not found</html>")
    with pytest.raises(InputError, match="neither a qcow2 image nor a raw one"):
        given(page, paths)
    page.write_bytes(RAW)
    with pytest.raises(InputError, match="not what --image-sha256 says"):
        given(page, paths, "0" * 64)
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        given(page, paths, "abc")
    with pytest.raises(InputError, match="no name of an account"):
        given(page, paths, login="-oProxyCommand=x")


def test_an_address_needs_the_hash_of_what_it_gives(site: str, paths: Paths) -> None:
    place, wanted = f"{site}/small.qcow2", sha256_bytes(QCOW2)
    with pytest.raises(InputError, match="--image-sha256 is missing"):
        given(place, paths)
    with pytest.raises(HashMismatchError):
        given(place, paths, "0" * 64)
    assert given(place, paths, wanted).file.read_bytes() == QCOW2
    # what was downloaded is not asked for again
    assert given("http://127.0.0.1:9/small.qcow2", paths, wanted).disk == 2


def test_an_address_that_can_not_be_had_is_named(site: str, paths: Paths) -> None:
    with pytest.raises(RdoError, match=r"absent\.qcow2 can't be had"):
        given(f"{site}/absent.qcow2", paths, "0" * 64)
