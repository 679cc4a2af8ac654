"""The task that engines run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdo.building.builder import RawBuild, execute
from rdo.building.models import Artifact, BuildRequest
from rdo.building.store import LocalStore, Store
from tests.unit.building.fakes import FakeBuilder, request


class Modes(FakeBuilder):
    """Notes the mode that a file of a build has by itself."""

    def build(
        self, request: BuildRequest, artifacts: Sequence[Artifact], store: Store, folder: Path
    ) -> RawBuild:
        raw = super().build(request, artifacts, store, folder)
        assert raw.log is not None
        (self.journal / "mode").write_text(f"{raw.log.stat().st_mode & 0o777:o}")
        return raw


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_worker_s_umask_does_not_matter(tmp_path: Path, umask: int) -> None:
    """Workers of a scheduler are started by hand; the user of a build is another than theirs."""
    before = os.umask(umask)
    try:
        store = LocalStore(tmp_path / "store")
        assert execute(Modes(tmp_path), store, tmp_path / "scratch", request("a"), ()).status == "built"
    finally:
        os.umask(before)
    assert (tmp_path / "mode").read_text() == "644"
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {0o755}
