"""``rdo build``, ``log`` and ``verify`` for real: one library, from the index to verified RPMs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.index, pytest.mark.mirror]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """State and store of its own, with the shared cache of sources, roots and layers."""
    cache = os.environ.get("RDO_CACHE", "/var/cache/rdo")
    return {**os.environ, "RDO_HOME": str(tmp_path), "RDO_CACHE": cache, "RDO_STORE": str(tmp_path / "store")}


def rdo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from rdo.cli.main import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def build(environment: dict[str, str], name: str, *options: str) -> dict[str, int]:
    fixed = ("--no-publish", "--json", "--jobs", "1", "--release", "2026.1")
    done = rdo(environment, "build", name, *fixed, *options)
    assert done.returncode == 0, done.stderr + done.stdout
    counts: dict[str, int] = json.loads(done.stdout)["counts"]
    return counts


def test_a_library_is_built_once_and_comes_out_the_same_again(environment: dict[str, str]) -> None:
    # pbr comes with it: what OpenStack's packages are built with is always ours.
    assert build(environment, "oslo.i18n") == {"built": 2, "cached": 0, "failed": 0, "blocked": 0}
    assert build(environment, "oslo.i18n") == {"built": 0, "cached": 2, "failed": 0, "blocked": 0}
    log = rdo(environment, "log", "oslo.i18n")
    assert "%check" in log.stdout
    verified = rdo(environment, "verify", "oslo.i18n", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    found = json.loads(verified.stdout)
    (result,) = found["results"]
    assert result["status"] == "identical" and len(result["first"]) >= 2
    assert result["first"] == result["second"]
    # a run for something else knows it as well, and what it needs is verified too, where asked for
    assert build(environment, "oslo.context")["failed"] == 0
    both = rdo(environment, "verify", "oslo.i18n", "oslo.context", "--jobs", "2")
    assert both.returncode == 0, both.stdout + both.stderr
    assert "2 packages" in both.stdout and "2 identical (1 from an earlier run)." in both.stdout
    wrong = rdo(environment, "verify", "oslo.utils", "automaton", "oslo.i18n")
    assert wrong.returncode == 2, wrong.stdout + wrong.stderr
    assert "python-automaton, python-oslo-utils" in wrong.stderr
    bill = json.loads(rdo(environment, "sbom", "oslo.i18n").stdout)
    urls = {one["purl"].partition("@")[0] for one in bill["components"] if "purl" in one}
    assert urls >= {"pkg:pypi/oslo-i18n", "pkg:rpm/rdo/python3-oslo-i18n", "pkg:rpm/rdo/python3-pbr"}
    assert "pkg:deb/debian/python3-setuptools" in urls


def test_a_leaner_platform_gets_compiled_modules_of_ours(environment: dict[str, str]) -> None:
    # Its one native requirement, PostgreSQL's library, is a deb under EL's name; %check imports it.
    made = build(environment, "psycopg2", "--platform", "debian13-lean")
    assert made == {"built": 1, "cached": 0, "failed": 0, "blocked": 0}


def test_a_repository_keeps_what_was_built_for_it_before(environment: dict[str, str]) -> None:
    def published(*arguments: str) -> set[str]:
        done = rdo(environment, "build", *arguments, "--jobs", "1", "--release", "2026.1", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return {result["package"] for result in json.loads(done.stdout)["results"]} - {"python-pbr"}

    assert published("oslo.i18n") == {"python-oslo-i18n"}
    assert published("oslo.context") == {"python-oslo-context", "python-oslo-i18n"}
    dry = json.loads(rdo(environment, "build", "oslo.context", "--only", "--dry-run", "--json").stdout)
    assert dry["dropped"] == ["oslo-i18n"]
    assert published("oslo.context", "--only") == {"python-oslo-context"}
    assert published("oslo.context") == {"python-oslo-context"}


def test_publishing_a_smaller_run_keeps_all_and_removal_needs_a_word(environment: dict[str, str]) -> None:
    which = ("--release", "2026.1", "--json")

    def shown() -> tuple[list[str], set[str]]:
        found = json.loads(rdo(environment, "repo", "show", *which).stdout)
        sources = {name.rsplit("-", 2)[0] for name in found["files"] if name.endswith(".src.rpm")}
        return found["requested"], sources - {"rdo-release", "python-pbr"}

    done = rdo(environment, "build", "oslo.i18n", "--jobs", "1", *which)
    assert done.returncode == 0, done.stderr
    build(environment, "oslo.context")  # not published, and of less than there is
    assert shown() == (["oslo-i18n"], {"python-oslo-i18n"})
    done = rdo(environment, "repo", "publish", *which)
    assert done.returncode == 0, done.stderr
    both = (["oslo-context", "oslo-i18n"], {"python-oslo-i18n", "python-oslo-context"})
    assert shown() == both

    digest = json.loads(done.stdout)["digest"]
    dry = json.loads(rdo(environment, "repo", "remove", "oslo.i18n", "--dry-run", *which).stdout)
    assert dry["names"] == ["oslo-i18n"] and dry["published"] is None
    assert {name.rsplit("-", 2)[0] for name in dry["packages"]} >= {"python-oslo-i18n", "python3-oslo-i18n"}
    assert shown() == both
    wrong = rdo(environment, "repo", "remove", "nova", *which)
    assert (wrong.returncode, "'nova'" in wrong.stderr) == (2, True)

    done = rdo(environment, "repo", "remove", "oslo.i18n", *which)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["published"]["digest"] != digest
    assert shown() == (["oslo-context"], {"python-oslo-context"})
    # the last run is older than that, and a publication of it for another address brings nothing back
    done = rdo(environment, "repo", "publish", "--address", "http://192.0.2.1", *which)
    assert done.returncode == 0, done.stderr
    assert shown() == (["oslo-context"], {"python-oslo-context"})
    assert rdo(environment, "repo", "check", *which).returncode == 0
    last = rdo(environment, "repo", "remove", "oslo.context", *which)
    assert (last.returncode, "Nothing would remain" in last.stderr) == (2, True)


def test_killed_run_leaves_nothing_running_and_carries_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    messages = tmp_path / "messages"
    command = [sys.executable, "-c", "from rdo.cli.main import main; main()", "build", "oslo.i18n"]
    process = subprocess.Popen(
        [*command, "--no-publish", "--jobs", "1", "--release", "2026.1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=messages.open("w"),
    )
    deadline = time.monotonic() + 120
    while '"building"' not in rdo(environment, "build", "--status", "--json").stdout:
        assert time.monotonic() < deadline and process.poll() is None, messages.read_text()
    process.send_signal(signal.SIGKILL)
    process.wait()
    mark = f"/sandboxes/{process.pid}-"
    deadline = time.monotonic() + 10
    while any(mark in line for line in _command_lines()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert mark not in Path("/proc/self/mountinfo").read_text()
    assert json.loads(rdo(environment, "build", "--status", "--json").stdout)["outcome"] == "interrupted"
    assert build(environment, "oslo.i18n")["failed"] == 0


def _command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
