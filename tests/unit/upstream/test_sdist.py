from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from rdo.upstream.sdist import SdistError, read_sdist
from tests.unit.upstream.sdists import add, make_sdist, source_of


def nothing(_name: str) -> bool:
    return False


@pytest.mark.parametrize("zipped", [False, True])
def test_lists_files_below_the_top_folder_and_reads_wanted_ones(tmp_path: Path, zipped: bool) -> None:
    source = make_sdist(tmp_path, "a", "1", {"PKG-INFO": "x\r\ny", "b/c.py": "pass"}, zipped=zipped)
    contents = read_sdist(source, lambda name: name == "PKG-INFO")
    assert contents.top_folder == "a-1"
    assert contents.files == ("PKG-INFO", "b/c.py")
    assert contents.text("PKG-INFO") == "x\ny"
    assert contents.text("b/c.py") is None


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a-1/../../evil", "a-1\\evil"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "a-1/PKG-INFO", b"")
        add(tar, name, b"")
    with pytest.raises(SdistError, match=r"a-1\.tar\.gz.*outside"):
        read_sdist(source_of(path), nothing)


def test_names_in_a_zip_that_lead_outside_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a-1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a-1/../../evil", "")
    with pytest.raises(SdistError, match="outside"):
        read_sdist(source_of(path), nothing)


def link(path: Path, target: str, kind: bytes) -> None:
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "a-1/docs/x", b"")
        info = tarfile.TarInfo("a-1/docs/link")
        info.type, info.linkname = kind, target
        tar.addfile(info)


@pytest.mark.parametrize("target", ["../../../etc/passwd", "/etc/passwd", "../../b-1/x"])
def test_links_that_lead_outside_are_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "a-1.tar.gz"
    link(path, target, tarfile.SYMTYPE)
    with pytest.raises(SdistError, match="link"):
        read_sdist(source_of(path), nothing)


def test_links_inside_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    link(path, "../docs/x", tarfile.SYMTYPE)
    assert read_sdist(source_of(path), nothing).files == ("docs/link", "docs/x")
    link(path, "a-1/docs/x", tarfile.LNKTYPE)
    assert read_sdist(source_of(path), nothing).files == ("docs/link", "docs/x")


def test_devices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    link(path, "", tarfile.FIFOTYPE)
    with pytest.raises(SdistError, match="device"):
        read_sdist(source_of(path), nothing)


def test_two_top_folders_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "a-1/x", b"")
        add(tar, "b-1/x", b"")
    with pytest.raises(SdistError, match="top folder"):
        read_sdist(source_of(path), nothing)


@pytest.mark.parametrize("kept", [0, 20, 200])
def test_a_cut_off_archive_is_named(tmp_path: Path, kept: int) -> None:
    source = make_sdist(tmp_path, "a", "1", {f"{n}.py": str(n) * 500 for n in range(50)})
    source.path.write_bytes(source.path.read_bytes()[:kept])
    with pytest.raises(SdistError, match=r"a-1\.tar\.gz"):
        read_sdist(source, nothing)


def test_too_much_unpacked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdo.upstream.sdist.MAX_UNPACKED", 1000)
    source = make_sdist(tmp_path, "a", "1", {"big": "x" * 2000})
    with pytest.raises(SdistError, match="too large"):
        read_sdist(source, nothing)


def test_names_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        add(tar, "a-1/caf\xe9", b"")
    assert read_sdist(source_of(path), nothing).files == ("caf\N{REPLACEMENT CHARACTER}",)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    source = make_sdist(tmp_path, "a", "1", {"PKG-INFO": "x"}, zipped=True)
    data = bytearray(source.path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    source.path.write_bytes(data)
    with pytest.raises(SdistError, match="encrypted"):
        read_sdist(source, lambda name: name == "PKG-INFO")
