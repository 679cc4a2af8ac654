"""Tiny sdists and an index of them, made on the spot."""

from __future__ import annotations

import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdo.common.files import sha256_file
from rdo.upstream.models import Source


def make_sdist(
    folder: Path, name: str, version: str, files: dict[str, str], *, zipped: bool = False
) -> Source:
    """Write an sdist whose members are ``files`` below its top folder."""
    base = f"{name}-{version}"
    path = folder / (f"{base}.zip" if zipped else f"{base}.tar.gz")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in files.items():
                archive.writestr(f"{base}/{member}", text)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for member, text in files.items():
                add(tar, f"{base}/{member}", text.encode())
    return source_of(path)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def source_of(path: Path) -> Source:
    return Source(filename=path.name, sha256=sha256_file(path), path=path)


def pkg_info(name: str, version: str, *lines: str, metadata_version: str = "2.2") -> str:
    head = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}", *lines]
    return "\n".join(head) + "\n\nThe description.\n"


class Server:
    """What the handler serves: path -> (status, body, headers); ``failures`` fail that many times first."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.failures: dict[str, int] = {}
        self.requests: list[str] = []
        self.address = ""

    def offer(self, dist: str, *sources: Source) -> None:
        links = [f'<a href="/files/{s.filename}#sha256={s.sha256}">{s.filename}</a>' for s in sources]
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        self.pages[f"/simple/{dist}/"] = (200, page.encode(), {"Content-Type": "text/html"})
        for source in sources:
            self.pages[f"/files/{source.filename}"] = (200, source.path.read_bytes(), {})


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            status, body, headers = server.pages.get(self.path, (404, b"", {}))
            if server.failures.get(self.path, 0) > 0:
                server.failures[self.path] -= 1
                status, body, headers = 503, b"later", {}
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
