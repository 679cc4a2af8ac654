"""What a user gets for wrong input: the right exit status, words that help, and never a traceback."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rdo.cli.main import main
from tests.installation import CHECKOUT, command

#: Drops to an ordinary user who may still read this checkout, wherever that is.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("RDO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RDO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/nowhere")
    return tmp_path / "home"


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the distribution's data that the command uses."""
    copy = tmp_path / "distribution"
    shutil.copytree(CHECKOUT / "distribution", copy)
    monkeypatch.setenv("RDO_DISTRIBUTION", str(copy))
    return copy


def rdo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    prefix: Sequence[str] = AS_NOBODY if os.geteuid() == 0 else ()
    return subprocess.run(
        [*prefix, *command(*arguments)],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resolve", "keystoen"), ("'keystoen'", "Nearest: ", "keystone")),
        (("build", "keystoen", "--dry-run"), ("'keystoen'", "Nearest: ", "keystone")),
        (("spec", "keystoen"), ("'keystoen'", "Nearest: ", "keystone")),
        (("release", "show", "2026.11"), ("'2026.11'", "Nearest: ", "2026.1")),
        (("build", "keystone", "--release", "2025.3"), ("'2025.3'", "Nearest: ", "2025.2")),
        (("resolve", "keystone", "--platform", "debain13"), ("'debain13'", "Nearest: debian13")),
        (("quickstart", "--release", "gazpacho1"), ("'gazpacho1'",)),
        (("log", "keystone"), ("keystone",)),
        (("verify", "keystone"), ("rdo build",)),
        (("sbom", "keystone"), ("rdo build",)),
        (("sbom",), ("Name one package", "rdo sbom keystone")),
        (("sbom", "keystone", "--repository"), ("Name one package",)),
        (("sbom", "--repository"), ("Nothing is published", "rdo repo publish")),
        (("build", "--status"), ("Nothing has been built yet", "rdo build keystone")),
        (("repo", "check"), ("rdo ",)),
    ],
)
def test_wrong_names_are_said_with_what_would_be_right(
    arguments: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert rdo(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for word in words:
        assert word in said.err
    assert not (home / "state/repositories").exists()


@pytest.mark.parametrize("arguments", [("resolve", "keystone"), ("build", "keystone"), ("quickstart",)])
def test_all_mistakes_in_the_data_are_said_at_once(
    arguments: tuple[str, ...], distribution: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keystone = distribution / "packages/keystone/package.yaml"
    lines = keystone.read_text().splitlines()
    lines += ["epoc: 2", "release: none"]
    keystone.write_text("\n".join(lines) + "\n")
    unknown = distribution / "packages/keystoen/package.yaml"
    unknown.parent.mkdir()
    unknown.write_text("project: keystoen\n")
    twice = distribution / "packages/oslo-config/package.yaml"
    twice.parent.mkdir()
    twice.write_text("project: oslo-config\n")
    assert rdo(*arguments) == 2
    said = capsys.readouterr().err
    assert f"{keystone}:{len(lines) - 1}: " in said and "epoc" in said
    assert f"{keystone}:{len(lines)}: " in said and "release" in said
    assert f"{unknown}:1: " in said and "Nearest: keystone" in said
    assert f"{twice}:1: a second description of oslo.config" in said
    assert "Traceback" not in said


def test_yaml_that_is_none(distribution: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = distribution / "packages/keystone/package.yaml"
    broken.write_text("project: [keystone\n")
    assert rdo("resolve", "keystone") == 2
    assert f"{broken}:" in capsys.readouterr().err


@pytest.fixture
def wrong_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An index that offers every file that it is asked for, with something else in it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            body, kind = b"something else", "application/octet-stream"
            if parts[0] == "simple":
                names = files.get(parts[1], [])
                links = "".join(f'<a href="/files/{name}">{name}</a>\n' for name in names)
                body, kind = f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    files: dict[str, list[str]] = {}
    for line in (CHECKOUT / "distribution/releases/2026.1.lock").read_text().splitlines():
        fields = line.split()
        if len(fields) == 6 and not line.startswith("#"):
            files.setdefault(fields[4], []).append(fields[3])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/simple"
        monkeypatch.setenv("PIP_INDEX_URL", address)
        yield address
        server.shutdown()


def test_content_that_is_not_what_the_lock_says_is_refused_and_kept_aside(
    wrong_index: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rdo("spec", "oslo.context", "--release", "2026.1") == 1
    said = capsys.readouterr().err
    assert "Refused" in said and "the lock says" in said
    rejected = list((home / "cache/sources/rejected").iterdir())
    assert [path.read_text() for path in rejected] == ["something else"]
    assert str(rejected[0]) in said
    kept = [path for path in (home / "cache/sources").rglob("*") if path.is_file()]
    assert kept == rejected
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("quickstart",),
        ("build", "oslo.context"),
        ("host", "create"),
        ("cloud", "up", "--on-test-host"),
    ],
)
def test_without_root_it_says_so_before_any_work(arguments: tuple[str, ...], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = as_nobody(*arguments)
    assert done.returncode in (1, 2), done.stderr
    assert "root" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("home/cache/sources/*")) == []


@pytest.mark.parametrize("arguments", [("release", "show", "2026.1"), ("host", "list"), ("--help",)])
def test_looking_needs_no_root(arguments: tuple[str, ...], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = as_nobody(*arguments)
    assert done.returncode == 0, done.stderr


def test_state_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/state").write_text("a file where a folder should be")
    done = as_nobody("build", "oslo.context")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--regex", "tempest.api"), "Add --tempest"),
        (("--tempest", "--regex", "("), "--regex (: missing ), unterminated subpattern"),
    ],
)
def test_a_choice_of_tests_is_looked_at_before_the_cloud(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rdo("cloud", "verify", "nowhere", *arguments) == 2
    assert words in capsys.readouterr().err
