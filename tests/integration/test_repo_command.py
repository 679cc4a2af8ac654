"""``rdo repo`` from a recorded run to a published repository, with the real platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.common.paths import Paths
from rdo.repository import keys
from tests.integration.repository_tools import Tiny, paths_in, record, run

pytestmark = [pytest.mark.root, pytest.mark.mirror]

_WHICH = ("--release", "2026.1", "--platform", "debian13")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    paths = paths_in(tmp_path / "home")
    monkeypatch.setenv("RDO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RDO_CACHE", raising=False)
    assert open_installation().paths.cache == paths.cache
    return paths


def test_publish_check_show_list(capsys: pytest.CaptureFixture[str], paths: Paths, tmp_path: Path) -> None:
    assert run(capsys, "repo", "publish", *_WHICH)[0] == 2
    keys.create(paths)
    status, _, err = run(capsys, "repo", "publish", *_WHICH)
    assert (status, "Nothing was built" in err) == (2, True)

    needs_platform = Tiny("alpha", requires=("beta", "python3dist(pyyaml) >= 5", "/usr/bin/python3"))
    record(paths, tmp_path / "one", needs_platform, Tiny("beta"))
    status, out, err = run(capsys, "repo", "publish", *_WHICH, "--address", "http://192.0.2.1/", "--json")
    assert status == 0, err
    published = json.loads(out)
    assert published["changed"] is True
    # with rdo-release and rdo-obsolete-packages, of one source package
    assert (published["packages"], published["sources"]) == (4, 3)
    assert published["address"] == "http://192.0.2.1/debian13-2026.1/mirrorlist"
    again = json.loads(run(capsys, "repo", "publish", *_WHICH, "--address", "http://192.0.2.1/", "--json")[1])
    assert again == published | {"changed": False}

    status, out, _ = run(capsys, "repo", "check", *_WHICH, "--json")
    assert status == 0
    assert json.loads(out)["clean"] is True
    files = json.loads(run(capsys, "repo", "show", *_WHICH, "--json")[1])["files"]
    assert "alpha-1-1.noarch.rpm" in files
    assert json.loads(run(capsys, "repo", "list", "--json")[1])[0]["name"] == "debian13-2026.1"

    record(paths, tmp_path / "two", Tiny("alpha", "2", requires=("python3dist(pyyaml) >= 99",)))
    status, _, err = run(capsys, "repo", "publish", *_WHICH)
    assert status == 1
    assert "python3dist(pyyaml) >= 99" in err
    assert "nothing was published" in err
    assert json.loads(run(capsys, "repo", "show", *_WHICH, "--json")[1])["digest"] == published["digest"]

    record(paths, tmp_path / "three", Tiny("beta"), outcome="failed")
    status, _, err = run(capsys, "repo", "publish", *_WHICH)
    assert (status, "has not succeeded: it is failed" in err) == (2, True)

    (Path(published["path"]) / "Packages" / "beta-1-1.noarch.rpm").unlink()
    status, out, _ = run(capsys, "repo", "check", *_WHICH)
    assert status == 1
    assert "beta-1-1.noarch.rpm: missing" in out


def test_unknown_names(capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
    status, _, err = run(capsys, "repo", "check", "--release", "2026.9")
    assert (status, "2026.1" in err) == (2, True)
    assert not paths.state.exists()
