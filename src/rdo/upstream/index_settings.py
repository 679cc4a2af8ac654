"""Where the Python package index is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rdo.common.errors import InputError
from rdo.common.settings import Settings


@dataclass(frozen=True)
class IndexSettings:
    """Address of the index (None: the client library's own default) and file of trusted authorities."""

    url: str | None = None
    authorities: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> IndexSettings:
        """Return what an installation's settings say of the index.

        :raises InputError: the index isn't reached over HTTP, or the authorities' file is missing
        """
        url, authorities = settings.index_url, settings.index_certificates
        if url is not None and not url.startswith(("http://", "https://")):
            raise InputError(
                "Only package indexes at http: and https: addresses can be used.",
                hint="`rdo settings` says where index_url is from.",
            )
        if authorities is not None and not authorities.exists():
            raise InputError(
                f"The index's certificates {authorities} do not exist.",
                hint="`rdo settings` says where index_certificates is from.",
            )
        return cls(url, authorities)
