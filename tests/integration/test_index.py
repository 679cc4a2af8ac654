"""The real Python package index, by way of one small sdist: six 1.16.0 never changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdo.cli.installation import open_installation
from rdo.distribution.models import SourceLock
from rdo.upstream.index import Index
from rdo.upstream.metadata import read_metadata
from rdo.upstream.sources import SourceCache, fetch_sdist


@pytest.mark.index
def test_small_sdist_of_the_real_index_is_listed_fetched_and_read(tmp_path: Path) -> None:
    index = Index.open(open_installation())
    offered = index.sdist("six", "1.16.0")
    assert offered.filename == "six-1.16.0.tar.gz"
    assert offered.sha256 == "1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926"
    lock = SourceLock(
        dist="six",
        version="1.16.0",
        filename=offered.filename,
        sha256=offered.sha256,
        size=offered.size or 0,
        uploaded=offered.uploaded or "",
    )
    source = fetch_sdist(lock, index, SourceCache(tmp_path))
    metadata = read_metadata(source)
    assert (metadata.name, metadata.version, metadata.requires_dist) == ("six", "1.16.0", ())
