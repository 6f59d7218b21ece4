"""Work that waits for SQLite's one writer, and what can be done for it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

GROUP_WORK_MAX: Final = 128
"""Pieces of work that share one commit: bounds what a crash undoes and how long one waits."""

Prepare = Callable[[], object]
"""What a piece of work can do before its turn: it needs no store, and need not be done."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Work that waits for its turn."""

    work: Callable[..., Any]
    """See `mpi.storage.writer.Work`."""
    prepare: Prepare | None
    future: Future[Any]
    """Of whoever waits for its result."""


class WaitingLine:
    """First come, first served, in groups. `put` and `end` are for anybody, the rest for one."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Piece | None] = SimpleQueue()
        self._next: list[Piece] = []
        self._is_ended = False
        self._is_preparing = False
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="mpi-preparing")

    def put(self, piece: Piece) -> None:
        """Join the line."""
        self._queue.put(piece)

    def end(self) -> None:
        """Nobody joins after this: once all have had their turn there is no further group."""
        self._queue.put(None)

    def next_group(self) -> list[Piece]:
        """Whoever waits, up to `GROUP_WORK_MAX`, the first first; none once the line has ended.

        Waits for somebody to come.
        """
        self._fill()
        if not self._next and not self._is_ended:
            self._add(self._queue.get())
            self._fill()
        group, self._next = self._next, []
        if not group:
            self._helper.shutdown()
        return group

    def prepare_next(self) -> None:
        """Begin to prepare the next group in another thread; back at once."""
        self._fill()
        prepares = [each.prepare for each in self._next if each.prepare]
        if prepares:
            self._is_preparing = True
            with suppress(RuntimeError):  # The interpreter is ending, and starts nothing any more.
                self._helper.submit(self._prepare, prepares)

    def stop_preparing(self) -> None:
        """Leave what is not prepared yet to the work itself: from now on it would be in the way."""
        self._is_preparing = False

    def _prepare(self, prepares: list[Prepare]) -> None:
        for prepare in prepares:
            if not self._is_preparing:
                return
            with suppress(Exception):  # The work says what is wrong with it, to its own caller.
                prepare()

    def _fill(self) -> None:
        while len(self._next) < GROUP_WORK_MAX and not self._is_ended:
            try:
                self._add(self._queue.get_nowait())
            except Empty:
                return

    def _add(self, piece: Piece | None) -> None:
        if piece is None:
            self._is_ended = True
        else:
            self._next.append(piece)
