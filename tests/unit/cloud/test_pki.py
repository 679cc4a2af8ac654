"""Certificates are made once, for the right names, and made anew when they have to be."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from rdo.cloud import pki
from rdo.cloud.pki import Authority
from rdo.common.errors import InputError

ADDRESS = ip_address("192.0.2.10")


def test_a_host_s_certificate_is_the_authority_s_and_stays(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    made = authority.host("one", ADDRESS)
    found = x509.load_pem_x509_certificate(made.certificate.encode())
    own = x509.load_pem_x509_certificate(authority.certificate.encode())
    found.verify_directly_issued_by(own)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ADDRESS in names.get_values_for_type(x509.IPAddress)
    assert "one" in names.get_values_for_type(x509.DNSName)
    assert authority.host("one", ADDRESS) == made and authority.is_fresh
    assert not (tmp_path / "pki").exists(), "who only looks leaves nothing behind"
    authority.keep()
    again = Authority(tmp_path / "pki")
    assert again.host("one", ADDRESS) == made and not again.is_fresh


def kept(folder: Path) -> Authority:
    authority = Authority(folder)
    authority.host("one", ADDRESS)
    authority.keep()
    return authority


def test_keys_are_private(tmp_path: Path) -> None:
    kept(tmp_path / "pki")
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    for key in (tmp_path / "pki").glob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(Authority(tmp_path / "pki").host("one", ADDRESS))


def test_another_address_or_a_near_end_makes_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "pki")
    made = authority.host("one", ADDRESS)
    moved = authority.host("one", ip_address("192.0.2.11"))
    assert moved.certificate != made.certificate
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=350)
    monkeypatch.setattr(pki, "_now", lambda: later)
    assert authority.host("one", ip_address("192.0.2.11")).ends > moved.ends


def test_an_operator_s_own_authority_is_used_or_refused(tmp_path: Path) -> None:
    other = kept(tmp_path / "other")
    text = other.certificate
    folder = tmp_path / "pki"
    folder.mkdir()
    (folder / "ca.crt").write_text(text)
    with pytest.raises(InputError, match="no usable authority"):
        Authority(folder).host("one", ADDRESS)
    (folder / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    assert Authority(folder).certificate == text
    third = kept(tmp_path / "third")
    assert third.certificate
    (folder / "ca.key").write_bytes((tmp_path / "third" / "ca.key").read_bytes())
    with pytest.raises(InputError, match="is not the key of"):
        Authority(folder).host("one", ADDRESS)
