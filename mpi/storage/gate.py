"""Keeps apart, within one process, the two SQLite libraries that must never share a file.

Bulk work goes through ADBC, which brings a SQLite library of its own. The locks by which SQLite
keeps transactions apart belong to the process: two libraries in one process do not see each other's
locks, and when one closes the file, those of the other are gone too. So units of work and bulk work
on one file take turns here; other processes are kept out by the locks, as ever.

Source: "How To Corrupt An SQLite Database File", section 2.2, at sqlite.org.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Final
from weakref import WeakSet

import sqlalchemy as sa


class Library(Enum):
    """Whose SQLite has the file open."""

    PYTHON = "python"
    ADBC = "adbc"


class FileGate:
    """The gate of one file: any number of users of one library, or of the other.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = dict.fromkeys(Library, 0)
        self._engines: WeakSet[sa.Engine] = WeakSet()
        self._own = threading.local()

    def watch(self, engine: sa.Engine) -> None:
        """Close this engine's idle connections too whenever ADBC gets its turn."""
        self._engines.add(engine)

    @contextmanager
    def open_to(self, library: Library) -> Iterator[None]:
        """Have the file open with one library while the block runs; waits for the other's users.

        A thread that has it open with the other library would wait for itself: an AssertionError.
        """
        held: dict[Library, int] = vars(self._own).setdefault("held", dict.fromkeys(Library, 0))
        other = Library.ADBC if library is Library.PYTHON else Library.PYTHON
        assert not held[other], "a unit of work and bulk work on one SQLite file cannot nest"
        self._enter(library, other)
        held[library] += 1
        try:
            yield
        finally:
            held[library] -= 1
            with self._changed:
                self._users[library] -= 1
                self._changed.notify_all()

    def _enter(self, library: Library, other: Library) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._users[other])
            self._users[library] += 1
            if library is Library.ADBC:
                for engine in self._engines:
                    engine.dispose()


_GATES: Final[dict[Path, FileGate]] = {}
_GATES_LOCK: Final = threading.Lock()


def gate_of(path: str) -> FileGate:
    """The process's one gate for a file, whatever it is called by."""
    with _GATES_LOCK:
        return _GATES.setdefault(Path(path).resolve(), FileGate())
