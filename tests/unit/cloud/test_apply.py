"""Applying a plan runs in a process of its own; what goes wrong there is said here."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdo.cloud.apply import Applier, ApplyError
from rdo.cloud.looking import look
from rdo.cloud.plan import ApplyReport, File, Plan, Script, Target
from rdo.cloud.shell import lines, sh
from rdo.cloud.ssh import command_on
from rdo.cloud.texts import Text, join


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
    by_ssh = command_on(Target(host="192.0.2.10", user="op"), "echo 'a b'")
    assert by_ssh[-2:] == ["192.0.2.10", """sudo -n bash -c 'echo '"'"'a b'"'"''"""]
    assert by_ssh[by_ssh.index("-l") + 1] == "op"
    assert command_on(Target(host="192.0.2.10"))[-1] == "bash -s"
    assert command_on(Target(host="here", local=True))[-3:] == ["bash", "-c", "bash -s"]
