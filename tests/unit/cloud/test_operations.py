"""The scripts that steps become, run by a real bash on this machine's own files."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from rdo.cloud.plan import Database, File, Packages


def run_here(code: str, argument: str) -> str:
    """Run code on rdo.cloud.operations in a process of its own, since pyinfra brings gevent."""
    program = f"from rdo.cloud import operations, plan; import sys; step = plan.{argument}; {code}"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def bash(script: str) -> int:
    return subprocess.run(
        ["bash", "-s"], input=f"set -euo pipefail\n{script}", text=True, check=False
    ).returncode


def scripts(function: str, step: File | Database | Packages) -> tuple[str, str]:
    kind = type(step).__name__
    clear = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in step.model_dump().items()
    }
    out = run_here(
        f"print('\\0'.join(operations.{function}(step)), end='')", f"{kind}.model_validate({clear!r})"
    )
    script, guard = out.split("\0")
    return script, guard


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
        group=grp.getgrgid(os.getgid()).gr_name,
        mode="640",
    )
    script, guard = scripts("file_scripts", step)
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
    script, guard = scripts("database_scripts", step)
    assert "IDENTIFIED BY 'it''s \\\\ here'" in script
    assert "GRANT ALL PRIVILEGES ON `keystone`.* TO 'keystone'@'localhost'" in script
    assert "MYSQL_PWD=" in guard
    assert "--password" not in script + guard


def test_packages_are_asked_for_by_what_they_provide() -> None:
    step = Packages(id="p", title="p", names=("httpd", "python3dist(x) >= 1"))
    script, guard = scripts("package_scripts", step)
    assert guard == "rpm -q --whatprovides httpd 'python3dist(x) >= 1'"
    assert script.startswith("dnf -y")
