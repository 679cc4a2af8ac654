"""Sources that are tarballs at an address, with a detached OpenPGP signature by the series' key."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from rdo.common.errors import InputError, RdoError
from rdo.distribution.models import Project, Release
from rdo.distribution.names import is_filename
from rdo.upstream.models import Source
from rdo.upstream.source_cache import SourceCache

_CHUNK = 1 << 18


class SignatureError(RdoError):
    """A signature is missing, broken, or by somebody else."""


class Downloader(Protocol):
    """What can bring the bytes at an address: :class:`rdo.upstream.index.Index` does."""

    def download(self, url: str, target: IO[bytes]) -> None:
        """Write what is at ``url`` into ``target``."""


@dataclass(frozen=True)
class TarballSource:
    """A tarball at ``url`` (https, http or file).

    With ``signature_url`` the detached signature there must be by one of ``signers``: OpenPGP certificates
    in armour or binary whose fingerprints are in ``fingerprints`` (those of the release's data). One of
    hash and signature has to be stated.
    """

    url: str
    sha256: str | None = None
    signature_url: str | None = None
    signers: tuple[bytes, ...] = ()
    fingerprints: tuple[str, ...] = ()

    @classmethod
    def of_release(
        cls, release: Release, project: Project, site: str, signers: Sequence[bytes]
    ) -> TarballSource:
        """Return a project's tarball on OpenStack's site, which is the sdist that the release locks.

        :param site: address of the site, below which there is ``<repository>/<file>`` and ``<file>.asc``
        :param signers: certificates; those count whose fingerprints the release's data name
        :raises InputError: the release locks no such source, or its data name no keys
        """
        if not release.signing_keys:
            raise InputError(f"The data of {release.series} name no signing keys.")
        versions = [pin.version for pin in release.pins.get(project.dist, ())] or [project.version]
        lock = release.sources.get((project.dist, versions[0]))
        if lock is None:
            raise InputError(
                f"The release {release.series} locks no source of {project.dist} {versions[0]}.",
                hint=f"Add it: rdo release lock {release.series} {project.dist}",
            )
        url = f"{site.rstrip('/')}/{project.repository}/{lock.filename}"
        return cls(url, lock.sha256, f"{url}.asc", tuple(signers), release.signing_keys)

    @property
    def filename(self) -> str:
        """The last part of the address.

        :raises InputError: that is no file's name
        """
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.url).path.rpartition("/")[2])
        if not is_filename(name):
            raise InputError(f"{self.url}: its last part, {name!r}, is no plain file name.")
        return name

    def fetch(self, cache: SourceCache, downloader: Downloader) -> Source:
        """Bring the tarball into the cache, or find it there, and verify it.

        :raises HashMismatchError: the content is not what ``sha256`` says
        :raises SignatureError: the signature doesn't verify; a file that was brought for it is put aside
        """
        if self.sha256 is None and self.signature_url is None:
            raise SignatureError(
                f"{self.url}: neither a hash nor a signature is stated; nothing to verify by."
            )
        known = cache.find(self.filename, self.sha256) if self.sha256 else None
        source = known or cache.add(
            self.filename, self.sha256, lambda target: _bring(self.url, target, downloader)
        )
        if self.signature_url is not None:
            with cache.incoming() as stream:
                _bring(self.signature_url, stream, downloader)
                stream.seek(0)
                signature = stream.read()
            try:
                verify_detached(source.path, signature, self.signers, self.fingerprints, self.filename)
            except SignatureError as error:
                if known is not None:
                    raise  # it is what the hash says, and others may be using it
                aside = cache.reject(source)
                raise SignatureError(error.what, hint=f"The file is kept for a look at {aside}.") from error
        return source


def verify_detached(
    path: Path, signature: bytes, signers: Sequence[bytes], fingerprints: Sequence[str], name: str
) -> str:
    """Check a detached signature; return the fingerprint of the certificate that made it.

    :param fingerprints: of the certificates (or ends of them, 16 digits or more) that are trusted
    :raises SignatureError: it isn't a good signature by a trusted certificate
    """
    import pysequoia

    try:
        certificates = [pysequoia.Cert.from_bytes(signer) for signer in signers]
    except (RuntimeError, ValueError) as error:
        raise SignatureError(f"{name}: a signing certificate can't be read: {_first_line(error)}") from error
    trusted = [c for c in certificates if _is_trusted(c.fingerprint, fingerprints)]
    if not trusted:
        raise SignatureError(
            f"{name}: no certificate at hand is a signing key of the release ({', '.join(fingerprints)})."
        )
    try:
        verified = pysequoia.verify(
            file=str(path), store=lambda _ids: trusted, signature=pysequoia.Sig.from_bytes(signature)
        )
    except (RuntimeError, ValueError) as error:
        raise SignatureError(f"{name}: the signature is not good: {_first_line(error)}") from error
    for valid in verified.valid_sigs:
        return str(valid.certificate).upper()
    raise SignatureError(f"{name}: there is no good signature by a trusted key.")


def _is_trusted(fingerprint: str, trusted: Sequence[str]) -> bool:
    own = fingerprint.upper()
    ends = [entry.upper().replace(" ", "").removeprefix("0X") for entry in trusted]
    return any(len(end) >= 16 and own.endswith(end) for end in ends)


def _first_line(error: Exception) -> str:
    # the binding appends a stack trace of its own
    return str(error).partition("\n")[0]


def _bring(url: str, target: IO[bytes], downloader: Downloader) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "file":
        downloader.download(url, target)
        return
    try:
        with Path(urllib.parse.unquote(parts.path)).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                target.write(chunk)
    except OSError as error:
        raise RdoError(f"{url} can't be read: {error.strerror}") from error
