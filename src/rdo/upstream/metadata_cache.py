"""What was read from sources, kept on disk: one JSON file a source, by its hash and the reader's version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from rdo.common.files import write_atomically
from rdo.upstream.metadata import READER_VERSION, HookRunner, read_metadata
from rdo.upstream.models import Metadata, Source


class MetadataCache:
    """A folder of metadata. Several processes may use one at the same time; a damaged file is made anew.

    :param folder: made when something is first written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, sha256: str, *, exact: bool = False) -> Metadata | None:
        """Return the metadata of a source by its hash, None where it was never read.

        :param exact: only where its build requirements are known for sure
        """
        try:
            metadata = Metadata.model_validate_json(self._place(sha256).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return None if exact and not metadata.build_system.exact else metadata

    def read(self, source: Source, hooks: HookRunner | None = None) -> Metadata:
        """Return the metadata of a source from the cache, reading it first where it isn't there.

        :raises SdistError, MetadataError: as :func:`rdo.upstream.metadata.read_metadata`
        """
        found = self.find(source.sha256, exact=hooks is not None)
        if found is not None:
            return found
        metadata = read_metadata(source, hooks)
        write_atomically(self._place(source.sha256), metadata.model_dump_json(), durable=False)
        return metadata

    def read_all(self, sources: Iterable[Source], hooks: HookRunner | None = None) -> list[Metadata]:
        """Return the metadata of many, in their order."""
        return [self.read(source, hooks) for source in sources]

    def _place(self, sha256: str) -> Path:
        return self.folder / f"reader-{READER_VERSION}" / sha256[:2] / f"{sha256}.json"
