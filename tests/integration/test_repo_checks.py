"""``rdo repo lint`` and ``rdo repo try --each`` over a small repository of good and bad packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.repository import keys
from tests.integration.repository_tools import Tiny, paths_in, record, run

pytestmark = [pytest.mark.root, pytest.mark.mirror]

_WHICH = ("--release", "2026.1", "--platform", "debian13")
_SITE = "/usr/lib/python3.13/site-packages"

_PACKAGES = (
    Tiny("good", content="import json\\n", path=f"{_SITE}/good.py"),
    # what it imports is in the platform, and it doesn't say so
    Tiny("forgetful", content="import yaml\\n", path=f"{_SITE}/forgetful.py"),
    Tiny("honest", requires=("python3dist(pyyaml)",), content="import yaml\\n", path=f"{_SITE}/honest.py"),
    # what a module wants of its surroundings is not what this is about
    Tiny("demanding", content="raise RuntimeError\\n", path=f"{_SITE}/demanding.py"),
    Tiny("misplaced", path="/usr/local/share/misplaced"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that has published the packages."""
    home = tmp_path_factory.mktemp("checks") / "home"
    paths = paths_in(home)
    keys.create(paths)
    record(paths, home / "packages", *_PACKAGES)
    return home


@pytest.fixture(autouse=True)
def _installation(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDO_HOME", str(home))
    monkeypatch.delenv("RDO_CACHE", raising=False)
    assert open_installation().paths.state == home / "state"


def test_lint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "repo", "publish", *_WHICH)[0] == 0
    status, out, err = run(capsys, "repo", "lint", *_WHICH, "--json")
    assert status == 1, err
    errors = {(r["package"], r["check"]) for r in json.loads(out)["remarks"] if r["level"] == "E"}
    assert {p for p, check in errors if check == "dir-or-file-in-usr-local"} == {"misplaced.noarch"}
    # kept by content
    assert json.loads(run(capsys, "repo", "lint", *_WHICH, "--json")[1]) == json.loads(out)


def test_each_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "repo", "publish", *_WHICH)[0] == 0
    status, out, err = run(capsys, "repo", "try", *_WHICH, "--each", "*", "--json")
    assert status == 1, err
    found = {row["package"]: row["problems"] for row in json.loads(out)}
    problems = found.pop("forgetful")
    assert problems == ["import forgetful: ModuleNotFoundError: No module named 'yaml'"]
    assert found == {"rdo-obsolete-packages": [], "good": [], "honest": [], "demanding": [], "misplaced": []}

    status, _, err = run(capsys, "repo", "try", *_WHICH, "--each", "nothing*")
    assert (status, "nothing*" in err) == (2, True)
