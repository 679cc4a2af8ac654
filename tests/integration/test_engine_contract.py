"""What every engine keeps to, whatever a task does."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rdo.building.engine import DaskEngine, Ended, Engine, InlineEngine, Task
from rdo.building.models import BuildResult
from rdo.building.store import DamagedError
from rdo.common.errors import DataError, Problem, RdoError
from rdo.common.process import CommandError


@pytest.fixture(scope="module", params=["inline", "dask"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    chosen: Engine
    if request.param == "inline":
        chosen = InlineEngine()
    else:
        chosen = DaskEngine(2, scratch=tmp_path_factory.mktemp("engine"))
    yield chosen
    chosen.close()
    chosen.close()


def end_of(engine: Engine, *tasks: Task) -> dict[str, Ended]:
    """Return how tasks ended, by key; each must end once."""
    for task in tasks:
        engine.submit(task)
    found: dict[str, Ended] = {}
    deadline = time.monotonic() + 60
    while len(found) < len(tasks):
        assert time.monotonic() < deadline
        for ended in engine.ended(timeout=1.0):
            assert ended.key not in found
            found[ended.key] = ended
    assert engine.ended(timeout=0.01) == []
    return found


def result(package: str) -> BuildResult:
    return BuildResult(package=package, input_hash="0", status="built")


def failing(make: Callable[[], BaseException]) -> BuildResult:
    raise make()


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", "/somewhere")


def hinted() -> RdoError:
    return RdoError("It went wrong.", hint="Do this.")


def command() -> CommandError:
    return CommandError(["ls", "-l"], 2, "words", "exit 2")


def damaged() -> DamagedError:
    return DamagedError("0" * 64)


def data() -> DataError:
    return DataError([Problem(Path("x.yaml"), 3, "wrong")])


def defect() -> ZeroDivisionError:
    return ZeroDivisionError("a defect")


def recursion() -> RecursionError:
    return RecursionError("too deep")


def test_results_come_back(engine: Engine) -> None:
    assert engine.slots >= 1
    ended = end_of(engine, *(Task(f"t{n}", result, (f"p{n}",)) for n in range(4)))
    assert {key: one.result for key, one in ended.items()} == {f"t{n}": result(f"p{n}") for n in range(4)}
    assert all(one.error is None for one in ended.values())


@pytest.mark.parametrize("make", [full, hinted, command, damaged, data, defect, recursion])
def test_whatever_a_task_raises_is_its_own_end(engine: Engine, make: Callable[[], BaseException]) -> None:
    """One engine let an unexpected exception through, which ended the whole run, the other one didn't."""
    expected = make()
    ended = end_of(
        engine, Task(f"bad-{make.__name__}", failing, (make,)), Task(make.__name__, result, ("p",))
    )
    assert ended[make.__name__].result == result("p")
    bad = ended[f"bad-{make.__name__}"]
    assert bad.result is None
    assert type(bad.error) is type(expected)
    assert str(bad.error) == str(expected)
    if isinstance(expected, RdoError):
        assert isinstance(bad.error, RdoError)
        assert bad.error.diagnostics() == expected.diagnostics()


def test_interruption_is_not_a_task_s_end() -> None:
    """Ctrl-C ends the run and not just the build that is under way."""
    engine = InlineEngine()
    engine.submit(Task("t", os.kill, (os.getpid(), signal.SIGINT)))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        engine.ended(timeout=1.0)
        time.sleep(1)
