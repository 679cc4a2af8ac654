"""Applying a plan runs in a process of its own; what goes wrong there is said here."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from rdo.cloud.apply import ApplyError, apply
from rdo.cloud.plan import File, Plan, Target


def test_a_host_that_does_not_answer_is_an_error_without_secrets(tmp_path: Path) -> None:
    config = tmp_path / "config"
    # Port 9 of this machine's loopback: nobody listens there.
    config.write_text("Host gone\n  HostName 127.0.0.1\n  Port 9\n")
    step = File(id="f", title="f", path="/tmp/never", content=SecretStr("hush-hush"))
    log = tmp_path / "logs" / "run.log"
    with pytest.raises(ApplyError, match="gone") as caught:
        apply([Plan(host="gone", steps=(step,))], [Target(host="gone", ssh_config=str(config))], log=log)
    assert "hush-hush" not in str(caught.value)
    assert "hush-hush" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
