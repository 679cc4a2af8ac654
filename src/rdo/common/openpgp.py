"""OpenPGP keys of others: which ones a file has, and whether one of them signed something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdo.common.errors import RdoError


class KeyDataError(RdoError):
    """What should be public keys can't be read as such."""


class BadSignatureError(RdoError):
    """A signature is not one of the keys that are trusted, or not of this content."""


def plain_fingerprint(text: str) -> str:
    """Return a fingerprint without blanks and in upper case, as all of them are compared."""
    return "".join(text.split()).upper()


def fingerprints(keys: bytes) -> list[str]:
    """Return the fingerprints of all public keys in a file's content, armored or not.

    :raises KeyDataError: there is none, or there is a private one
    """
    return [plain_fingerprint(certificate.fingerprint) for certificate in _certificates(keys)]


def require_signature(data: bytes, signature: bytes, keys: bytes, what: str) -> str:
    """Check a detached signature; return the fingerprint of the key that made it.

    :param keys: the content of a file of the keys that are trusted
    :param what: how the signed thing is called in an error
    :raises BadSignatureError: none of the keys has signed ``data``
    :raises KeyDataError: the keys can't be read
    """
    import pysequoia

    trusted = _certificates(keys)
    try:
        verified = pysequoia.verify(
            bytes=data, store=lambda _ids: trusted, signature=pysequoia.Sig.from_bytes(signature)
        )
    except (RuntimeError, ValueError) as error:
        known = ", ".join(plain_fingerprint(certificate.fingerprint) for certificate in trusted)
        raise BadSignatureError(
            f"The signature of {what} is not good ({_first_line(error)}); the key that must have made it is"
            f" {known}."
        ) from error
    for valid in verified.valid_sigs:
        return plain_fingerprint(str(valid.certificate))
    raise BadSignatureError(f"There is no good signature of {what} by a trusted key.")


def _certificates(keys: bytes) -> Sequence[Any]:
    import pysequoia

    if b"PRIVATE KEY" in keys:
        raise KeyDataError("This is a private key, which nobody else may have.")
    try:
        found: Sequence[Any] = pysequoia.Cert.split_bytes(keys)
    except (RuntimeError, ValueError) as error:
        raise KeyDataError(f"This is no OpenPGP key: {_first_line(error)}") from error
    if not found:
        raise KeyDataError("This is no OpenPGP key.")
    return found


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
