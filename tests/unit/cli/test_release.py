import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rdo.cli import platform, release
from rdo.common.errors import DataError, InputError, UnknownNameError

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDO_HOME", str(tmp_path))
    monkeypatch.setenv("RDO_DISTRIBUTION", str(Path(__file__).parents[3] / "distribution"))


def test_json_goes_to_stdout_whole() -> None:
    done = RUNNER.invoke(release.app, ["show", "2026.1", "--platform", "debian13", "--json"])
    value = json.loads(done.stdout)
    keystone = next(row for row in value["projects"] if row["project"] == "keystone")
    assert keystone["version"] == value["pins"]["keystone"][0]["version"]
    assert keystone["component"] == "keystone"


def test_table_has_a_line_for_each_project() -> None:
    lines = RUNNER.invoke(release.app, ["show", "2025.2"]).stdout.splitlines()
    assert any(line.startswith("nova ") for line in lines)
    assert lines[0].startswith("OpenStack 2025.2 (flamingo)")


def test_lists() -> None:
    assert {row["series"] for row in json.loads(RUNNER.invoke(release.app, ["list", "--json"]).stdout)} >= {
        "2026.1"
    }
    names = {row["name"] for row in json.loads(RUNNER.invoke(platform.app, ["list", "--json"]).stdout)}
    assert names >= {"debian13", "el10", "el9"}


def test_platform_with_the_pins_of_a_release() -> None:
    done = RUNNER.invoke(platform.app, ["show", "el10", "--series", "2026.1", "--json"])
    assert set(json.loads(done.stdout)["provides"]["alembic"]) == {"version", "package", "pin"}


def test_wrong_names_are_input_errors() -> None:
    assert isinstance(RUNNER.invoke(release.app, ["show", "2026.9"]).exception, UnknownNameError)
    assert isinstance(
        RUNNER.invoke(release.app, ["show", "2026.1", "--platform", "el9"]).exception, InputError
    )
    assert isinstance(RUNNER.invoke(release.app, ["lock", "2026.1", "keytsone"]).exception, UnknownNameError)
    assert isinstance(RUNNER.invoke(platform.app, ["show", "el11"]).exception, UnknownNameError)


def test_bad_components_name_the_file(tmp_path: Path) -> None:
    bad = tmp_path / "packages.json"
    bad.write_text("[{}]")
    (tmp_path / "series_status.yaml").write_text(
        "- {name: gazpacho, release-id: 2026.1, status: maintained, initial-release: 2026-04-01}\n"
    )
    (tmp_path / "uc.txt").write_text("a===1\n")
    done = RUNNER.invoke(
        release.app,
        [
            "import",
            "2026.1",
            "--releases",
            str(tmp_path),
            "--constraints",
            str(tmp_path / "uc.txt"),
            "--status",
            str(tmp_path / "series_status.yaml"),
            "--rdo-packages",
            str(bad),
            "--dry-run",
        ],
    )
    assert isinstance(done.exception, DataError)
    assert done.exception.problems[0].file == bad


def test_update_shows_and_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, upstream = tmp_path / "distribution", tmp_path / "gazpacho"
    (data / "releases").mkdir(parents=True)
    (data / "platforms").mkdir()
    upstream.mkdir()
    monkeypatch.setenv("RDO_DISTRIBUTION", str(data))
    monkeypatch.setattr(release.IndexListing, "files", lambda self, dist: [])
    (data / "platforms/p.yaml").write_text(
        "{name: p, title: P, architecture: x86_64, python: '3.13', python_version: '3.13.5', dist: .p,\n"
        " tested: false, root: {kind: debootstrap, suite: trixie, packages: []}}\n"
    )
    file = data / "releases/2026.1.yaml"
    file.write_text(
        "{series: '2026.1', codename: gazpacho, phase: maintained, released: 2026-04-01, platforms: [p],\n"
        f" projects: {{nova: {{type: service, version: 33.0.0, commit: {'a' * 40}}}}}}}\n"
    )
    (upstream / "nova.yaml").write_text(
        "type: service\nrepository-settings: {openstack/nova: {}}\nreleases:\n"
        f"- {{version: 33.0.1, projects: [{{repo: openstack/nova, hash: {'b' * 40}}}]}}\n"
    )
    (upstream.parent / "uc.txt").write_text("")
    before = file.read_text()
    command = ["update", "2026.1", "--releases", str(upstream), "--constraints", str(tmp_path / "uc.txt")]
    done = RUNNER.invoke(release.app, [*command, "--json"])
    assert [(row["old"], row["new"]) for row in json.loads(done.stdout)] == [("33.0.0", "33.0.1")]
    assert file.read_text() == before
    done = RUNNER.invoke(release.app, [*command, "--apply"])
    assert "no sdist on the index" in done.stderr
    assert 'version: "33.0.1"' in file.read_text()
    assert RUNNER.invoke(release.app, [*command]).stdout == ""


def test_signatures_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "key.asc").write_text("")
    command = ["signatures", "2026.1", "--site", tmp_path.as_uri(), "--key", str(tmp_path / "key.asc")]
    done = RUNNER.invoke(release.app, [*command, "keystone", "--json"])
    (row,) = json.loads(done.stdout)
    assert (row["project"], row["good"]) == ("keystone", False)
    assert "openstack/keystone/keystone-" in row["why"]
    assert done.exit_code == 1
    assert isinstance(RUNNER.invoke(release.app, [*command, "keystoen"]).exception, UnknownNameError)
