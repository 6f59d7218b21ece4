"""Writing to a store while others do: each piece of work whole or not at all, durable when told.

PostgreSQL runs each piece in a transaction of its own; those that meet wait for one another at
locks. SQLite has one writer: a thread takes whatever is waiting and commits it together, so that
many pay for one fsync and none is acknowledged before it. If a piece fails, all are undone and
begin again, each in a savepoint of its own, so that only those that fail are left out.

While SQLite writes its pages and syncs, the interpreter is free: then whatever is waiting is
prepared, as far as that needs no store.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from mpi.errors import StorageUnavailable
from mpi.limits import LOCK_WAIT_S
from mpi.storage.engine import Store
from mpi.storage.failures import storage_failures
from mpi.storage.locks import Locks, MustRetry, Wanted
from mpi.storage.unit_of_work import UnitOfWork, writing
from mpi.storage.waiting import Piece, Prepare, WaitingLine

CAREFUL_GROUPS: Final = 32
"""Groups that get savepoints, from one on in which a piece failed: failures come in runs."""
ATTEMPTS_MAX: Final = 20
"""Times a piece of work begins again because others touched the same; then the caller retries."""

Result = TypeVar("Result")
Work = Callable[[UnitOfWork, Locks], Result]
"""A piece of work: everything through the unit of work, under the locks that it asks for."""


class Writer:
    """Runs work that writes; safe to share between threads, and to be closed once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._line = WaitingLine()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False
        self._careful_groups = 0
        """Groups to come that get savepoints at once; only the writer's thread looks at it."""

    def run(self, work: Work[Result]) -> Result:
        """The result of a piece of work, once it is durable.

        Args:
            work: Does everything through the unit of work and may run several times.

        Raises:
            StorageUnavailable: If the store cannot be written now; nothing was.
            Conflict: If a rule of the schema was broken; nothing was written.

        What `work` itself raises undoes it and is raised here.
        """
        return self.submit(work).result()

    def submit(self, work: Work[Result], *, prepare: Prepare | None = None) -> Future[Result]:
        """`run` without waiting, so that work of one caller can share a commit.

        Args:
            work: As `run` takes it.
            prepare: May be called before the work, or while it runs or has run, in a thread of its
                own; must be quick and leave it to the work to say what is wrong.

        Returns:
            The result once it is durable, or what `run` would have raised.

        On PostgreSQL the work is done when this returns.

        Raises:
            StorageUnavailable: If the writer of a SQLite store was closed.
        """
        future: Future[Result] = Future()
        if self.store.is_sqlite:
            with self._starting:
                self._start()
                self._line.put(Piece(work, prepare, future))
        else:
            _settle(future, lambda: self._run_locked(work))
        return future

    def close(self) -> None:
        """Finish what was submitted, then take no more; waits for it."""
        with self._starting:
            self._is_closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._line.end()
            thread.join()

    def _run_locked(self, work: Work[Result]) -> Result:
        wanted, deadline = Wanted(), monotonic() + LOCK_WAIT_S
        for _ in range(ATTEMPTS_MAX):
            try:
                with writing(self.store) as unit:
                    locks = Locks(unit, wanted)
                    locks.take()
                    return work(unit, locks)
            except MustRetry as more:
                wanted |= more.wanted
            except StorageUnavailable as error:
                if not error.is_contention or monotonic() > deadline:
                    raise
        raise StorageUnavailable("store: too many others write to the same records")

    def _start(self) -> None:
        if self._is_closed:
            raise StorageUnavailable("store: it is being closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="mpi-writer", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while group := self._line.next_group():
            self._commit(group)

    def _commit(self, group: list[Piece]) -> None:
        """Run a group in one transaction and tell everybody how it went, after the commit.

        Who has given up waiting by now is left out; later it is too late to.
        """
        group = [each for each in group if each.future.set_running_or_notify_cancel()]
        try:
            outcomes = self._outcomes([each.work for each in group])
        except BaseException as error:
            for each in group:
                each.future.set_exception(error)
            return
        for each, outcome in zip(group, outcomes, strict=True):
            _settle(each.future, outcome)

    def _outcomes(self, works: Sequence[Work[Any]]) -> list[Callable[[], Any]]:
        """What each caller will be told, once all of it is durable.

        Savepoints cost 5 to 9 % of the time, because SQLite then keeps every page as it was before
        each piece; so they are taken only where a piece has failed.
        """
        if len(works) == 1 or not self._careful_groups:
            try:
                return self._together(works)
            except _PieceFailed:
                self._careful_groups = CAREFUL_GROUPS
        self._careful_groups -= 1
        with self._transaction() as unit:
            return [_in_savepoint(unit, work) for work in works]

    def _together(self, works: Sequence[Work[Any]]) -> list[Callable[[], Any]]:
        """The same without savepoints. Raises _PieceFailed if one of several fails."""
        with self._transaction() as unit:
            try:
                outcomes: list[Callable[[], Any]] = [
                    partial(_given, work(unit, Locks(unit))) for work in works
                ]
                unit.send()
            except BaseException as error:
                if len(works) == 1:
                    raise
                raise _PieceFailed from error
        return outcomes

    @contextmanager
    def _transaction(self) -> Iterator[UnitOfWork]:
        """That of a group; the next one is prepared while it is committed."""
        try:
            with writing(self.store) as unit:
                yield unit
                self._line.prepare_next()
        finally:
            self._line.stop_preparing()


class _PieceFailed(Exception):
    """Nothing of a group was written, because one of its pieces failed."""


def _in_savepoint(unit: UnitOfWork, work: Work[Any]) -> Callable[[], Any]:
    """Run one piece; gives what its caller will be told: a result, or the error that undid it."""
    try:
        with storage_failures(), unit.savepoint():
            result = work(unit, Locks(unit))
    except BaseException as error:
        if not unit.is_open:
            raise  # The database has undone the whole transaction: everybody's work is gone.
        failure = error
        return lambda: _raise(failure)
    return partial(_given, result)


def _given(result: Any) -> Any:
    return result


def _raise(error: BaseException) -> None:
    raise error


def _settle(future: Future[Any], outcome: Callable[[], Any]) -> None:
    try:
        future.set_result(outcome())
    except BaseException as error:
        future.set_exception(error)
