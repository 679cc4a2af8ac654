"""A plan's differences show what changes, and no secret: not ours, and not what a host has in its place."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from rdo.cloud.differences import difference_script, read_difference
from rdo.cloud.plan import AnyStep, File, Link
from rdo.cloud.texts import Text


def differences(steps: Sequence[AnyStep], secrets: Sequence[str] = ()) -> dict[str, str]:
    script = difference_script(steps).reveal()
    done = subprocess.run(["bash", "-s"], input=script, capture_output=True, text=True, check=True)
    return read_difference(done.stdout, steps, secrets)


def test_a_difference_is_shown_and_secrets_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("a = 1\npassword = old-secret\n")
    steps: list[AnyStep] = [
        Link(id="l", title="l", path="/l", target="/t"),
        File(
            id="f",
            title="f",
            path=str(path),
            content=Text("a = 2\npassword = ", Text.secret("new-secret"), "\n"),
        ),
        File(id="n", title="n", path=str(tmp_path / "none"), content=Text("b\n")),
        File(
            id="k",
            title="k",
            path="/key",
            content=Text.secret("-----BEGIN PRIVATE KEY-----\nAAA\n-----END PRIVATE KEY-----\n"),
        ),
    ]
    found = differences(steps)
    assert set(found) == {"f", "n", "k"}
    assert "-a = 1\n+a = 2" in found["f"]
    assert "secret" not in found["f"] and " password = ***" in found["f"]
    assert "+b" in found["n"] and "/dev/null" in found["n"]
    assert "AAA" not in found["k"]


def test_only_a_secret_or_the_mode_changed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("p = one")
    step = File(id="f", title="f", path=str(path), content=Text("p = ", Text.secret("two")))
    assert "secret in it" in differences([step])["f"]


def test_what_a_host_has_instead_is_not_shown_either(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text(
        "# was hunter0 before\n[DEFAULT]\nconnection=mysql://nova:hunter1@192.0.2.1/x\nmy_ip = 192.0.2.1\n"
        "debug = true\n[gone]\nadmin_password = hunter2\nhunter3\n"
        "-----BEGIN PRIVATE KEY-----\nhunter4\n-----END PRIVATE KEY-----\nmy_ip = 192.0.2.2\n"
    )
    url = Text("mysql://nova:", Text.secret("hunter5"), "@192.0.2.1/x")
    content = Text("[DEFAULT]\nconnection = ", url, "\nmy_ip = 192.0.2.9\nworkers = 2\n")
    found = differences([File(id="f", title="f", path=str(path), content=content, mode="640")])["f"]
    assert "hunter" not in found
    assert "-connection=***" in found
    assert "+connection = mysql://nova:***@192.0.2.1/x" in found
    assert "-my_ip = 192.0.2.1" in found and "+my_ip = 192.0.2.9" in found
    assert "-[gone]\n-admin_password = ***\n" in found
    # whose content nobody else may read may be secret altogether
    private = File(id="f", title="f", path=str(path), content=Text("[DEFAULT]\n"), mode="600")
    assert "hunter" not in differences([private])["f"]


def test_secrets_that_are_known_are_hidden_wherever_a_host_has_them(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("motd: hunter2 is it\n")
    step = File(id="f", title="f", path=str(path), content=Text("motd: it\n"))
    assert "-motd: *** is it" in differences([step], ["hunter2"])["f"]
