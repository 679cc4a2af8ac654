"""Plans are data: checked when made, and silent about their secrets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rdo.cloud.plan import ApplyReport, Config, File, Link, Plan, Service, Stage, StepResult
from rdo.cloud.texts import Text


def link(name: str) -> Link:
    return Link(id=name, title=name, path=f"/{name}", target="/x")


def test_two_steps_of_one_id_are_refused() -> None:
    with pytest.raises(ValidationError, match="two steps are called 'a'"):
        Plan(host="h", steps=(link("a"), link("a")))


def test_a_restart_after_a_later_step_is_refused() -> None:
    service = Service(id="s", title="s", unit="s", restart_after=("a",))
    with pytest.raises(ValidationError, match="restarts after a"):
        Plan(host="h", steps=(service, link("a")))
    assert Plan(host="h", steps=(link("a"), service)).steps[1] == service


def test_a_printed_plan_shows_no_secret() -> None:
    plan = Plan(host="h", steps=(File(id="f", title="f", path="/f", content=Text.secret("hush")),))
    assert "hush" not in f"{plan!r}{plan}{plan.model_dump_json()}"


def test_a_stage_after_a_later_one_is_refused() -> None:
    late = link("a").model_copy(update={"stage": Stage.SERVICES})
    with pytest.raises(ValidationError, match="comes after a step of SERVICES"):
        Plan(host="h", steps=(late, link("b")))
    assert Plan(host="h", steps=(link("b"), late)).of(Stage.SERVICES) == [late]


def test_a_report_says_what_changed_and_whether_all_is_well() -> None:
    def result(name: str, *, changed: bool, ok: bool) -> StepResult:
        return StepResult(host="h", id=name, title=name, changed=changed, ok=ok, seconds=0)

    report = ApplyReport(steps=(result("a", changed=True, ok=True), result("b", changed=False, ok=True)))
    assert report.ok
    assert report.changed == ["a"]
    failed = result("c", changed=False, ok=False)
    assert ApplyReport(steps=(failed,)).failed == [failed]


def test_configuration_becomes_a_file() -> None:
    step = Config(
        id="c",
        title="c",
        path="/etc/x/x.conf.d/50-rdo.conf",
        project="x",
        options={
            "DEFAULT": {"debug": Text("true"), "empty": Text("")},
            "db": {"a": Text("1")},
        },
        group_owner="x",
    )
    text = step.as_file().content.reveal()
    assert text.endswith("\n\n[DEFAULT]\ndebug = true\nempty =\n\n[db]\na = 1\n")
    assert (step.as_file().mode, step.as_file().group_owner) == ("640", "x")
