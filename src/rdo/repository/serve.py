"""Published repositories over HTTP: for test hosts, for trying out, for a small site.

Any static web server can serve the folder of repositories. This one adds that mirrorlists name the address by
which the client itself reached it. It serves files below one folder, whatever links say, and nothing whose
name begins with a dot.

Run by itself: ``python -m rdo.repository.serve ROOT --bind ADDRESS --port N --ready-file FILE``.
"""

from __future__ import annotations

import argparse
import http.server
import ipaddress
import os
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from rdo.common.errors import InputError, RdoError
from rdo.common.files import write_atomically
from rdo.repository.snapshots import mirrorlist

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_HOST = re.compile(r"[A-Za-z0-9.\-:\[\]]{1,255}")
_TYPES = {".rpm": "application/x-rpm", ".xml": "text/xml", ".gz": "application/gzip", ".asc": "text/plain"}


class Server(http.server.ThreadingHTTPServer):
    """Serves the files below ``root``, each connection in a thread of its own.

    :raises InputError: ``bind`` is no IP address
    :raises RdoError: the port is taken, or the address is not this machine's
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, bind: str = "127.0.0.1", port: int = 0, *, quiet: bool = False) -> None:
        self.root = root.resolve()
        self.quiet = quiet
        try:
            if ipaddress.ip_address(bind).version == 6:
                self.address_family = socket.AF_INET6
        except ValueError:
            raise InputError(f"{bind!r} is no address to listen on.", hint="For example: 127.0.0.1") from None
        try:
            super().__init__((bind, port), _Handler)
        except OSError as error:
            raise RdoError(f"Nothing can listen at {bind} port {port}: {error.strerror}.") from error

    @property
    def address(self) -> str:
        """The server's own address, without a slash at its end."""
        host, port = self.server_address[:2]
        name = str(host)
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that went away in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "rdo"
    sys_version = ""
    timeout = 60
    server: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: Any) -> None:
        if not self.server.quiet:
            super().log_message(format, *args)

    def _answer(self, *, body: bool) -> None:
        path = self._locate()
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif path.is_dir():
            self._listing(path, body=body)
        elif path.name == "mirrorlist" and (path.parent / "snapshots").is_dir():
            self._text(self._mirrorlist(path.parent), "text/plain", body=body)
        else:
            self._file(path, body=body)

    def _locate(self) -> Path | None:
        """Return the real path that is asked for, None where nobody may have it or it isn't there."""
        try:
            parts = unquote(urlsplit(self.path).path, errors="strict").split("/")
        except (UnicodeDecodeError, ValueError):
            return None
        if any(part.startswith(".") or "\0" in part for part in parts):
            return None
        try:
            path = self.server.root.joinpath(*filter(None, parts)).resolve(strict=True)
        except OSError:
            return None
        if not path.is_relative_to(self.server.root):
            return None
        inside = path.relative_to(self.server.root).parts
        if any(part.startswith(".") for part in inside) or not (path.is_dir() or path.is_file()):
            return None
        return path

    def _mirrorlist(self, repository: Path) -> str:
        host = self.headers.get("Host", "")
        address = f"http://{host}" if _HOST.fullmatch(host) else self.server.address
        name = repository.relative_to(self.server.root).as_posix()
        return mirrorlist(repository, address if name == "." else f"{address}/{name}")

    def _listing(self, folder: Path, *, body: bool) -> None:
        names = sorted(p.name + ("/" if p.is_dir() else "") for p in folder.iterdir() if p.name[0] != ".")
        self._text("".join(f"{name}\n" for name in names), "text/plain", body=body)

    def _text(self, text: str, kind: str, *, body: bool) -> None:
        data = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _file(self, path: Path, *, body: bool) -> None:
        try:
            stream = path.open("rb")
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with stream:
            status = os.fstat(stream.fileno())
            part = _part(self.headers.get("Range"), status.st_size)
            if part is None:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{status.st_size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            first, length = part
            partial = length != status.st_size
            self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
            if partial:
                self.send_header("Content-Range", f"bytes {first}-{first + length - 1}/{status.st_size}")
            self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(length))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Last-Modified", self.date_time_string(int(status.st_mtime)))
            self.end_headers()
            if body:
                stream.seek(first)
                self._send(stream, length)

    def _send(self, stream: IO[bytes], length: int) -> None:
        if stream.tell() == 0 and length == os.fstat(stream.fileno()).st_size:
            shutil.copyfileobj(stream, self.wfile, 1 << 16)
            return
        while length > 0 and (block := stream.read(min(length, 1 << 16))):
            self.wfile.write(block)
            length -= len(block)


def _part(header: str | None, size: int) -> tuple[int, int] | None:
    """Return first byte and length of what a Range header asks for; None where there is no such part.

    Headers of other forms ask for all, as RFC 9110 lets a server decide.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or not (match[1] or match[2]):
        return 0, size
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, length) if length else None
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if first >= size or last < first:
        return None
    return first, last - first + 1


def serve(root: Path, bind: str, port: int, *, ready_file: Path | None = None, quiet: bool = False) -> None:
    """Serve until SIGTERM or SIGINT comes.

    :param ready_file: gets the server's address as soon as it answers, and is removed at the end
    """
    with Server(root, bind, port, quiet=quiet) as server:

        def stop(_number: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown, daemon=True).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if ready_file is not None:
            write_atomically(ready_file, f"{server.address}\n")
        try:
            server.serve_forever(poll_interval=0.2)
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(prog="rdo.repository.serve", description="Serve published repositories.")
    parser.add_argument("root", type=Path, help="folder of repositories")
    parser.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 takes a free one")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written when the server answers")
    parser.add_argument("--quiet", action="store_true", help="don't log requests")
    given = parser.parse_args(arguments)
    if not given.root.is_dir():
        parser.error(f"{given.root} is no folder")
    serve(given.root, given.bind, given.port, ready_file=given.ready_file, quiet=given.quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
