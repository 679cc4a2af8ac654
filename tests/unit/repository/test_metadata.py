from __future__ import annotations

from pathlib import Path

import pytest
import solv

from rdo.common.errors import RdoError
from rdo.repository import metadata
from rdo.repository.metadata import Entry, RpmFile
from tests.unit.repository.tiny_rpm import write_rpm


def _contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "repodata").iterdir()}


def test_equal_packages_make_equal_metadata_wherever_and_in_whatever_order(tmp_path: Path) -> None:
    written = []
    for name, order in (("a", ("alpha", "beta")), ("b", ("beta", "alpha"))):
        rpms = [write_rpm(tmp_path / name, package, built=1_700_000_000) for package in order]
        for rpm in rpms:
            rpm.path.touch()
        repomd = metadata.write([metadata.describe(rpm) for rpm in rpms], tmp_path / name / "out")
        written.append((repomd, _contents(tmp_path / name / "out")))
    assert written[0] == written[1]
    assert written[0][1]["repomd.xml"] == written[0][0]


def test_times_are_the_newest_package_s_build_time(tmp_path: Path) -> None:
    rpms = [write_rpm(tmp_path, "alpha", built=1000), write_rpm(tmp_path, "beta", built=2000)]
    repomd = metadata.write([metadata.describe(rpm) for rpm in rpms], tmp_path / "out")
    assert b"<revision>2000</revision>" in repomd
    assert b"<timestamp>2000</timestamp>" in repomd


def test_the_solver_reads_what_was_written(tmp_path: Path) -> None:
    rpm = write_rpm(tmp_path, "alpha", requires=["beta >= 2"], files={"/usr/bin/alpha": b"x"})
    metadata.write([metadata.describe(rpm)], tmp_path / "out")
    pool = solv.Pool()
    repo = pool.add_repo("written")
    for kind, flags in (("primary", 0), ("filelists", solv.Repo.REPO_EXTEND_SOLVABLES)):
        (path,) = (tmp_path / "out" / "repodata").glob(f"*-{kind}.xml.gz")
        assert repo.add_rpmmd(solv.xfopen(str(path)), None, flags)
    (solvable,) = repo.solvables
    assert str(solvable) == "alpha-1-1.noarch"
    assert [str(dep) for dep in solvable.lookup_deparray(solv.SOLVABLE_REQUIRES)] == ["beta >= 2"]


def test_an_rpm_is_read_once(tmp_path: Path) -> None:
    rpm = write_rpm(tmp_path, "alpha", files={"/usr/share/alpha/data": b"hello"})
    first = metadata.describe(rpm, tmp_path / "cache")
    rpm.path.unlink()
    assert metadata.describe(rpm, tmp_path / "cache") == first
    assert [(e.path, e.kind) for e in first.files] == [("/usr/share/alpha/data", "file")]
    assert isinstance(first.files[0], Entry)
    assert first.files[0].digest.startswith("2cf24dba")


def test_a_damaged_cache_is_read_around(tmp_path: Path) -> None:
    rpm = write_rpm(tmp_path, "alpha")
    first = metadata.describe(rpm, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.json")
    kept.write_text("{}")
    assert metadata.describe(rpm, tmp_path / "cache") == first


def test_what_is_no_rpm_or_not_the_right_one_is_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk.rpm"
    junk.write_text("junk")
    with pytest.raises(RdoError, match=r"junk\.rpm can't be read"):
        metadata.describe(RpmFile.of(junk))
    rpm = write_rpm(tmp_path, "alpha")
    write_rpm(tmp_path, "alpha", note="changed since")
    with pytest.raises(RdoError, match="not what it was"):
        metadata.describe(rpm)


def test_no_packages_make_metadata_too(tmp_path: Path) -> None:
    assert b"<revision>0</revision>" in metadata.write([], tmp_path)
