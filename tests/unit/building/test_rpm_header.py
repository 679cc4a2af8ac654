from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdo.building.rpm_facts import facts_of, files_of
from rdo.building.rpm_header import RpmHeaderError, read_header, read_whole
from tests.unit.building import rpm_writer
from tests.unit.building.test_acceptance import GOOD


def test_a_header_is_read(tmp_path: Path) -> None:
    tags = read_header(rpm_writer.write(tmp_path / "a.rpm", GOOD))
    assert tags == {name: list(values) for name, values in {**GOOD, **rpm_writer.OF_PAYLOAD}.items()}


@pytest.mark.parametrize("payload", [b"", b"payloae", b"payload and more"])
def test_a_payload_of_another_header_is_refused(tmp_path: Path, payload: bytes) -> None:
    """A process of the build can write to an RPM after rpmbuild has."""
    read_whole(rpm_writer.write(tmp_path / "good.rpm", GOOD))
    path = rpm_writer.write(tmp_path / "bad.rpm", GOOD, payload=payload)
    with pytest.raises(RpmHeaderError, match="payload that isn't"):
        read_whole(path)


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    odd = {**GOOD, "BASENAMES": ["a\udcff", *GOOD["BASENAMES"][1:]]}
    path = rpm_writer.write(tmp_path / "a.rpm", odd)
    assert read_header(path)["BASENAMES"][0] == "a\udcff"


@pytest.mark.parametrize("text", [b"", b"x" * 200, b"\xed\xab\xee\xdb" + bytes(300)])
def test_what_is_no_rpm_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.rpm"
    path.write_bytes(text)
    with pytest.raises(RpmHeaderError):
        read_header(path)


def test_tags_out_of_order_or_twice_are_refused(tmp_path: Path) -> None:
    """Readers differ in which of two values they take."""
    backwards = dict(reversed(GOOD.items()))
    with pytest.raises(RpmHeaderError, match="order"):
        read_header(rpm_writer.write(tmp_path / "a.rpm", backwards, order=False))


def test_a_header_without_its_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RpmHeaderError, match="region"):
        read_header(rpm_writer.write(tmp_path / "a.rpm", GOOD, region=61))


@pytest.mark.parametrize("tag", [1027, 1031, 1119, 1150, 1158, 4999, 5033, 5096, 5200, 40000])
def test_tags_that_rpmbuild_does_not_write_are_refused(tmp_path: Path, tag: int) -> None:
    """Where there are no BASENAMES, rpm installs the files of OLDFILENAMES (1027)."""
    path = rpm_writer.write(tmp_path / "a.rpm", GOOD, unknown={tag: ["/etc/cron.d/x"]})
    with pytest.raises(RpmHeaderError, match=f"doesn't write: {tag}"):
        read_header(path)


def test_a_file_that_is_told_of_twice_is_refused(tmp_path: Path) -> None:
    twice = {**GOOD, "BASENAMES": ["x"] * len(GOOD["BASENAMES"]), "DIRINDEXES": [0] * len(GOOD["BASENAMES"])}
    with pytest.raises(RpmHeaderError, match="twice"):
        files_of(read_header(rpm_writer.write(tmp_path / "a.rpm", twice)))


@pytest.mark.parametrize("count", [0, 5000, 0xFFFFFFFF])
def test_numbers_that_would_take_memory_are_refused(tmp_path: Path, count: int) -> None:
    path = rpm_writer.write(tmp_path / "a.rpm", GOOD)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\x8e\xad\xe8\x01") + 8
    for field in (at, at + 4):
        changed = data[:field] + struct.pack(">I", count) + data[field + 4 :]
        path.write_bytes(changed)
        with pytest.raises(RpmHeaderError):
            read_header(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_bytes_do_more_than_be_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    path = rpm_writer.write(tmp_path / "a.rpm", GOOD)
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[96 + place % (len(data) - 96)] = value
    path.write_bytes(data)
    try:
        tags = read_header(path)
        facts_of(tags)
        files_of(tags)
    except RpmHeaderError:
        pass
