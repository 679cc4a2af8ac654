"""A repository server on the hosts' bridge: plain HTTP, from a process in the bridge's namespace."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rdo.cloud.testhosts.network import BRIDGE_ADDRESS, Network
from rdo.cloud.testhosts.processes import ProcessIdentity
from rdo.common.errors import RdoError
from rdo.common.files import locked, write_atomically
from rdo.common.paths import Paths

PORT = 8080


def serve_repository(paths: Paths, root: Path, *, timeout: float = 20.0) -> str:
    """Serve a folder to the hosts, in the background; return its URL, which ends without a slash.

    A server of the same folder that runs already is left alone, one of another folder is replaced. It
    outlives the caller and is stopped by :func:`stop_repository`, which destroying the last host calls.

    :param timeout: seconds until it must answer
    :raises RdoError: it doesn't start; its log's last lines are in the message
    """
    url = f"http://{BRIDGE_ADDRESS}:{PORT}"
    root = root.absolute()
    with locked(paths.hosts / ".serving.lock"):
        running = _running(paths)
        if running is not None and running[1] == str(root):
            return url
        _stop(paths)
        network = Network.of(paths)
        network.ensure_bridge()
        ready = paths.hosts / ".serving.ready"
        ready.unlink(missing_ok=True)
        log = paths.hosts / "serving.log"
        command = [sys.executable, "-m", "rdo.repository.serve", str(root), "--bind", BRIDGE_ADDRESS]
        command += ["--port", str(PORT), "--ready-file", str(ready)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", network.namespace, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        identity = ProcessIdentity.of(process.pid)
        if identity is not None:
            record = {"root": str(root), "process": dataclasses.asdict(identity)}
            write_atomically(_record(paths), json.dumps(record), durable=False)
        _wait(process, ready, log, timeout)
        return url


def stop_repository(paths: Paths) -> None:
    """Stop the server; nothing happens where none runs."""
    with locked(paths.hosts / ".serving.lock"):
        _stop(paths)


def _record(paths: Paths) -> Path:
    return paths.hosts / "serving.json"


def _running(paths: Paths) -> tuple[ProcessIdentity, str] | None:
    try:
        value = json.loads(_record(paths).read_text())
    except FileNotFoundError:
        return None
    process = ProcessIdentity.from_json(value["process"])
    return (process, value["root"]) if process.alive else None


def _stop(paths: Paths) -> None:
    running = _running(paths)
    if running is not None:
        process, _ = running
        process.send(signal.SIGTERM)
        if not process.wait(5):
            process.send(signal.SIGKILL)
            process.wait(5)
    _record(paths).unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes], ready: Path, log: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            raise RdoError(f"The repository server didn't start.\n{lines}", hint=f"Its log is {log}.")
        time.sleep(0.02)
