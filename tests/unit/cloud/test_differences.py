"""A plan's differences show what changes, and no secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pydantic import SecretStr

from rdo.cloud.differences import difference_script, read_difference
from rdo.cloud.plan import AnyStep, File, Link


def test_a_difference_is_shown_and_secrets_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("a = 1\npassword = old-secret\n")
    steps: list[AnyStep] = [
        Link(id="l", title="l", path="/l", target="/t"),
        File(id="f", title="f", path=str(path), content=SecretStr("a = 2\npassword = new-secret\n")),
        File(id="n", title="n", path=str(tmp_path / "none"), content=SecretStr("b\n")),
        File(id="k", title="k", path="/key", content=SecretStr("-----BEGIN PRIVATE KEY-----\nAAA\n")),
    ]
    said = subprocess.run(
        ["bash", "-s"], input=difference_script(steps), capture_output=True, text=True, check=True
    ).stdout
    found = read_difference(said, steps, ["new-secret", "old-secret"])
    assert set(found) == {"f", "n", "k"}
    assert "-a = 1\n+a = 2" in found["f"]
    assert "secret" not in found["f"] and "password = ***" in found["f"]
    assert "+b" in found["n"] and "/dev/null" in found["n"]
    assert "AAA" not in found["k"]


def test_only_a_secret_or_the_mode_changed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("p = one")
    step = File(id="f", title="f", path=str(path), content=SecretStr("p = two"))
    said = subprocess.run(
        ["bash", "-s"], input=difference_script([step]), capture_output=True, text=True, check=True
    ).stdout
    assert "secret in it" in read_difference(said, [step], ["one", "two"])["f"]
