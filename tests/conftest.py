"""Options of the whole suite."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# A busy machine is no defect: tests assert nothing about time.
settings.register_profile("rdo", deadline=None)
settings.load_profile("rdo")

# Shells start background jobs with Ctrl-C ignored, and what tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write golden files anew; read what changed before committing it.",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
