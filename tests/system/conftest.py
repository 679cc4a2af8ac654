"""System tests need a machine that is fit for them, and say so instead of being skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installation import Installation


@pytest.fixture(scope="session", autouse=True)
def fit_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """End the whole run, with the reasons, where it can't succeed: these tests are never skipped."""
    folder: Path = tmp_path_factory.mktemp("doctor")
    done = Installation.at(folder / "home").rdo("doctor", "--online")
    if done.returncode != 0:
        pytest.exit(
            "System tests build packages and boot hosts; this machine can't (root, tools and the mirrors are "
            f"needed):\n{done.stdout}{done.stderr}",
            returncode=2,
        )
