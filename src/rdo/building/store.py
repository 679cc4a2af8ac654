"""The content-addressed store: RPMs and logs by their SHA-256, results of builds by their input hash.

A local folder by default, or any URL that fsspec knows (``s3://…``, ``memory://…``) for many machines. What
is stored is whole or absent, and a result is recorded only after all that it names is stored, so a result
that is found can be relied on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from rdo.building.judgement import Judgement, judged
from rdo.building.models import Artifact, BuildResult
from rdo.common.errors import InputError, RdoError
from rdo.common.files import make_folder, sha256_bytes, sha256_file, write_atomically
from rdo.common.installation import Installation


class DamagedError(RdoError):
    """Stored content does not have the hash it is stored under; it was set aside."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"The store's {digest} was damaged and has been set aside.",
            hint="Run the command again: what it belonged to is built anew.",
        )
        self.digest = digest


class MissingError(RdoError):
    """Nothing is stored under a hash."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"The store has no {digest}.")
        self.digest = digest


class Store(Protocol):
    """Content by hash, and build results by input hash. Stores cross process borders."""

    def put(self, path: Path) -> str:
        """Store a file's content and return its SHA-256.

        What is there already and whole, as far as can be told without fetching it from far away, is not
        written again; what is damaged is replaced.
        """

    def has(self, digest: str) -> bool:
        """Return whether there is content of this hash (not whether it is undamaged)."""

    def intact(self, artifact: Artifact) -> bool:
        """Return whether an artifact is there, as far as can be told without fetching it from far away."""

    def path(self, digest: str) -> Path:
        """Return a local, read-only file with the content; it is verified.

        :raises MissingError: nothing is stored under this hash
        :raises DamagedError: the content is not what it should be
        """

    def record(self, result: BuildResult) -> None:
        """Record a successful build under its input hash.

        :raises MissingError: an artifact or the log isn't stored; nothing is recorded
        """

    def recorded(self, input_hash: str) -> BuildResult | None:
        """Return the recorded result, or None if there is no record or one of its artifacts is damaged.

        A result whose log is lost comes without one.
        """

    def maker(self, digest: str) -> BuildResult | None:
        """Return the last recorded result that has an artifact of this hash, or None."""


class LocalStore:
    """A store in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, path: Path) -> str:
        """Store a file's content and return its SHA-256; what is damaged is replaced."""
        digest = sha256_file(path)
        target = self._place(digest)
        with suppress(FileNotFoundError):
            if sha256_file(target) == digest:
                return digest
        make_folder(target.parent)
        descriptor, name = tempfile.mkstemp(prefix=".new.", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream, path.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
                os.fchmod(stream.fileno(), 0o444)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def has(self, digest: str) -> bool:
        """Return whether there is content of this hash (not whether it is undamaged)."""
        return self._place(digest).exists()

    def intact(self, artifact: Artifact) -> bool:
        """Return whether an artifact is there and its content has its hash; set it aside otherwise."""
        try:
            self.path(artifact.sha256)
        except (MissingError, DamagedError):
            return False
        return True

    def path(self, digest: str) -> Path:
        """Return the stored file itself, verified; nobody may write to it."""
        place = self._place(digest)
        try:
            found = sha256_file(place)
        except FileNotFoundError:
            raise MissingError(digest) from None
        if found != digest:
            self._set_aside(place, digest)
            raise DamagedError(digest)
        return place

    def record(self, result: BuildResult) -> None:
        """Record a successful build whose artifacts and log are stored."""
        _require_stored(self, result)
        if (judgement := Judgement.of(result)) is not None:
            write_atomically(self._judgement(result.input_hash), judgement.model_dump_json())
        write_atomically(self._record(result.input_hash), result.model_dump_json(indent=1))
        for artifact in result.artifacts:
            write_atomically(self._maker(artifact.sha256), result.input_hash, durable=False)

    def recorded(self, input_hash: str) -> BuildResult | None:
        """Return the recorded result, or None if there is no record or one of its artifacts is damaged."""
        return _reliable(self, self._read(input_hash))

    def maker(self, digest: str) -> BuildResult | None:
        """Return the last recorded result that has an artifact of this hash, or None."""
        try:
            input_hash = self._maker(digest).read_text()
        except FileNotFoundError:
            return None
        return _having(digest, self._read(input_hash))

    def _read(self, input_hash: str) -> BuildResult | None:
        try:
            result = BuildResult.model_validate_json(self._record(input_hash).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        with suppress(FileNotFoundError):
            return judged(result, self._judgement(input_hash).read_bytes())
        return result

    def _set_aside(self, place: Path, digest: str) -> None:
        """Move damaged content out of the way, unless somebody else has done so or replaced it meanwhile."""
        aside = place.with_name(f"{digest}.damaged")
        with suppress(FileNotFoundError):
            place.replace(aside)
            if sha256_file(aside) == digest:
                aside.replace(place)

    def _place(self, digest: str) -> Path:
        return self.folder / "content" / digest[:2] / digest

    def _maker(self, digest: str) -> Path:
        return self.folder / "makers" / digest[:2] / digest

    def _judgement(self, input_hash: str) -> Path:
        return self.folder / "expected" / input_hash[:2] / f"{input_hash}.json"

    def _record(self, input_hash: str) -> Path:
        return self.folder / "results" / input_hash[:2] / f"{input_hash}.json"


class RemoteStore:
    """A store behind any fsspec URL; what is read from it is kept in a local store.

    Object stores show an object only when it is whole. Other file systems get it under a temporary name
    first, then by rename.
    """

    def __init__(self, url: str, local: LocalStore) -> None:
        self.url, self.local = url.rstrip("/"), local
        self._opened: tuple[Any, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "local": self.local, "_opened": None}

    def put(self, path: Path) -> str:
        """Store a file's content and return its SHA-256; what is there in its full size is not sent again."""
        digest = self.local.put(path)
        content = self.local.path(digest)
        if self._size(digest) != content.stat().st_size:
            self._send(self._place(digest), content.read_bytes())
        return digest

    def has(self, digest: str) -> bool:
        """Return whether there is content of this hash (not whether it is undamaged)."""
        return bool(self._fs()[0].exists(self._place(digest)))

    def intact(self, artifact: Artifact) -> bool:
        """Return whether an artifact is there in its full size."""
        return self._size(artifact.sha256) == artifact.size

    def path(self, digest: str) -> Path:
        """Return the local copy, verified; it is fetched if there is none yet, or a damaged one."""
        with suppress(MissingError, DamagedError):
            return self.local.path(digest)
        filesystem, _ = self._fs()
        place = self._place(digest)
        try:
            content: bytes = filesystem.cat_file(place)
        except FileNotFoundError:
            raise MissingError(digest) from None
        if sha256_bytes(content) != digest:
            # another reader may have been quicker
            with suppress(FileNotFoundError):
                filesystem.mv(place, f"{place}.damaged")
            raise DamagedError(digest)
        write_atomically(self.local.folder / "content" / digest[:2] / digest, content, mode=0o444)
        return self.local.path(digest)

    def record(self, result: BuildResult) -> None:
        """Record a successful build whose artifacts and log are stored."""
        _require_stored(self, result)
        if (judgement := Judgement.of(result)) is not None:
            self._send(self._judgement(result.input_hash), judgement.model_dump_json().encode())
        self._send(self._record(result.input_hash), result.model_dump_json(indent=1).encode())
        for artifact in result.artifacts:
            self._send(self._maker(artifact.sha256), result.input_hash.encode())

    def recorded(self, input_hash: str) -> BuildResult | None:
        """Return the recorded result, or None if there is no record or an artifact lacks some bytes."""
        return _reliable(self, self._read(input_hash))

    def maker(self, digest: str) -> BuildResult | None:
        """Return the last recorded result that has an artifact of this hash, or None."""
        try:
            input_hash = self._fs()[0].cat_file(self._maker(digest)).decode()
        except FileNotFoundError:
            return None
        return _having(digest, self._read(input_hash))

    def _read(self, input_hash: str) -> BuildResult | None:
        filesystem, _ = self._fs()
        try:
            result = BuildResult.model_validate_json(filesystem.cat_file(self._record(input_hash)))
        except (FileNotFoundError, ValidationError):
            return None
        with suppress(FileNotFoundError):
            return judged(result, filesystem.cat_file(self._judgement(input_hash)))
        return result

    def _size(self, digest: str) -> int | None:
        """Return the bytes of a stored object, None where there is none."""
        filesystem, _ = self._fs()
        try:
            return int(filesystem.info(self._place(digest))["size"])
        except FileNotFoundError:
            return None

    def _fs(self) -> tuple[Any, str]:
        if self._opened is None:
            from fsspec.core import url_to_fs

            self._opened = url_to_fs(self.url)
        return self._opened

    def _send(self, place: str, content: bytes) -> None:
        filesystem, _ = self._fs()
        temporary = f"{place}.{os.getpid()}.{os.urandom(4).hex()}.new"
        filesystem.makedirs(place.rpartition("/")[0], exist_ok=True)
        filesystem.pipe_file(temporary, content)
        filesystem.mv(temporary, place)

    def _place(self, digest: str) -> str:
        return f"{self._fs()[1]}/content/{digest[:2]}/{digest}"

    def _maker(self, digest: str) -> str:
        return f"{self._fs()[1]}/makers/{digest[:2]}/{digest}"

    def _judgement(self, input_hash: str) -> str:
        return f"{self._fs()[1]}/expected/{input_hash[:2]}/{input_hash}.json"

    def _record(self, input_hash: str) -> str:
        return f"{self._fs()[1]}/results/{input_hash[:2]}/{input_hash}.json"


def _require_stored(store: Store, result: BuildResult) -> None:
    for digest in (*(artifact.sha256 for artifact in result.artifacts), result.log):
        if digest is not None and not store.has(digest):
            raise MissingError(digest)


def _having(digest: str, result: BuildResult | None) -> BuildResult | None:
    """Return a result if it has an artifact of this hash: a record can have been written anew since."""
    has_it = result is not None and any(artifact.sha256 == digest for artifact in result.artifacts)
    return result if has_it else None


def _reliable(store: Store, result: BuildResult | None) -> BuildResult | None:
    """Return a recorded result, without its log if that is lost; None unless all artifacts are intact."""
    if result is None or not all(store.intact(artifact) for artifact in result.artifacts):
        return None
    if result.log is not None and not store.has(result.log):
        return result.model_copy(update={"log": None})
    return result


def open_store(installation: Installation) -> Store:
    """Return an installation's store: its settings' (a folder or an fsspec URL), else the cache's folder.

    :raises InputError: fsspec doesn't know the URL's kind, or lacks what it needs for it
    """
    url = installation.settings.store
    if not url:
        return LocalStore(installation.paths.store)
    if "://" not in url:
        return LocalStore(Path(url).absolute())
    if url.startswith("file://"):
        return LocalStore(Path(url.removeprefix("file://")))
    _require_kind(url.partition("://")[0])
    return RemoteStore(url, LocalStore(installation.paths.store))


def _require_kind(kind: str) -> None:
    from fsspec.core import get_filesystem_class

    try:
        get_filesystem_class(kind)
    except (ImportError, ValueError) as error:
        # neither says anything of the URL, which may have a password
        raise InputError(
            f"The store's URL begins with {kind}://, which can't be used here: {error}",
            hint="RDO_STORE, or `store` of the settings file, is a folder or a URL that fsspec knows; "
            "`rdo settings` shows which one counts.",
        ) from error
