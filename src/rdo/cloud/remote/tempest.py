"""Run tempest against the cloud that this controller is of; the cloud is left as it was found.

The job is JSON on descriptor 9: ``cloud`` (the administrator's, in clouds.yaml), ``folder`` (made here for
all that the run has; it goes at the end), ``workspace`` (tempest's own below it), ``prefix`` (what names of
tempest's begin with), ``options`` (of tempest.conf), ``image`` (a file here, None where there is no Nova),
``external`` (network of floating IPs), ``regex`` (tests to run, None for the smoke set), ``concurrency``.

One JSON line is printed for each thing that happens, with ``event``: ``step``, ``count``, ``test``, ``left``,
``end``. Descriptor 8 is the leash: a line on it ends tempest early, its end (also where the other side is
gone) says that the folder is not needed any more.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack

from rdo.cloud.remote.verify import remove, upload

_LIMIT = 3600.0
"""Seconds for a command of tempest's that runs no tests, and for a run's end after its last result."""
_WORDS = 20_000
"""How many characters of a failed test's words are told."""


class StoppedError(Exception):
    """The other side wants no more."""


def emit(event: str, **values: Any) -> None:
    """Tell the other side; it may be gone, which does not matter here."""
    with contextlib.suppress(OSError):
        print(json.dumps({"event": event, **values}), flush=True)


class Leash(threading.Thread):
    """Listens to the other side, and ends what runs when that says so."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.over = threading.Event()
        self.running: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Wait for a line, then for the end."""
        with os.fdopen(8) as lines:
            for _ in lines:
                self.stop()
        self.stop()
        self.over.set()

    def stop(self) -> None:
        """End what runs, at first by the signal that a terminal sends."""
        self.stopped.set()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            child = self.running
            if child is None or child.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            for _ in range(100):
                if child.poll() is not None:
                    return
                time.sleep(0.1)


class Tee:
    """A stream whose bytes are kept in a file as they are read."""

    def __init__(self, source: Any, kept: Any) -> None:
        self._source, self._kept = source, kept

    def read(self, size: int = -1) -> bytes:
        """Read, and keep."""
        found: bytes = self._source.read(size)
        self._kept.write(found)
        return found

    def fileno(self) -> int:
        """Return the source's descriptor."""
        number: int = self._source.fileno()
        return number


class Tempest:
    """One run."""

    def __init__(self, job: dict[str, Any], leash: Leash) -> None:
        self.job, self.leash = job, leash
        self.base = Path(job["folder"])
        self.folder = self.base / job["workspace"]
        self.prefix: str = job["prefix"]
        self.admin: Any = openstack.connect(cloud=job["cloud"])
        options = job["options"]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base),
            "TMPDIR": str(self.base),
            "LANG": "C.UTF-8",
            "TEMPEST_CONFIG_DIR": str(self.folder / "etc"),
            # what doesn't ask tempest.conf for it, such as the test of the dashboard
            "SSL_CERT_FILE": options["identity"]["ca_certificates_file"],
            "OS_TEST_TIMEOUT": "1200",
        }

    # steps

    def workspace(self) -> None:
        """Make the folder of the run, readable by root alone."""
        os.umask(0o077)
        self.base.mkdir(parents=True)
        self.tempest("init", "--workspace-path", str(self.base / "known.yaml"), cwd=self.base)

    def configuration(self) -> None:
        """Write tempest.conf: what was given, and what the cloud says of itself."""
        options: dict[str, dict[str, str]] = self.job["options"]
        for section, more in (
            *self.account(),
            *self.image(),
            *self.flavors(),
            *self.network(),
            *self.objects(),
        ):
            options.setdefault(section, {}).update(more)
        file = self.folder / "etc/tempest.conf"
        parser = configparser.RawConfigParser()
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(file)
        for section, values in options.items():
            if section != "DEFAULT" and not parser.has_section(section):
                parser.add_section(section)
            for name, value in values.items():
                parser.set(section, name, value)
        with file.open("w") as stream:
            parser.write(stream)

    def account(self) -> Any:
        """The administrator."""
        own = self.admin.config.get_auth_args()
        yield (
            "auth",
            {
                "admin_username": own["username"],
                # in quotes, which are taken off, so that blanks and quotes of its own stay
                "admin_password": '"{}"'.format(own["password"].replace("$", "$$")),
                "admin_project_name": own["project_name"],
                "admin_user_domain_name": own["user_domain_name"],
                "admin_project_domain_name": own["project_domain_name"],
                "admin_domain_name": own["user_domain_name"],
            },
        )

    def image(self) -> Any:
        """An image that everybody can use, and how images can be imported."""
        if self.job["options"]["service_available"]["glance"] != "true":
            return
        ways = self.admin.image.get_import_info().import_methods or {}
        yield "image-feature-enabled", {"import_image": str("glance-direct" in ways.get("value", ())).lower()}
        if self.job["image"] is None:
            return
        made = upload(self.admin, f"{self.prefix}-guest", self.job["image"], visibility="public")
        yield "compute", {"image_ref": made.id, "image_ref_alt": made.id}
        yield "scenario", {"img_file": self.job["image"]}

    def flavors(self) -> Any:
        """Two small flavors."""
        if self.job["image"] is None:
            return
        ids = [
            self.admin.compute.create_flavor(
                name=f"{self.prefix}-{memory}", vcpus=1, ram=memory, disk=1, is_public=True
            ).id
            for memory in (192, 256)
        ]
        yield "compute", {"flavor_ref": ids[0], "flavor_ref_alt": ids[1]}

    def network(self) -> Any:
        """The network outside, and what the network API can do."""
        if self.job["options"]["service_available"]["neutron"] != "true":
            return
        outside = self.admin.network.find_network(self.job["external"], ignore_missing=False)
        yield "network", {"public_network_id": outside.id}
        known = sorted(extension.alias for extension in self.admin.network.extensions())
        yield "network-feature-enabled", {"api_extensions": ",".join(known)}

    def objects(self) -> Any:
        """What the proxy of objects can do, as it says itself."""
        if self.job["options"]["service_available"]["swift"] != "true":
            return
        store = self.admin.object_store
        place = urlsplit(store.get_endpoint())
        known = store.get(f"{place.scheme}://{place.netloc}/info").json()
        yield "object-storage-feature-enabled", {"discoverable_apis": ",".join(sorted(known))}

    @property
    def selection(self) -> list[str]:
        """Which tests are run."""
        regex = self.job["regex"]
        return ["--smoke"] if regex is None else ["--regex", regex]

    def names(self) -> list[str]:
        """The tests that will run."""
        listed = self.tempest("run", "--list-tests", *self.selection)
        return re.findall(r"^tempest[\w.]+", listed, re.MULTILINE)

    def run(self) -> None:
        """Run the tests, and tell of each as it ends."""
        from subunit import ByteStreamToStreamResult
        from testtools import StreamToDict

        words = ["tempest", "run", "--subunit", *self.selection]
        with (
            (self.folder / "tempest.subunit").open("wb") as kept,
            (self.folder / "tempest.err").open("wb") as errors,
            self.started([*words, "--concurrency", str(self.job["concurrency"])], errors) as child,
        ):
            result = StreamToDict(told)
            result.startTestRun()
            ByteStreamToStreamResult(Tee(child.stdout, kept), non_subunit_name="stdout").run(result)
            if not self.leash.stopped.is_set():
                result.stopTestRun()

    @contextlib.contextmanager
    def started(self, words: list[str], errors: Any) -> Any:
        """Start a program that the leash may end."""
        child = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            start_new_session=True,
        )
        self.leash.running = child
        if self.leash.stopped.is_set():
            self.leash.stop()
        try:
            yield child
        finally:
            try:
                child.wait(_LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(60)
            self.leash.running = None

    def clear(self) -> None:
        """Remove what tempest made, by its names, and tell what is new in the cloud all the same."""
        left = remove(self.admin, self.prefix)
        with contextlib.suppress(subprocess.SubprocessError):
            self.tempest("cleanup", "--prefix", self.prefix)
        self.tempest("cleanup", "--dry-run")
        found = json.loads((self.folder / "dry_run.json").read_text())
        for kind, items in sorted(found.items()):
            rows = items if isinstance(items, list) else list(items.values())
            left += [f"{kind}: {_name(row)}" for row in rows if kind not in ("_projects_to_clean",)]
        emit("left", what=left)

    def tempest(self, *words: str, cwd: Path | None = None) -> str:
        """Run a command of tempest's and return what it printed.

        :raises CalledProcessError: it failed
        :raises TimeoutExpired: it has not ended within an hour
        """
        command = ["tempest", *words] + ([str(self.folder)] if words[0] == "init" else [])
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout + done.stderr)
        return done.stdout

    def step(self, title: str, action: Any) -> Any:
        """Tell of a step, and do it unless the other side wants no more."""
        if self.leash.stopped.is_set():
            raise StoppedError
        emit("step", title=title)
        return action()

    @contextlib.contextmanager
    def alone(self) -> Any:
        """Let nobody else's run remove what this one makes.

        :raises BlockingIOError: there is another one
        """
        with Path("/run/rdo-tempest.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def all(self) -> None:
        """Do the whole of it."""
        remove(self.admin, self.prefix)
        self.step("A workspace", self.workspace)
        try:
            self.step("Image, flavors, tempest.conf", self.configuration)
            self.step("What is there before", lambda: self.tempest("cleanup", "--init-saved-state"))
            names = self.step("List of tests", self.names)
            emit("count", names=names)
            if names:
                self.step("Tests", self.run)
        finally:
            emit("step", title="What they made is removed")
            self.clear()


def told(test: dict[str, Any]) -> None:
    """Tell of a test that has ended, and nothing of one that is only known to be there."""
    if test["status"] == "exists":
        return
    began, ended = test["timestamps"]
    details = test["details"]
    words = ""
    for name in ("reason", "traceback", *(n for n in details if n.startswith("traceback-"))):
        if name in details:
            words += details[name].as_text()
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    name = test["id"].partition("[")[0]
    emit("test", name=name, status=test["status"], seconds=round(seconds, 2), words=words[-_WORDS:].strip())


def _name(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)
    return str(row.get("name") or row.get("id") or row.get("floating_ip_address") or row)[:120]


def main() -> int:
    """Do the job."""
    with os.fdopen(9) as handed:
        job = json.load(handed)
    leash = Leash()
    leash.start()
    error = None
    run = Tempest(job, leash)
    try:
        with run.alone():
            run.all()
    except StoppedError:
        pass
    except BlockingIOError:
        error = "it runs here already."
    except subprocess.CalledProcessError as failed:
        error = f"{' '.join(failed.cmd[:3])}: exit {failed.returncode}\n{(failed.output or '')[-3000:]}"
    except Exception as failed:  # noqa: BLE001 - whatever it is, the other side is to hear of it
        error = f"{type(failed).__name__}: {failed}"[:3000]
    emit("end", error=error, stopped=leash.stopped.is_set())
    leash.over.wait()
    shutil.rmtree(run.base, ignore_errors=True)
    with contextlib.suppress(OSError):
        run.base.parent.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
