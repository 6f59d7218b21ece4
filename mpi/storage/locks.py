"""Who waits for whom: two writers that could affect one another meet at a lock.

Two records that could match share a blocking key, so registrations of both meet there before either
looks for candidates. What a writer then finds to be touched it locks too and reads again. Locks
are taken in two stages, each in ascending order, so nobody waits in a circle; they end with the
transaction. SQLite has one writer at a time and needs none of this.

Source: PostgreSQL, "Advisory Locks"; a lock is a number of 64 bits, of which we use 63.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from mpi.domain.identifiers import RecordKey
from mpi.limits import LOCK_WAIT_S, STATEMENT_TIMEOUT_S
from mpi.storage.unit_of_work import UnitOfWork

_WAIT_LONG: Final = f"SET LOCAL statement_timeout = {LOCK_WAIT_S * 1000:.0f}"
"""Waiting in a queue is no slow statement: it has a limit of its own."""
_LOCK: Final = (
    "SELECT pg_advisory_xact_lock(key) FROM "
    "(SELECT key FROM unnest(%(keys)s::bigint[]) AS key ORDER BY key) AS ordered"
)
_WAIT_SHORT: Final = f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_S * 1000:.0f}"
_TRY_LOCK: Final = (
    "SELECT bool_and(pg_try_advisory_xact_lock(key)) FROM unnest(%(keys)s::bigint[]) AS key"
)
_RECORDS: Final = 1 << 62
"""Record locks lie above it and key locks below, so the two stages never mix."""
_KEYS_MASK: Final = _RECORDS - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an attempt locks before it does anything: numbers of locks, not of keys or records."""

    keys: frozenset[int] = frozenset()
    records: frozenset[int] = frozenset()

    def __or__(self, other: Wanted) -> Wanted:
        return Wanted(self.keys | other.keys, self.records | other.records)


class MustRetry(Exception):
    """More is touched than was locked: undo, and begin again with this locked at once."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__("more is touched than was locked")
        self.wanted = wanted


@dataclass(slots=True)
class Locks:
    """What one transaction has locked."""

    unit: UnitOfWork
    wanted: Wanted = field(default_factory=Wanted)

    def take(self) -> None:
        """Lock what is wanted from the beginning; a stage waits at most `LOCK_WAIT_S` seconds."""
        self._lock(self.wanted.keys)
        self._lock(self.wanted.records)

    def begin_with(self, keys: frozenset[int]) -> None:
        """First stage, before anything is written: what was read so far must be read again.

        Args:
            keys: Numbers of locks; taken only by the first attempt, for a later one has its own.
        """
        if not self.wanted.keys:
            self._lock(keys)
            self.wanted |= Wanted(keys=keys)

    def require_keys(self, records: Collection[RecordKey], blocking_keys: Collection[int]) -> None:
        """First stage: nobody else registers these records, or ones that could match them.

        Raises:
            MustRetry: If they are not locked yet; what was read so far may be out of date.
        """
        if self.unit.is_sqlite:
            return
        needed = key_locks(records, blocking_keys)
        if not needed <= self.wanted.keys:
            raise MustRetry(self.wanted | Wanted(keys=needed))

    def require_numbers(self, nhs_numbers: Collection[str]) -> None:
        """First stage too: nobody else says anything of these numbers, or with them.

        Raises:
            MustRetry: See `require_keys`.
        """
        if self.unit.is_sqlite:
            return
        needed = number_locks(nhs_numbers)
        if not needed <= self.wanted.keys:
            raise MustRetry(self.wanted | Wanted(keys=needed))

    def take_records(self, numbers: Collection[int]) -> bool:
        """Second stage: nobody else changes whose these records are.

        Returns:
            Whether locks were taken only now, so that what was read must be read again.

        Raises:
            MustRetry: If some were taken before, and somebody else has one of these: waiting for
                it now could be waiting in a circle.
        """
        if self.unit.is_sqlite:
            return False
        needed = frozenset(_RECORDS + number for number in numbers) - self.wanted.records
        if not needed:
            return False
        if not self.wanted.records:
            self._lock(needed)
        elif not self._try_lock(needed):
            raise MustRetry(self.wanted | Wanted(records=needed))
        self.wanted |= Wanted(records=needed)
        return True

    def _try_lock(self, keys: Collection[int]) -> bool:
        ((is_locked,),) = self.unit.driver_rows(_TRY_LOCK, {"keys": sorted(keys)})
        return bool(is_locked)

    def _lock(self, keys: Collection[int]) -> None:
        """Whatever is read from now on is read behind the locks, in the same round trip."""
        if keys and not self.unit.is_sqlite:
            self.unit.driver_run(_WAIT_LONG, {})
            self.unit.driver_run(_LOCK, {"keys": sorted(keys)})
            self.unit.driver_run(_WAIT_SHORT, {})


def key_locks(records: Collection[RecordKey], blocking_keys: Collection[int]) -> frozenset[int]:
    """The locks of the first stage for these records and the values under which they are found."""
    named = {_digest(str(record)) for record in records}
    return frozenset(named | {key & _KEYS_MASK for key in blocking_keys})


def number_locks(nhs_numbers: Collection[str]) -> frozenset[int]:
    """The locks of the first stage for what is said of these NHS numbers."""
    return frozenset(_digest(f"nhs number {number}") for number in nhs_numbers)


def _digest(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _KEYS_MASK
