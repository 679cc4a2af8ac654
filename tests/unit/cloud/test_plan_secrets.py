"""No secret, and nothing that is made of one, is in what a plan shows, whatever is in passwords."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from rdo.cloud.differences import difference_script, read_difference
from rdo.cloud.operations import Scripts, scripts_for
from rdo.cloud.plan import AnyStep, Config, File, Plan, StepResult
from rdo.cloud.texts import HIDDEN
from tests.secret_forms import shown_in
from tests.unit.cloud.whole_clouds import CEPH_KEYS, CLOUDS, IDENTIFIERS, NAMES, make_plans, passwords


def steps_scripts(plan: Plan) -> list[Scripts]:
    earlier = {step.id: step for step in plan.steps}
    return [scripts_for(step, earlier) for step in plan.steps]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where certificates are kept for all examples."""
    return tmp_path_factory.mktemp("kept")


@pytest.mark.parametrize("name", CLOUDS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=passwords(), others=passwords())
def test_a_plan_shows_no_secret_in_any_form(
    name: str, kept: Path, values: dict[str, str], others: dict[str, str]
) -> None:
    plans = make_plans(CLOUDS[name], kept, values | CEPH_KEYS)
    before = make_plans(CLOUDS[name], kept, others | {key: value[::-1] for key, value in CEPH_KEYS.items()})
    shown, argued = [], []
    for plan, old in zip(plans, before, strict=True):
        shown += [plan.model_dump_json(), repr(plan), str(plan.model_dump())]
        shown.append(difference_script(plan.steps).reveal())
        # on an empty host, and on one that has all of it with other passwords
        for said in ("", told(old)):
            differences = read_difference(said, plan.steps, [])
            assert len(differences) > 15
            shown += [result(plan, step, differences.get(step.id)) for step in plan.steps]
            shown += [*differences.values()]
        for scripts in steps_scripts(plan):
            shown.append(repr(scripts))
            argued += [scripts.guard.shown(), scripts.make.shown()]
    text = "\n".join(shown)
    found = [where for own in (values, others, CEPH_KEYS) for where in shown_in(own, text)]
    assert found == []
    assert [line for script in argued for line in told_to_programs(script)] == []


def told(plan: Plan) -> str:
    """Return what a host with all files of a plan says of them."""
    rows = []
    for number, step in enumerate(plan.steps):
        if isinstance(step, File | Config):
            content = (step.as_file() if isinstance(step, Config) else step).content.reveal()
            rows.append(f"rdo-file:{number}:{base64.b64encode(content.encode()).decode()}")
    return "\n".join(rows)


def result(plan: Plan, step: AnyStep, difference: str | None) -> str:
    """Return a step's result as `rdo cloud plan --json` has it."""
    return StepResult(
        host=plan.host, id=step.id, title=step.title, changed=True, ok=True, seconds=0, difference=difference
    ).model_dump_json()


def told_to_programs(script: str) -> Iterator[str]:
    """Yield a script's lines with a secret, but for here-documents and words of bash's own commands.

    What bash does itself is in no process list.
    """
    end = None
    for line in script.splitlines():
        if end is not None:
            end = None if line == end else end
        elif (document := re.search(r"<<'(\w+)'$", line)) is not None:
            end = document[1]
            if HIDDEN in line:
                yield line
        elif HIDDEN in line and line.split()[0] not in ("test", "export", "printf"):
            yield line


def test_what_programs_are_told_is_seen() -> None:
    fine = f"export X={HIDDEN}\ncat >x <<'END_OF_TEXT'\na {HIDDEN}\nEND_OF_TEXT\ntest \"$(x)\" = {HIDDEN}"
    assert [*told_to_programs(fine)] == []
    assert [*told_to_programs(f"{fine}\nmariadb -p{HIDDEN}\n")] == [f"mariadb -p{HIDDEN}"]


def test_all_passwords_are_among_those_that_are_tried(tmp_path: Path) -> None:
    for cloud in CLOUDS.values():
        make_plans(cloud, tmp_path, {})
    made = json.loads((tmp_path / "passwords.json").read_text())
    assert {*made} - {*IDENTIFIERS} - {*CEPH_KEYS} == {*NAMES}
