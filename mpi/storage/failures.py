"""The one boundary at which the databases' own exceptions become ours.

Their texts can hold values (PostgreSQL quotes the key that a constraint refused), so none of them
is passed on; what went wrong is told from the error's code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import adbc_driver_manager
import psycopg
import sqlalchemy as sa

from mpi.errors import Conflict, MpiError, StorageUnavailable

_SQLITE_WORDS: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another writer",
    sqlite3.SQLITE_LOCKED: "is locked by another writer",
    sqlite3.SQLITE_FULL: "is full: no space is left on its disk",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_IOERR: "cannot be read or written: its disk fails",
}
_NO_RIGHT: Final = (
    "does not let this role do that; its owner can, or can give the role its rights with "
    "mpi store grant"
)
_POSTGRESQL_WORDS: Final = {
    "53100": "is full: no space is left on its disk",
    "57014": "is busy: a statement took too long",
    "55P03": "is locked by another writer",
    "40P01": "is locked by another writer",
    "40001": "is locked by another writer",
    "25006": "cannot be written to",
    "3D000": "does not exist on its server",
    "28P01": "refuses this user or password",
    "28000": "refuses this user or password",
    "42501": _NO_RIGHT,
}
_CONTENTION: Final = frozenset({"40P01", "40001", "55P03", "57014"})
"""A deadlock, a serialization failure or too long a wait: what was undone can go again."""
_ADBC_WORDS: Final = {
    "is locked": "is locked by another writer",
    "is full": "is full: no space is left on its disk",
    "readonly": "cannot be written to",
    "disk I/O": "cannot be read or written: its disk fails",
    "not a database": "is not a database",
    "permission denied": _NO_RIGHT,
}
_UNREACHABLE: Final = "cannot be reached"


@contextmanager
def storage_failures() -> Iterator[None]:
    """Turn what a database raises inside the block into an MpiError.

    Raises:
        Conflict: If a rule of the schema was broken.
        StorageUnavailable: If the store cannot be reached, is locked, full, damaged or too slow,
            or does not let the role do that;
            `is_contention` says that the same work can be tried again at once.

    What is neither is a mistake in our code and passes as it is.

    Source: "Result and Error Codes" at sqlite.org; PostgreSQL, appendix A, error codes.
    """
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise _broken_constraint() from error
    except sa.exc.DBAPIError as error:
        raise _failure(error.orig, error) from error
    except sa.exc.TimeoutError as error:
        raise StorageUnavailable("store: all its connections are busy") from error
    except (psycopg.Error, sqlite3.Error, adbc_driver_manager.Error) as error:
        raise _failure(error, error) from error


def _failure(error: BaseException | None, wrapped: Exception) -> Exception:
    if isinstance(error, (psycopg.IntegrityError, sqlite3.IntegrityError)):
        return _broken_constraint()
    if isinstance(error, adbc_driver_manager.Error):
        return _adbc_failure(error)
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        return _unavailable(_SQLITE_WORDS.get(code)) or wrapped
    if isinstance(error, psycopg.OperationalError) or getattr(error, "sqlstate", None) in (
        _POSTGRESQL_WORDS
    ):
        sqlstate = getattr(error, "sqlstate", None) or ""
        words = _POSTGRESQL_WORDS.get(sqlstate, _UNREACHABLE)
        return StorageUnavailable(f"store: {words}", is_contention=sqlstate in _CONTENTION)
    return wrapped


def _adbc_failure(error: adbc_driver_manager.Error) -> Exception:
    text = str(error)
    if "constraint failed" in text:
        return _broken_constraint()
    words = next((words for sign, words in _ADBC_WORDS.items() if sign in text), None)
    return _unavailable(words) or error


def _unavailable(words: str | None) -> MpiError | None:
    return StorageUnavailable(f"store: {words}") if words else None


def _broken_constraint() -> MpiError:
    return Conflict("store: a rule of the schema was broken, so nothing was written")
