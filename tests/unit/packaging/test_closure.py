"""Reading what the release locks."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from rdo.cli.installation import open_installation
from rdo.common.paths import Paths
from rdo.distribution.models import SourceLock
from rdo.packaging.closure import MetadataReader, UnreadableSourcesError
from rdo.upstream.source_cache import SourceCache
from tests.settings import installation_of
from tests.unit.upstream.sdists import make_sdist


def locked(paths: Paths, folder: Path, dist: str, version: str) -> SourceLock:
    """Put an sdist of ``a`` 1.0 into the cache, and lock it as what is stated."""
    info = "Metadata-Version: 2.2\nName: A\nVersion: 1.0\n"
    made = make_sdist(folder, "a", "1.0", {"PKG-INFO": info})

    def write(target: IO[bytes]) -> None:
        target.write(made.path.read_bytes())

    SourceCache(paths.sources).add(made.filename, made.sha256, write)
    return SourceLock(
        dist=dist, version=version, filename=made.filename, sha256=made.sha256, size=1, uploaded=""
    )


def test_a_source_is_what_it_is_locked_as(tmp_path: Path) -> None:
    paths = open_installation({"RDO_HOME": str(tmp_path)}).paths
    reader = MetadataReader(installation_of(paths))
    assert reader([locked(paths, tmp_path, "a", "1")])["a"].version == "1.0"
    for dist, version in (("b", "1.0"), ("a", "1.1")):
        lock = locked(paths, tmp_path, dist, version)
        for _ in range(2):  # what was read before is no better
            with pytest.raises(UnreadableSourcesError, match=r"a-1\.0\.tar\.gz says that it is A 1\.0"):
                reader([lock])
