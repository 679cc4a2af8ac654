"""Upstream's own tests of a cloud: tempest, from our package, run on the controller.

What a run found is kept in the cloud's folder, ``tempest/<time>``: ``results.json`` and ``junit.xml`` with
all tests, ``tempest.subunit`` as stestr writes it, ``tempest.log.gz``, ``tempest.conf`` without the password.
The cloud's secrets are masked in all of them.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from xml.etree import ElementTree

from rdo.cloud.deployment import TEMPEST, Deployment
from rdo.cloud.operations import python_on_host
from rdo.cloud.plan import Part
from rdo.cloud.roles.node import CLOUD
from rdo.cloud.shell import lines, sh
from rdo.cloud.ssh import command_on, ending, run_on, transfer
from rdo.cloud.tempest_options import PREFIX, tempest_options
from rdo.cloud.verify import VerificationError, send_image
from rdo.common.files import write_atomically

_HOST_FOLDER = "/var/lib/rdo-tempest"
_WORKSPACE = "workspace"
"""Tempest's own folder below that of a run."""
_FETCHED = ("tempest.subunit", "tempest.err", "logs", "etc/tempest.conf")
_INSTALLATION = 900.0
_LIMIT = 24 * 3600.0
"""Seconds for its package, and for all tests."""
_MASK = b"********"


class Result(Part):
    """One test that ended; ``words`` say why it failed or was skipped."""

    name: str
    status: Literal["success", "skip", "fail", "xfail", "uxsuccess", "inprogress", "unknown"]
    seconds: float
    words: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.status not in ("success", "skip", "xfail")

    @property
    def group(self) -> str | None:
        """The class whose preparation this is, None for a test."""
        kind, bracket, rest = self.name.partition(" (")
        return rest.rstrip(")") if bracket and kind.endswith("Class") else None


class TempestReport(Part):
    """What a run of tempest found.

    ``chosen`` counts the tests that were to run; ``left`` names what is in the cloud now and was not before.
    """

    cloud: str
    series: str
    regex: str | None
    chosen: int
    seconds: float
    interrupted: bool
    results: tuple[Result, ...]
    left: tuple[str, ...] = ()
    folder: Path

    @property
    def ok(self) -> bool:
        """Whether all of it ran, nothing failed, and nothing of it is left."""
        return not (self.interrupted or self.failed or self.ours_left)

    @property
    def failed(self) -> list[Result]:
        """The tests that failed."""
        return [one for one in self.results if one.failed]

    @property
    def ours_left(self) -> list[str]:
        """What is left and bears tempest's names; the rest may be other people's."""
        return [what for what in self.left if PREFIX in what]

    def count(self, status: str) -> int:
        """Return how many tests ended so. A class that was skipped counts with all its tests."""
        return sum(1 for one in self.results if one.status == status and one.group is None)


class Listener(Protocol):
    """Who is told of a run while it runs."""

    def step(self, title: str) -> None:
        """Hear of a step that begins."""

    def count(self, number: int) -> None:
        """Hear how many tests there are to run."""

    def test(self, result: Result, settled: int) -> None:
        """Hear of a test that ended; ``settled`` is more than 1 where it stands for its class."""


class SilentListener:
    """Hears, and says nothing."""

    def step(self, title: str) -> None:
        """Say nothing."""

    def count(self, number: int) -> None:
        """Say nothing."""

    def test(self, result: Result, settled: int) -> None:
        """Say nothing."""


@dataclass
class _Story:
    """What the program on the controller has told by now."""

    listener: Listener
    names: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    end: dict[str, Any] | None = None
    others: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        if not line.startswith("{"):
            self.others.append(line)
            return
        told = json.loads(line)
        match told.pop("event"):
            case "step":
                self.listener.step(told["title"])
            case "count":
                self.names = told["names"]
                self.listener.count(len(self.names))
            case "test":
                self._test(Result(**told))
            case "left":
                self.left = told["what"]
            case "end":
                self.end = told

    def _test(self, result: Result) -> None:
        group = result.group
        if group is None:
            self.results.append(result)
            self.listener.test(result, 1)
            return
        mine = [name for name in self.names if name.rpartition(".")[0] == group]
        done = {one.name for one in self.results}
        missing = [name for name in mine if name not in done]
        if result.status == "skip":
            self.results += [result.model_copy(update={"name": name}) for name in missing]
        else:
            self.results.append(result)
        self.listener.test(result, len(missing) if result.name.startswith("setUp") else 0)


def run_tempest(
    deployment: Deployment,
    image: Path | None,
    *,
    regex: str | None = None,
    concurrency: int = 2,
    listener: Listener | None = None,
) -> TempestReport:
    """Run tempest's smoke set, or the tests that ``regex`` finds, and keep what it found.

    A first Ctrl-C ends the tests; what they made is removed and what was found is kept all the same.

    :param image: of :mod:`rdo.cloud.guestimage`; None where the cloud has no machines
    :raises VerificationError: the package can't be installed, or tempest can't be run
    :raises KeyboardInterrupt: after an interrupted run was cleared up
    """
    told = listener or SilentListener()
    began = time.monotonic()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    told.step(f"{TEMPEST} on {deployment.controller.host}; it stays there")
    _install(deployment)
    place = f"{_HOST_FOLDER}/{stamp}"
    job = {
        "cloud": CLOUD,
        "folder": place,
        "workspace": _WORKSPACE,
        "prefix": PREFIX,
        "options": tempest_options(deployment.site),
        "image": None if image is None else send_image(deployment.controller, image),
        "external": deployment.site.cloud.external.name,
        "regex": regex,
        "concurrency": concurrency,
    }
    story = _Story(told)
    with _Conversation(deployment, job, story) as talk:
        interrupted = talk.listen()
        if story.end is None:
            words = "".join(story.others[-15:]).strip()
            raise VerificationError(f"On {deployment.controller.host}, tempest's run broke off:\n{words}")
        folder = deployment.folder / "tempest" / stamp
        report = TempestReport(
            cloud=deployment.name,
            series=deployment.site.repository.series,
            regex=regex,
            chosen=len(story.names),
            seconds=round(time.monotonic() - began, 1),
            interrupted=interrupted,
            results=tuple(story.results),
            left=tuple(story.left),
            folder=folder,
        )
        _keep(report, _fetch(deployment, f"{place}/{_WORKSPACE}"), _secrets(deployment))
    if interrupted:
        raise KeyboardInterrupt
    if story.end["error"] is not None:
        raise VerificationError(
            f"On {deployment.controller.host}, tempest could not be run: {story.end['error']}",
            hint=f"What there is of it is in {folder}.",
        )
    return report


class _Conversation:
    """The program on the controller, and the leash that it is on."""

    def __init__(self, deployment: Deployment, job: dict[str, Any], story: _Story) -> None:
        self.story = story
        # a session of its own: Ctrl-C is for us, the program there is told by a line
        self.child = subprocess.Popen(
            command_on(deployment.controller, limit=_LIMIT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.limit = ExitStack()
        self.script = lines([sh("exec 8<&0"), python_on_host("tempest", job, beside=["verify"])])

    def __enter__(self) -> _Conversation:
        self.limit.enter_context(ending(self.child, _LIMIT))
        self._say(self.script.reveal())
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.stdin is not None:
            self.child.stdin.close()
        try:
            self.child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self.limit.close()

    def _say(self, text: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(text)
        self.child.stdin.flush()

    def listen(self) -> bool:
        """Hear the program until it has ended; return whether it was interrupted.

        :raises KeyboardInterrupt: at the second Ctrl-C
        """
        interrupted = False
        while self.story.end is None:
            try:
                assert self.child.stdout is not None
                line = self.child.stdout.readline()
                if not line:
                    break
                self.story.hear(line)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self.story.listener.step("Interrupted; what was made is removed")
                self._say("stop\n")
        return interrupted


def _install(deployment: Deployment) -> None:
    # what the host knows of the repository may be older than the package
    done = run_on(
        deployment.controller,
        sh("rpm -q %(name)s >/dev/null || dnf -y -q --refresh install %(name)s", name=TEMPEST),
        timeout=_INSTALLATION,
    )
    if done.status != 0:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise VerificationError(
            f"{TEMPEST} can't be installed on {deployment.controller.host}:\n{words}",
            hint=f"Its repository needs it: rdo build --release {deployment.site.repository.series} tempest",
        )


def _fetch(deployment: Deployment, folder: str) -> dict[str, bytes]:
    """Return the files of a run, by name."""
    command = sh(
        "cd %(folder)s && tar --ignore-failed-read -czf - %(names)s 2>/dev/null || true",
        folder=folder,
        names=_FETCHED,
    )
    found: dict[str, bytes] = {}
    with tempfile.NamedTemporaryFile() as file:
        transfer(deployment.controller, command, place=Path(file.name))
        if not Path(file.name).stat().st_size:
            return found
        archive = tarfile.open(file.name)  # noqa: SIM115 - closed below
    with archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[Path(member.name).name] = content.read()
    return found


def _secrets(deployment: Deployment) -> list[str]:
    """Return what is masked: what plans have, and what tempest.conf makes of a password."""
    own = deployment.secrets
    return sorted({*own, *(value.replace("$", "$$") for value in own)}, key=len, reverse=True)


def _keep(report: TempestReport, files: dict[str, bytes], secrets: Sequence[str]) -> None:
    """Write what a run found; no secret of the cloud's is in it."""
    texts = files | {
        "results.json": (report.model_dump_json(indent=1) + "\n").encode(),
        "junit.xml": junit(report),
    }
    report.folder.mkdir(parents=True, mode=0o700)
    for name, content in texts.items():
        for secret in secrets:
            content = content.replace(secret.encode(), _MASK)
        if name.endswith(".log"):
            name, content = f"{name}.gz", gzip.compress(content)
        write_atomically(report.folder / name, content)


def junit(report: TempestReport) -> bytes:
    """Return the results as JUnit's XML, which CI systems read."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"tempest {report.cloud}",
        tests=str(len(report.results)),
        failures=str(len(report.failed)),
        skipped=str(report.count("skip")),
        time=f"{report.seconds:.1f}",
    )
    for one in report.results:
        place, _, name = one.name.rpartition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=place, name=name, time=f"{one.seconds:.2f}"
        )
        if one.failed:
            ElementTree.SubElement(case, "failure").text = _printable(one.words)
        elif one.status == "skip":
            ElementTree.SubElement(case, "skipped", message=_printable(one.words))
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


def _printable(text: str) -> str:
    """Leave out what XML can't have."""
    return "".join(c for c in text if c in "\t\n" or c >= " ")
