"""The OpenPGP key that signs packages and repositories.

It is an RSA-4096 key of OpenPGP version 4 with a signing subkey, which the rpm and dnf of EL 9, EL 10 and
Debian 13 all accept. It lives outside of every checkout, in a folder of mode 0700 and a file of mode 0600,
and it is never overwritten: losing or replacing it cuts off every host that trusts it.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pysequoia

from rdo.common.errors import InputError, RdoError
from rdo.common.files import locked, make_folder
from rdo.common.paths import Paths

DEFAULT_NAME = "RDO"
DEFAULT_EMAIL = "dev@lists.rdoproject.org"

_FILE = "rdo-signing.asc"
_PATIENCE = 300.0  # seconds for another process that makes the key just now
_NAME = re.compile(r"[^<>()\x00-\x1f]{1,200}")
_EMAIL = re.compile(r"[^<>()\s@]{1,200}@[^<>()\s@]{1,200}")


@dataclass(frozen=True)
class Key:
    """A signing key, without its secret.

    ``fingerprint`` is the primary key's and ``signing_fingerprint`` that of the subkey which signs, each 40
    upper-case hexadecimal digits; ``public`` is the armored public key; ``path`` is the file of the secret.
    """

    fingerprint: str
    signing_fingerprint: str
    user_id: str
    created: datetime
    public: str
    path: Path

    def secret(self) -> bytes:
        """Return the secret key, armored. Give it to nothing but a pipe or a memory-backed file.

        :raises RdoError: the file is readable for others
        """
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            raise RdoError(
                f"The signing key {self.path} is open to other users (mode {mode:04o}).",
                hint=f"chmod 0600 {self.path}, and think about who may have read it.",
            )
        return self.path.read_bytes()

    def sign_detached(self, data: bytes) -> str:
        """Return an armored detached signature of ``data``."""
        signer = pysequoia.Tsk.from_bytes(self.secret()).signer()
        signed: bytes = pysequoia.sign(signer, data, mode=pysequoia.SignatureMode.DETACHED)
        return signed.decode("ascii")

    def verify_detached(self, data: bytes, signature: str) -> bool:
        """Say whether ``signature`` is this key's over ``data``."""
        certificate = pysequoia.Cert.from_bytes(self.public.encode("ascii"))
        try:
            sig = pysequoia.Sig.from_bytes(signature.encode("ascii"))
            pysequoia.verify(bytes=data, store=lambda _ids: [certificate], signature=sig)
        except (RuntimeError, ValueError):
            return False
        return True


def create(paths: Paths, *, name: str = DEFAULT_NAME, email: str = DEFAULT_EMAIL) -> Key:
    """Make the installation's key (takes seconds: it looks for large primes) and return it.

    :raises InputError: there is a key already, or the name or address can't stand in a user id
    :raises RdoError: another process has been making one for minutes
    """
    if not _NAME.fullmatch(name) or name != name.strip():
        raise InputError(f"{name!r} can't be the name of a key's owner.")
    if not _EMAIL.fullmatch(email):
        raise InputError(f"{email!r} is no mail address.")
    make_folder(paths.keys, private=True)
    with locked(paths.keys / ".lock", limit=_PATIENCE):
        _refuse_existing(paths)
        tsk = pysequoia.Tsk.generate(
            f"{name} <{email}>",
            cipher_suite=pysequoia.CipherSuite.RSA4k,
            encryption_algorithm=pysequoia.EncryptionAlgorithm.X25519,
        )
        _write_new(paths.keys / _FILE, str(_without_encryption(tsk)).encode("ascii"))
    return load(paths)


def load(paths: Paths) -> Key:
    """Return the installation's key.

    :raises InputError: there is none yet
    :raises RdoError: its file is damaged
    """
    path = paths.keys / _FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("There is no signing key yet.", hint="Make one with: rdo key create") from None
    try:
        tsk = pysequoia.Tsk.from_bytes(content)
        packets = list(pysequoia.packet.PacketPile.from_bytes(bytes(tsk)))
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise RdoError(
            f"The signing key {path} is damaged: {reason}.", hint="Restore it from a backup."
        ) from None
    certificate = tsk.extract_certificate()
    keys = [packet for packet in packets if packet.fingerprint]
    return Key(
        fingerprint=certificate.fingerprint.upper(),
        signing_fingerprint=keys[-1].fingerprint.upper(),
        user_id=str(certificate.user_ids[0]),
        created=keys[0].key_created,
        public=str(certificate),
        path=path,
    )


def ensure(paths: Paths) -> Key:
    """Return the installation's key, made with the default owner if there is none."""
    if not (paths.keys / _FILE).exists():
        try:
            return create(paths)
        except InputError:
            if not (paths.keys / _FILE).exists():
                raise
    return load(paths)


def fingerprint(public: str | bytes) -> str:
    """Return the fingerprint of a public key, 40 upper-case hexadecimal digits."""
    data = public.encode("ascii") if isinstance(public, str) else public
    text: str = pysequoia.Cert.from_bytes(data).fingerprint
    return text.upper()


def _refuse_existing(paths: Paths) -> None:
    path = paths.keys / _FILE
    if path.exists():
        raise InputError(
            f"There is a signing key already: {path}.",
            hint="It is never overwritten: hosts that trust it would refuse a repository signed by another. "
            "To start anew, move the file away yourself.",
        )


def _write_new(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 that must not exist yet; whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()


def _without_encryption(tsk: pysequoia.Tsk) -> pysequoia.Tsk:
    """Drop the encryption subkey, which nobody needs: of key, user id and two subkeys three remain."""
    packets = list(pysequoia.packet.PacketPile.from_bytes(bytes(tsk)))
    kept, keeping = [], True
    for packet in packets:
        if packet.fingerprint:
            keeping = packet.key_algorithm == pysequoia.packet.PublicKeyAlgorithm.RSAEncryptSign
        if keeping:
            kept.append(packet)
    return pysequoia.Tsk.from_packets(kept)
