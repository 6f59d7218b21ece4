"""Work shared out to processes, for what Python does alone in one.

Threads would take turns; processes do not, at the price of sending jobs and results between them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from contextlib import contextmanager
from typing import Final, TypeVar

from mpi.batch.engines import processors_count

JOBS_AHEAD_MAX: Final = 6
"""Jobs handed to the workers ahead of time; more would only hold memory."""

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


def run_side_by_side(
    work: Callable[[_Given], _Result], jobs: Iterable[_Given], workers: int
) -> Iterator[_Result]:
    """Results as they come, in no order; a bounded number of jobs is under way, so memory is too.

    Args:
        work: A function of a module, which worker processes import.
        jobs: What to call it with; picklable.
        workers: Processes; 1 works in this process, 0 means one for each processor.

    What the work raises is raised here, when its result is due.
    """
    processes = workers or processors_count()
    if processes == 1:
        yield from map(work, jobs)
        return
    waiting: set[Future[_Result]] = set()
    with _pool(processes) as pool:
        for job in jobs:
            waiting.add(pool.submit(work, job))
            if len(waiting) >= JOBS_AHEAD_MAX:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        for future in waiting:
            yield future.result()


@contextmanager
def started(
    work: Callable[[_Given], _Result], jobs: Iterable[_Given], workers: int
) -> Iterator[Iterator[_Result]]:
    """Begin all jobs at once; yields their results as they come, to be taken later.

    Args:
        work: As for `run_side_by_side`.
        jobs: Likewise; all are held, so they should be small.
        workers: Likewise; 1 does the work when the results are taken.
    """
    processes = workers or processors_count()
    if processes == 1:
        yield map(work, jobs)
        return
    with _pool(processes) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        yield (future.result() for future in as_completed(futures))


_kept: ProcessPoolExecutor | None = None


@contextmanager
def kept_workers(workers: int) -> Iterator[None]:
    """Inside, the functions of this module share worker processes, which start at once.

    Starting some costs a second of every processor each time; and the system counts the memory
    that this process has by then as theirs.

    Args:
        workers: As the functions will be given.
    """
    global _kept
    processes = workers or processors_count()
    if processes == 1 or _kept is not None:
        yield
        return
    with _new_pool(processes) as _kept:
        for _ in range(processes):
            _kept.submit(os.getpid)
        try:
            yield
        finally:
            _kept = None


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    if _kept is not None:
        yield _kept
        return
    with _new_pool(processes) as pool:
        yield pool


def _new_pool(processes: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork would copy locks that DuckDB's and Arrow's threads hold.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin_worker)


def _begin_worker() -> None:
    """Without the garbage collector: rows make no cycles, and looking for some costs a fifth."""
    gc.disable()
    _end_with_parent()


def _end_with_parent() -> None:
    """Let this worker end when its parent is killed; it would wait for work for ever."""

    def wait_for_end() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None, "only a worker process has an initializer"
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_end, daemon=True).start()
