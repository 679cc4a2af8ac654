"""The scripts that steps become, run by a real bash on this machine's own files."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdo.cloud.operations import (
    database_scripts,
    facts,
    file_scripts,
    package_scripts,
    python_on_host,
    scripts_for,
)
from rdo.cloud.plan import Database, File, Link, Packages, Script, Service
from rdo.cloud.roles.running import step as step_running
from rdo.cloud.shell import Shell, sh
from rdo.cloud.texts import Text


def bash(script: Shell) -> int:
    return subprocess.run(
        ["bash", "-s"], input=f"set -euo pipefail\n{script.reveal()}", text=True, check=False
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
        content=Text.secret(content),
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
        password=Text.secret("it's \\ here"),
        clients=("localhost",),
    )
    made = database_scripts(step)
    script, guard = made.make.reveal(), made.guard.reveal()
    assert "IDENTIFIED BY 'it''s \\\\ here'" in script
    assert "GRANT ALL PRIVILEGES ON `keystone`.* TO 'keystone'@'localhost'" in script
    assert "MYSQL_PWD=" in guard
    assert "--password" not in script + guard


def test_packages_are_asked_for_by_what_they_provide() -> None:
    step = Packages(id="p", title="p", names=("httpd", "python3dist(x) >= 1"))
    made = package_scripts(step)
    script, guard = made.make.reveal(), made.guard.reveal()
    assert guard.endswith("--whatprovides httpd 'python3dist(x) >= 1'")
    assert script.startswith("dnf -y")


def test_packages_of_several_steps_are_one_transaction() -> None:
    steps = [Packages(id=n, title=n, names=(n, "shared")) for n in ("a", "b")]
    assert package_scripts(*steps).make.reveal() == "dnf -y -q install a shared b\n"


def test_an_account_over_the_network_has_to_use_tls() -> None:
    step = Database(
        id="d",
        title="d",
        name="nova",
        user="nova",
        password=Text.secret("x"),
        clients=("192.0.2.10",),
        server="192.0.2.10",
        ca="/ca",
    )
    made = database_scripts(step)
    assert "ALTER USER 'nova'@'192.0.2.10' IDENTIFIED BY 'x' REQUIRE SSL" in made.make.reveal()
    assert "--ssl-ca=/ca --ssl-verify-server-cert" in made.guard.reveal()


@dataclass
class PlayedHost:
    """A systemd and an rpm that are played, and a file that a service reads."""

    folder: Path
    units: dict[str, tuple[str, str, str]]
    """Unit -> start in seconds since 1970 behind an "@", state, how it is enabled."""
    installed: dict[str, int]
    """Package -> time of its installation."""

    def run(self, script: str) -> tuple[int, int]:
        """Return a script's status, and how often systemd and rpm were asked."""
        tools = {
            "systemctl": "for unit do [[ $unit == -* || $unit == show ]] || cat $0.$unit; done | sed '$d'",
            "rpm": "status=0; for name do [[ $name == -* || $name == %* ]] || cat $0.$name || status=1; done;"
            " exit $status",
        }
        asked = self.folder / "asked"
        asked.write_text("")
        for name, text in tools.items():
            tool = self.folder / name
            tool.write_text(f"#!/bin/bash\necho {name} >>{asked}\n{text}\n")
            tool.chmod(0o755)
        for unit, (since, state, how) in self.units.items():
            told = f"ActiveState={state}\nUnitFileState={how}\nActiveEnterTimestamp={since}\n\n"
            (self.folder / f"systemctl.{unit}").write_text(told)
        for package, moment in self.installed.items():
            (self.folder / f"rpm.{package}").write_text(f"{moment}\n")
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-s"],
            input=script,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, len(asked.read_text().splitlines())


SOON, LATE = "@1000", f"@{2**33}"


@pytest.mark.parametrize(
    ("since", "state", "how", "installed", "holds"),
    [
        (LATE, "active", "enabled", 1, True),
        (LATE, "reloading", "static", 1, True),
        (LATE, "active", "disabled", 1, False),
        (LATE, "failed", "enabled", 1, False),
        ("", "inactive", "enabled", 1, False),
        # the file is newer than the start, then the package
        (SOON, "active", "enabled", 1, False),
        (LATE, "active", "enabled", 2**33 + 1, False),
    ],
)
def test_a_service_holds_if_it_runs_since_what_it_reads(
    tmp_path: Path, since: str, state: str, how: str, installed: int, holds: bool
) -> None:
    read = tmp_path / "read"
    read.write_text("")
    packages = Packages(id="packages", title="p", names=("one", "two"))
    file = File(id="file", title="f", path=str(read), content=Text(""))
    step = Service(id="s", title="s", unit="a-b@c", restart_after=("packages", "file"))
    other = Service(id="o", title="o", unit="other")
    host = PlayedHost(
        tmp_path,
        {"other": (LATE, "active", "enabled"), "a-b@c": (since, state, how)},
        {"one": installed, "two": 1},
    )
    guard = scripts_for(step, {"packages": packages, "file": file}).guard.reveal()
    status, _ = host.run(guard)
    assert (status == 0) == holds
    # told once of all, it asks neither systemd nor, where no package is newer, rpm
    ahead = facts([packages, other, step, step]).reveal()
    _, asked = host.run(ahead)
    assert asked == 2
    status, asked = host.run(f"{ahead}\n(\n{guard}\n)")
    assert (status == 0) == holds
    assert asked == 2 or not holds
    status, asked = host.run(f"{ahead}\n(\n{package_scripts(packages).guard.reveal()}\n)")
    assert (status, asked) == (0, 2)


def test_packages_that_lack_are_asked_for_one_by_one(tmp_path: Path) -> None:
    there, lacking = (Packages(id=n, title=n, names=(n,)) for n in ("there", "lacking"))
    host = PlayedHost(tmp_path, {}, {"there": 1})
    ahead = facts([there, lacking]).reveal()
    assert host.run(f"{ahead}\n(\n{package_scripts(there).guard.reveal()}\n)")[0] == 0
    assert host.run(f"{ahead}\n(\n{package_scripts(lacking).guard.reveal()}\n)")[0] != 0


@pytest.mark.parametrize(
    ("told", "bad"),
    [
        ("ActiveState=active\nNRestarts=0\n", False),
        ("ActiveState=active\nNRestarts=3\nActiveEnterTimestamp=@1000\n", False),
        (f"ActiveState=active\nNRestarts=3\nActiveEnterTimestamp={LATE}\n", True),
        ("ActiveState=failed\n", True),
        ("ActiveState=inactive\n", True),
        ("ActiveState=inactive\nTriggeredBy=one.socket\n", False),
        ("ActiveState=inactive\nTriggeredBy=dead.socket\n", True),
    ],
)
def test_what_does_not_run_any_more_is_seen(tmp_path: Path, told: str, bad: bool) -> None:
    units = [Service(id=name, title=name, unit=name) for name in ("good", "this", "fine")]
    check = step_running(units)
    assert check is not None
    good = "Id=good\nActiveState=active\nNRestarts=0\n"
    (tmp_path / "told").write_text(f"{good}\nId=this\n{told}\n{good}")
    tool = tmp_path / "systemctl"
    tool.write_text(f'#!/bin/bash\n[ "$1" = show ] && exec cat {tmp_path}/told\n[[ $* != *dead* ]]\n')
    tool.chmod(0o755)
    script = f"{check.unless.reveal()}\nstatus=$?\necho $rdo_bad\nexit $status\n"
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == ("this" if bad else "")
    assert (done.returncode != 0) == bad


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
        unless=sh("test -e %(flag)s", flag=str(flag)),
        script=sh("(sleep 1; touch %(flag)s) >/dev/null 2>&1 &", flag=str(flag)),
        retries=10,
    )
    assert bash(scripts_for(step, {}).make) == 0
    assert flag.exists()
    never = step.model_copy(update={"unless": sh("false"), "retries": 1})
    assert bash(scripts_for(never, {}).make) == 1


def test_a_job_reaches_its_program_on_a_descriptor_of_its_own() -> None:
    script = python_on_host("objects", {"secret": 'hush $HOME `id` "x"'}).reveal()
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
