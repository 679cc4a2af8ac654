"""Applying a plan runs in a process of its own; what goes wrong there is said here."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdo.cloud.apply import Applier, ApplyError
from rdo.cloud.looking import look
from rdo.cloud.plan import ApplyReport, File, Plan, Script, Target
from rdo.cloud.shell import lines, sh
from rdo.cloud.ssh import command_on, run_on, transfer
from rdo.cloud.texts import Text, join

HERE = Target(host="here", local=True)


def apply(plan: Plan, target: Target, *, secrets: Sequence[str] = (), log: Path | None = None) -> ApplyReport:
    with Applier() as applier:
        return applier.apply([plan], [target], secrets=secrets, log=log)


def test_a_host_that_does_not_answer_is_an_error_without_secrets(tmp_path: Path) -> None:
    config = tmp_path / "config"
    # Port 9 of this machine's loopback: nobody listens there.
    config.write_text("Host gone\n  HostName 127.0.0.1\n  Port 9\n")
    step = File(id="f", title="f", path="/tmp/never", content=Text.secret("hush-hush"))
    log = tmp_path / "logs" / "run.log"
    with pytest.raises(ApplyError, match="gone") as caught:
        apply(Plan(host="gone", steps=(step,)), Target(host="gone", ssh_config=str(config)), log=log)
    assert "hush-hush" not in str(caught.value)
    assert "hush-hush" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ApplyError, match="gone can't be reached"):
        look([Plan(host="gone", steps=(step,))], [Target(host="gone", ssh_config=str(config))])


@pytest.mark.skipif(os.geteuid() != 0, reason="what is done on hosts is done as root")
def test_this_machine_is_reached_without_ssh_and_a_plan_has_its_own_name(tmp_path: Path) -> None:
    place = tmp_path / "made"
    step = Script(
        id="made",
        title="made",
        unless=sh("test -s %(place)s", place=str(place)),
        script=sh("echo hush-hush; id -u >%(place)s", place=str(place)),
    )
    plan, target = Plan(host="controller", steps=(step,)), Target(host="192.0.2.10", local=True)
    planned = look([plan], [target])
    assert planned.changed == ["made"] and not place.exists()
    report = apply(plan, target, secrets=["hush-hush"])
    assert report.ok and [(row.host, row.changed) for row in report.steps] == [("controller", True)]
    assert place.read_text().endswith(f"{os.geteuid()}\n")
    assert apply(plan, target).changed == []


@pytest.mark.skipif(os.geteuid() != 0, reason="what is done on hosts is done as root")
def test_what_a_failed_step_prints_has_secrets_in_none_of_their_forms(tmp_path: Path) -> None:
    secret = "it's $ecret"
    forms = [secret, secret.replace("$", "$$"), json.dumps(secret), shlex.quote(secret), secret[:6]]
    step = File(
        id="f",
        title="f",
        path=str(tmp_path / "file"),
        content=join("\n", [Text.secret(form) for form in forms[1:]]),
    )
    print_all = [sh("printf 'it is %s\\n' %(form)s >&2", form=form) for form in forms]
    failing = Script(id="s", title="s", unless=sh("false"), script=lines([*print_all, sh("exit 1")]))
    log = tmp_path / "run.log"
    plan = Plan(host="here", steps=(step, failing))
    report = apply(plan, Target(host="here", local=True), secrets=[secret], log=log)
    (failed,) = report.failed
    assert failed.error is not None and failed.error.count("it is ***") == len(forms)
    shown = failed.model_dump_json() + log.read_text()
    assert "ecret" not in shown and "it's" not in shown


def test_scripts_run_as_root_whoever_comes_in() -> None:
    by_ssh = command_on(Target(host="192.0.2.10", user="op"), sh("echo 'a b'"), limit=5)
    assert by_ssh[-2] == "192.0.2.10" and by_ssh[-1].startswith("sudo -n bash -c ")
    assert shlex.split(by_ssh[-1])[-2:] == ["5", "echo 'a b'"]
    assert by_ssh[by_ssh.index("-l") + 1] == "op"
    assert {"ServerAliveInterval=10", "ConnectTimeout=10", "BatchMode=yes"} <= {*by_ssh}
    assert not command_on(Target(host="192.0.2.10"), limit=5)[-1].startswith("sudo")
    # lists of processes would show it
    with pytest.raises(ValueError, match="secret"):
        command_on(Target(host="192.0.2.10"), sh("echo %(word)s", word=Text.secret("s3cret")), limit=5)


def alive(pattern: str) -> bool:
    """Tell whether a process stays; one that was killed may need a moment on a busy machine."""
    ends = time.monotonic() + 10
    while there := subprocess.run(["pgrep", "-f", pattern], capture_output=True).returncode == 0:
        if time.monotonic() > ends:
            break
        time.sleep(0.2)
    return there


def test_a_limit_ends_all_that_a_script_has_started() -> None:
    """A direct child that ends leaves grandchildren behind, some of which ignore that they are to end."""
    script = sh(
        "echo begun; bash -c 'trap \"\" TERM; sleep 4711.25 & wait; sleep 4711.25' & sleep 4711.5 & wait"
    )
    began = time.monotonic()
    done = run_on(HERE, script, timeout=2)
    assert time.monotonic() - began < 10
    assert done.stdout == "begun\n" and done.status in (124, 137)
    assert done.stderr.splitlines()[-1] == "ended after 2 s, its limit"
    assert not alive("sleep 4711[.]")


def test_a_step_that_takes_too_long_fails_with_its_last_words() -> None:
    step = Script(
        id="slow",
        title="slow",
        unless=sh("false"),
        script=sh("echo 'reading the disk'; sleep 4712.5"),
        limit=2,
    )
    report = apply(Plan(host="here", steps=(step,)), HERE)
    (failed,) = report.failed
    assert failed.error is not None
    assert failed.error.splitlines() == ["reading the disk", "ended after 2 s, its limit"]
    assert not alive("sleep 4712[.]5")


def test_nothing_is_taken_on_from_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's logins had umask 077: files that a service should read were for root alone."""
    for name, value in (("LC_ALL", "de_DE.UTF-8"), ("http_proxy", "http://x"), ("TMPDIR", "/nowhere")):
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        said = run_on(HERE, sh("umask; env | sort; cat"), timeout=20).stdout
    finally:
        os.umask(before)
    rows = said.splitlines()
    assert rows[0] == "0022"
    ours = {"HOME", "LANG", "LC_ALL", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "USER", "_"}
    assert {line.partition("=")[0] for line in rows[1:]} <= ours
    assert "LC_ALL=C.UTF-8" in rows


def test_files_go_to_a_host_and_come_from_it_within_a_limit(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "place"
    source.write_bytes(bytes(range(256)) * 5000)
    done = transfer(HERE, sh("tr a b; echo words >&2"), source=source, place=place, limit=20)
    assert (done.status, done.stdout, done.stderr) == (0, "", "words\n")
    assert place.read_bytes() == source.read_bytes().replace(b"a", b"b")
    ended = transfer(HERE, sh("cat; sleep 4713.5"), source=source, place=place, limit=2)
    assert ended.status == 124 and "ended after 2 s" in ended.stderr
    assert not alive("sleep 4713[.]5")
