"""The scripts that steps become, run by a real bash on this machine's own files."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from rdo.cloud.operations import database_scripts, file_scripts, package_scripts, python_on_host, scripts_for
from rdo.cloud.plan import Database, File, Link, Packages, Script


def bash(script: str) -> int:
    return subprocess.run(
        ["bash", "-s"], input=f"set -euo pipefail\n{script}", text=True, check=False
    ).returncode


@pytest.mark.parametrize(
    "content", ["", "one line\n", "no newline, $HOME `id` 'quotes' \"more\"\nRDO_FILE\n", "ü€\n"]
)
def test_a_file_is_written_once_and_then_holds(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a folder" / "settings.conf"
    step = File(
        id="f",
        title="f",
        path=str(path),
        content=SecretStr(content),
        owner=pwd.getpwuid(os.getuid()).pw_name,
        group_owner=grp.getgrgid(os.getgid()).gr_name,
        mode="640",
    )
    made = file_scripts(step)
    script, guard = made.make, made.guard
    assert bash(guard) != 0
    assert bash(script) == 0
    assert path.read_text() == content
    assert path.stat().st_mode & 0o777 == 0o640
    assert bash(guard) == 0
    assert [file.name for file in path.parent.iterdir()] == ["settings.conf"]
    path.chmod(0o644)
    assert bash(guard) != 0


def test_a_database_account_cannot_break_out_of_its_statement() -> None:
    step = Database(
        id="d",
        title="d",
        name="keystone",
        user="keystone",
        password=SecretStr("it's \\ here"),
        clients=("localhost",),
    )
    made = database_scripts(step)
    script, guard = made.make, made.guard
    assert "IDENTIFIED BY 'it''s \\\\ here'" in script
    assert "GRANT ALL PRIVILEGES ON `keystone`.* TO 'keystone'@'localhost'" in script
    assert "MYSQL_PWD=" in guard
    assert "--password" not in script + guard


def test_packages_are_asked_for_by_what_they_provide() -> None:
    step = Packages(id="p", title="p", names=("httpd", "python3dist(x) >= 1"))
    made = package_scripts(step)
    script, guard = made.make, made.guard
    assert guard == "rpm -q --whatprovides httpd 'python3dist(x) >= 1'"
    assert script.startswith("dnf -y")


def test_packages_of_several_steps_are_one_transaction() -> None:
    steps = [Packages(id=n, title=n, names=(n, "shared")) for n in ("a", "b")]
    assert package_scripts(*steps).make == "dnf -y -q install a shared b\n"


def test_an_account_over_the_network_has_to_use_tls() -> None:
    step = Database(
        id="d",
        title="d",
        name="nova",
        user="nova",
        password=SecretStr("x"),
        clients=("192.0.2.10",),
        server="192.0.2.10",
        ca="/ca",
    )
    made = database_scripts(step)
    assert "ALTER USER 'nova'@'192.0.2.10' IDENTIFIED BY 'x' REQUIRE SSL" in made.make
    assert "--ssl-ca=/ca --ssl-verify-server-cert" in made.guard


def test_a_link_replaces_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "link"
    made = scripts_for(Link(id="l", title="l", path=str(path), target="/target"), {})
    assert bash(made.guard) != 0
    assert bash(made.make) == 0
    assert bash(made.guard) == 0
    path.unlink()
    path.write_text("a file")
    assert bash(made.guard) != 0 and bash(made.make) == 0 and bash(made.guard) == 0


def test_a_script_waits_until_its_condition_holds(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    step = Script(
        id="s",
        title="s",
        unless=SecretStr(f"test -e {flag}"),
        script=SecretStr(f"(sleep 1; touch {flag}) >/dev/null 2>&1 &"),
        retries=10,
    )
    assert bash(scripts_for(step, {}).make) == 0
    assert flag.exists()
    never = step.model_copy(update={"unless": SecretStr("false"), "retries": 1})
    assert bash(scripts_for(never, {}).make) == 1


def test_a_job_reaches_its_program_on_a_descriptor_of_its_own() -> None:
    script = python_on_host("objects", {"secret": 'hush $HOME `id` "x"'})
    # the program itself needs openstacksdk; what is tried here is how both get there
    program = 'import os, json; print(json.load(os.fdopen(9))["secret"])'
    begin = script.index("\nRDO_JOB\n") + len("\nRDO_JOB\n")
    end = script.rindex("\nRDO_PROGRAM")
    done = subprocess.run(
        ["bash", "-s"],
        input=script[:begin] + program + script[end:],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == 'hush $HOME `id` "x"\n'
