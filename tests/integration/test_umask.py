"""Real commands under odd umasks: the umask doesn't decide the modes of what they make."""

from __future__ import annotations

import contextlib
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.installation import CHECKOUT, Installation, command

pytestmark = [pytest.mark.root, pytest.mark.index, pytest.mark.mirror]

CLOUD = """\
name: umask
services: [keystone]
repository: {address}
hosts:
- {{name: controller, address: 127.0.0.9, roles: [controller]}}
"""

_KEEP = """
import sys
from ipaddress import ip_address
from pathlib import Path
from rdo.cloud.credentials import Credentials
from rdo.cloud.pki import Authority

folder = Path(sys.argv[1])
credentials, authority = Credentials(folder / "passwords.json"), Authority(folder / "pki")
credentials["admin"]
authority.host("controller", ip_address("127.0.0.9"))
credentials.keep()
authority.keep()
"""


def run(installation: Installation, umask: int, *arguments: str) -> str:
    done = subprocess.run(
        command(*arguments),
        env=installation.environment,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=umask,
        timeout=600,
        check=False,
    )
    return done.stdout


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def entries(top: Path) -> Iterator[tuple[Path, int]]:
    """Yield all that lies below a folder with its mode; what is in unpacked packages is theirs."""
    for path in top.rglob("*"):
        found = path.lstat().st_mode
        inside = path.relative_to(top).parts
        if not stat.S_ISLNK(found) and not ("layers" in inside and "root" in inside[:-1]):
            yield path, found


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_public_is_readable_and_secret_is_private(tmp_path: Path, umask: int) -> None:
    home = Installation.at(tmp_path / "home")
    # Separate layers: the packages of the build's root are unpacked under this umask, and read by a build.
    (home.home / "cache/layers").unlink()
    said = run(home, umask, "build", "oslo.i18n", "--jobs", "2", "--release", "2026.1")
    assert "2 built" in said, said
    said = run(home, umask, "repo", "check", "--release", "2026.1")
    assert "no findings" in said.lower() or "findings" not in said.lower(), said
    file = tmp_path / "cloud.yaml"
    with served(home.state / "repositories") as address:
        file.write_text(CLOUD.format(address=address))
        said = run(home, umask, "cloud", "plan", str(file), "--release", "2026.1")
    # a plan keeps no passwords; who applies it does
    assert not (home.state / "clouds/umask/passwords.json").exists(), said
    keep = [sys.executable, "-c", _KEEP, str(home.state / "clouds/umask")]
    subprocess.run(keep, check=True, umask=umask, timeout=60)
    modes = dict(entries(home.home))
    open_to_all = [path for path, mode in modes.items() if mode & 0o022 and not mode & stat.S_ISVTX]
    assert not open_to_all
    named = ("passwords.json", "rdo-signing.asc")
    keys = [path for path in modes if path.suffix == ".key" and "pki" in path.parts]
    secret = [*keys, *(path for path in modes if path.name in named)]
    assert len(secret) >= 4, secret
    for path in secret:
        assert modes[path] & 0o777 == 0o600, path
        assert modes[path.parent] & 0o777 == 0o700, path.parent
    assert modes[home.state / "clouds/umask"] & 0o777 == 0o700
    private = (home.state / "keys", home.state / "clouds", home.home / "cache/layers")
    for path, mode in modes.items():
        if any(path.is_relative_to(folder) for folder in private):
            continue
        wanted = 0o755 if path.is_dir() else 0o444
        assert mode & wanted == wanted, f"{path} {mode:o}"
    assert modes[home.home / "cache/layers"] & 0o777 == 0o700
