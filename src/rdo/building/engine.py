"""Where tasks run: in this process, or on a dask cluster of this machine or of many.

An engine takes tasks whose needs are all met; which ones these are is the run's business. It is handed only
as many tasks as it can run at once, so what it has is what is being built now.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rdo.building.models import BuildResult
from rdo.common.errors import RdoError


@dataclass(frozen=True)
class Task:
    """A call that returns a result. ``key`` is unique among an engine's tasks."""

    key: str
    call: Callable[..., BuildResult]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Ended:
    """A task that is over: its result, or what went wrong with the task itself."""

    key: str
    result: BuildResult | None
    error: BaseException | None = None


class Engine(Protocol):
    """Runs tasks.

    Whatever exception a task ends with is in its :class:`Ended`; engines raise only for their own failures
    (and KeyboardInterrupt).
    """

    @property
    def slots(self) -> int:
        """How many tasks it runs at once. Asking does not start it."""

    def submit(self, task: Task) -> None:
        """Run a task as soon as there is a worker for it."""

    def ended(self, timeout: float) -> list[Ended]:
        """Wait for tasks to end, at most ``timeout`` seconds, and return those that did."""

    def close(self) -> None:
        """Stop everything that still runs, with all its child processes. Can be called twice."""


class InlineEngine:
    """Runs one task at a time in this process, when asked what has ended."""

    slots = 1

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Remember a task."""
        self._waiting.append(task)

    def ended(self, timeout: float) -> list[Ended]:
        """Run the next task to its end, however long that takes, and return it."""
        if not self._waiting:
            return []
        task = self._waiting.popleft()
        try:
            return [Ended(task.key, task.call(*task.arguments))]
        except Exception as error:  # noqa: BLE001 - it goes to whoever asks what has ended
            # A full disk or a defect ends one build, as it does on a cluster, and not the whole run.
            return [Ended(task.key, None, error)]

    def close(self) -> None:
        """Forget the tasks that were not run."""
        self._waiting.clear()


class DaskEngine:
    """Runs tasks on dask.distributed; the cluster starts with the first task.

    A worker that dies is replaced and its task repeated, three times at most. Workers die with this process,
    also when it is killed with signal 9, and sandboxes with their worker.

    :param jobs: how many worker processes a cluster of this machine has
    :param scheduler: address of a running scheduler to be used instead
    :param scratch: folder for dask's own files
    """

    def __init__(self, jobs: int, *, scheduler: str | None = None, scratch: Path | None = None) -> None:
        self._jobs, self._scheduler, self._scratch = jobs, scheduler, scratch
        self._cluster: Any = None
        self._client: Any = None
        self._futures: dict[str, Any] = {}
        self._over: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def slots(self) -> int:
        """How many tasks it runs at once. Asking does not start a cluster of this machine."""
        if self._scheduler is None:
            return self._jobs
        self._start()
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def submit(self, task: Task) -> None:
        """Run a task as soon as there is a worker for it."""
        self._start()
        future = self._client.submit(task.call, *task.arguments, key=task.key, pure=False)
        self._futures[task.key] = future
        future.add_done_callback(lambda done: self._over.put(done.key))

    def ended(self, timeout: float) -> list[Ended]:
        """Wait for tasks to end, at most ``timeout`` seconds, and return those that did."""
        keys: list[str] = []
        with contextlib.suppress(queue.Empty):
            keys.append(self._over.get(timeout=timeout))
            while True:
                keys.append(self._over.get_nowait())
        return [self._collect(key) for key in keys if key in self._futures]

    def close(self) -> None:
        """Stop the workers, and with them everything that still runs. Can be called twice."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        if client is not None:
            if self._futures:
                client.cancel(list(self._futures.values()), force=True)
            self._futures.clear()
            client.close(timeout=5)
        if cluster is not None:
            cluster.close(timeout=10)

    def _collect(self, key: str) -> Ended:
        future = self._futures.pop(key)
        try:
            error: BaseException | None = future.exception()
        except CancelledError:
            error = RdoError("The cluster lost this build.", hint="Run it again: what is finished is kept.")
        return Ended(key, None, _understood(error)) if error is not None else Ended(key, future.result())

    def _start(self) -> None:
        if self._client is not None:
            return
        import dask
        from distributed import Client, LocalCluster, Security

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        settings: dict[str, Any] = {
            "distributed.worker.daemon": True,
            "distributed.comm.timeouts.connect": "60s",
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.admin.large-graph-warning-threshold": "1GB",
        }
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
            settings["temporary-directory"] = str(self._scratch)
        dask.config.set(settings)
        try:
            if self._scheduler is None:
                self._cluster = LocalCluster(
                    n_workers=self._jobs,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tls",
                    # Whoever can talk to a scheduler runs code as we do: no other user may.
                    security=Security.temporary(),
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address=None,
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
            self._client = Client(self._cluster or self._scheduler, set_as_default=False)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            self.close()
            raise RdoError(f"The build engine could not start: {error}") from error
        self._client.register_worker_callbacks(setup=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which reaches every process of the terminal, to the main process."""
    import signal

    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _understood(error: BaseException) -> BaseException:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return RdoError(
            "Every worker that tried this build died.",
            hint="The machine may be short of memory: look at the kernel's log, or build with fewer --jobs.",
        )
    return error
