from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from rdo.building.state import State
from rdo.cli.installation import open_installation
from rdo.cli.main import main
from tests.settings import installation_of
from tests.unit.building.fakes import House, request


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("RDO_HOME", str(tmp_path))
    monkeypatch.delenv("RDO_CACHE", raising=False)
    monkeypatch.delenv("RDO_STORE", raising=False)
    monkeypatch.delenv("RDO_DATABASE", raising=False)
    house = House.at(tmp_path)
    assert open_installation().paths.database == house.paths.database
    return house


def rdo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def fail(house: House) -> None:
    house.with_builder(failing=frozenset({"python-oslo-log"})).run(
        request("python-pbr"), request("python-oslo-log"), request("openstack-nova", "python-oslo-log")
    )


def test_status_of_the_last_run(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    fail(house)
    assert rdo("build", "--status") == 0
    out = capsys.readouterr().out
    assert "asked for 2026.1 on fake: failed" in out
    assert "3 of 3: 1 blocked, 1 built, 1 failed" in out
    assert "blocked by python-oslo-log" in out
    assert rdo("build", "--status", "--json") == 0
    run = json.loads(capsys.readouterr().out)
    assert {b["package"]: b["status"] for b in run["builds"]}["openstack-nova"] == "blocked"


def test_status_of_a_run_of_everything_counts_its_names(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State.open(installation_of(house.paths))
    state.finish_run(state.start_run("2026.1", "fake", [f"project-{n}" for n in range(200)], 0), "succeeded")
    assert rdo("build", "--status") == 0
    assert "200 projects for 2026.1 on fake: succeeded" in capsys.readouterr().out


def test_status_before_any_run(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("build", "--status") == 2
    assert "Nothing has been built yet" in capsys.readouterr().err


def test_build_wants_names(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("build") == 2
    assert rdo("build", "--all", "keystone") == 2
    assert rdo("build", "keystne", "--dry-run") == 2
    assert "keystone" in capsys.readouterr().err


def test_log_and_reason(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    fail(house)
    assert rdo("log", "oslo.log") == 0
    assert capsys.readouterr().out == "building python-oslo-log\n"
    assert rdo("log", "oslo.log", "--reason") == 0
    assert capsys.readouterr().out == "error: no such luck\nmore\ntry again\n"
    assert rdo("log", "oslo.log", "--path") == 0
    assert Path(capsys.readouterr().out.strip()).read_text() == "building python-oslo-log\n"
    assert rdo("log", "nova") == 1
    assert "rdo log python-oslo-log" in capsys.readouterr().err
    assert rdo("log", "nobody") == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_is_text_in_a_terminal_and_as_it_is_in_a_file(
    house: House, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    fail(house)
    assert rdo("log", "oslo.log", "--path") == 0
    log = Path(capfdbinary.readouterr().out.decode().strip())
    content = b"\x1b[2J\x1b]0;title\x07\r\nGr\xc3\xbc\xc3\x9fe \xff\n" + b"x" * 12_000
    log.write_bytes(content)
    assert rdo("log", "oslo.log") == 0
    assert capfdbinary.readouterr().out == content
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert rdo("log", "oslo.log") == 0
    first, second, third = terminal.getvalue().splitlines()
    assert first == r"\x1b[2J\x1b]0;title\x07"
    assert second == "Grüße \ufffd"
    assert third == f"{'x' * 1000}… (11000 more characters)"


@pytest.mark.parametrize(("mirror", "words"), [("", "RDO_EL_MIRROR is not set"), ("/nowhere", "/nowhere/")])
def test_el_without_a_mirror_is_refused_before_any_work(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mirror: str,
    words: str,
) -> None:
    monkeypatch.setenv("RDO_EL_MIRROR", mirror)
    before = sorted(house.paths.state.rglob("*"))
    assert rdo("build", "keystone", "--platform", "el10") == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Set RDO_EL_MIRROR" in said or "RDO_EL_MIRROR names" in said
    assert sorted(house.paths.state.rglob("*")) == before


def test_quickstart_on_what_hosts_cannot_be_made_of(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert rdo("quickstart", "--platform", "el10") == 2
    assert "Test hosts of el10 can't be made yet" in capsys.readouterr().err
