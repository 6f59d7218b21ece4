"""Seals behind the audit trail: what was written cannot be changed without that being found.

Events are appended in the transaction of what they tell of, which must wait for nothing. Behind it
batches of them are sealed: the digests of 500 events make a Merkle root, and every seal's chain
value covers the one before. To change an event unnoticed one must change every later seal too, and
every copy of the roots that was taken elsewhere (`audit_roots_file`). Roots of another
store, such as a restored copy, never go into that file: it would no longer prove anything.

Source: RFC 6962, section 2.1, for the tree. Digests are SHA-256.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from mpi.clock import Clock
from mpi.errors import Conflict, InvalidSettings, MpiError
from mpi.storage.audit_seals import (
    EventRow,
    Seal,
    add_seal,
    add_sightings,
    count_unsealed,
    find_last_seal,
    find_settled_event,
    list_event_rows,
    list_seals,
    try_to_seal_alone,
)
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import UnitOfWork, reading, writing

SEAL_EVENTS_MAX: Final = 500
PASS_EVENTS_MAX: Final = 10_000
"""Events sealed in one transaction; on SQLite others wait as long."""
FINDINGS_MAX: Final = 100
"""Findings that are named; more are counted."""
_NUMBER_BYTES: Final = 8
_LEAF_BYTES: Final = 40
_SEALS_AT_ONCE: Final = 20
_BEGINNING: Final = "0" * 64
_TAIL_BYTES: Final = 1_024
"""More than the last line of a file of roots, which has about 110."""


class FindingKind(StrEnum):
    """What is wrong with an event, a seal or a root."""

    ALTERED = "altered"
    """The event's content is not what was sealed."""
    MISSING = "missing"
    """The event was sealed and is gone."""
    ADDED = "added"
    """The event stands in a range that was sealed without it."""
    RE_ORDERED = "re-ordered"
    """The event's content stands under another number."""
    SEAL = "seal"
    """A seal does not follow from its events or from the seal before."""
    ROOT = "root"
    """A root that was copied out is no longer the one in the store."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed."""

    kind: FindingKind
    number: int
    """Of the event; of the seal for the last two kinds."""


@dataclass(slots=True)
class Verification:
    """What a check of the whole trail found: counts of events, seals, unsealed events and findings.

    The trail is as it was sealed if `findings_count` is 0.
    """

    events_count: int = 0
    seals_count: int = 0
    unsealed_count: int = 0
    findings_count: int = 0
    findings: list[Finding] = field(default_factory=list)
    """The first `FINDINGS_MAX`."""
    last_chain: str = _BEGINNING
    """64 hexadecimal digits: the chain value of the last seal, to be compared with a copy."""

    def add(self, kind: FindingKind, number: int) -> None:
        """Count a finding, and name it if fewer than `FINDINGS_MAX` are named."""
        self.findings_count += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(kind, number))


def seal_audit(store: Store, *, clock: Clock) -> int:
    """Seal every event that is settled; how many were.

    0 where another worker seals or the writers of the moment are not done: the next pass seals
    them.

    Raises:
        StorageUnavailable: If the store cannot be written to now.
    """
    sealed, step = 0, PASS_EVENTS_MAX
    while step == PASS_EVENTS_MAX:
        with writing(store) as unit:
            step = _seal_some(unit, clock.now()) if try_to_seal_alone(unit) else 0
        sealed += step
    return sealed


class RootsCopier:
    """Keeps the file of roots up with the store, a step at a time, and knows since when it is not.

    Args:
        store: Holds the seals.
        path: The file, which `check_roots_file` lets pass.
        clock: Tells since when steps have failed.
    """

    def __init__(self, store: Store, path: Path, clock: Clock) -> None:
        self._store, self._path, self._clock = store, path, clock
        self._is_whole = False
        self._failing_since: datetime | None = None

    def step(self) -> None:
        """Copy what the file lacks. Raises as `copy_roots` does; the next step tries again."""
        try:
            copy_roots(self._store, self._path, is_whole=self._is_whole)
        except (MpiError, OSError):
            self._is_whole = False
            self._failing_since = self._failing_since or self._clock.now()
            raise
        self._is_whole, self._failing_since = True, None

    def failing_s(self) -> float:
        """Seconds since the first of the steps that failed in a row; 0 if the last one did not."""
        since = self._failing_since
        return (self._clock.now() - since).total_seconds() if since else 0.0


def check_roots_file(path: Path) -> None:
    """Refuse a file of roots that could never be written.

    Raises:
        InvalidSettings: If its folder is not there, or this account may not write to it.
    """
    if not path.parent.is_dir():
        raise InvalidSettings("audit_roots_file: its folder is not there; make or mount it first")
    is_there = path.exists()
    may_write = os.access(path if is_there else path.parent, os.R_OK | os.W_OK)
    if not may_write or (is_there and not path.is_file()):
        raise InvalidSettings("audit_roots_file: this account cannot read and write such a file")


def copy_roots(store: Store, path: Path, *, is_whole: bool = False) -> int:
    """Append to a file every root that it lacks; how many were appended.

    A line is one JSON object: `seal`, `last_event`, and `chain` as 64 hexadecimal digits. The
    newest root is the last line. One worker copies at a time, the others wait for it.

    Args:
        store: Holds the seals.
        path: The file; made if it is not there.
        is_whole: The file was seen to lack nothing before its last line, which alone is read then.

    Raises:
        Conflict: If the file's newest root is not of this store; then nothing is written.
        StorageUnavailable: If the store cannot be read now.
        OSError: If the file cannot be read or written.
    """
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # Until it is closed.
        end = _tail(file)
        known = _roots(end.splitlines()[-1:]) if is_whole and end.endswith(b"\n") else {}
        if not known:
            file.seek(0)
            known, is_whole = _roots(file), False
        newest = _own_seal(store, known)
        file.write(b"" if not end or end.endswith(b"\n") else b"\n")
        first = max(known) if is_whole else next(n for n in count(1) if n not in known) - 1
        appended, last = 0, 0
        for seal in _seals(store, after=first):
            if seal.number not in known:
                file.write(_root_line(seal))
                appended, last = appended + 1, seal.number
        if newest and 0 < last < newest.number:
            file.write(_root_line(newest))  # The last line says how far the file goes.
        return appended


def verify_audit(
    store: Store, roots: Path | None = None, *, is_restored: bool = False
) -> Verification:
    """Check every event against its seal, and every seal against the one before.

    Memory does not grow with the trail: a few seals are looked at at a time.

    Args:
        store: Holds the trail.
        roots: The file to which roots were copied, if there is one.
        is_restored: The store is a backup's: roots of later seals do not make it suspect.

    Raises:
        StorageUnavailable: If the store cannot be read now.
        OSError: If the file cannot be read; one that is missing has no root to compare.
    """
    found, copied = Verification(), _copied_roots(roots) if roots else {}
    last_event = 0
    for seal in _seals(store, after=0):
        _check_seal(seal, found, after_event=last_event)
        _check_events(store, seal, found, after_event=last_event)
        if copied.pop(seal.number, seal.chain) != seal.chain:
            found.add(FindingKind.ROOT, seal.number)
        last_event, found.last_chain = seal.last_event, seal.chain
        found.seals_count += 1
    for number in () if is_restored else sorted(copied):
        found.add(FindingKind.ROOT, number)
    found.unsealed_count = _count_after(store, last_event)
    return found


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of a binary tree of digests: 32 bytes of SHA-256.

    A leaf is hashed after a byte 0, two nodes after a byte 1; a node without a partner moves up as
    it is. That is the tree hash of RFC 6962, section 2.1.

    Args:
        leaves: At least one, in order, of any length.
    """
    level = [sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        level = above + level[len(level) - len(level) % 2 :]
    return level[0]


def _seal_some(unit: UnitOfWork, at: datetime) -> int:
    before = find_last_seal(unit)
    last, chain = (before.last_event, before.chain) if before else (0, _BEGINNING)
    settled = find_settled_event(unit)
    rows = list_event_rows(unit, after=last, last=settled, limit=PASS_EVENTS_MAX)
    for start in range(0, len(rows), SEAL_EVENTS_MAX):
        batch = rows[start : start + SEAL_EVENTS_MAX]
        seal = _sealed(batch, chain)
        add_seal(unit, seal, at=at)
        add_sightings(unit, batch)
        chain = seal.chain
    return len(rows)


def _sealed(rows: Sequence[EventRow], before: str) -> Seal:
    leaves = [_leaf(row) for row in rows]
    root = merkle_root(leaves).hex()
    first, last = rows[0][0], rows[-1][0]
    return Seal(
        number=0,
        first_event=first,
        last_event=last,
        leaves=b"".join(leaves),
        root=root,
        chain=_chain(before, first, last, root),
    )


def _leaf(row: EventRow) -> bytes:
    number: int = row[0]
    return number.to_bytes(_NUMBER_BYTES, "big") + sha256(orjson.dumps(row[1:])).digest()


def _chain(before: str, first: int, last: int, root: str) -> str:
    return sha256(f"{before} {first} {last} {root}".encode()).hexdigest()


def _check_seal(seal: Seal, found: Verification, *, after_event: int) -> None:
    root = merkle_root(_split(seal.leaves)).hex()
    chain = _chain(found.last_chain, seal.first_event, seal.last_event, root)
    if (root, chain) != (seal.root, seal.chain) or seal.first_event <= after_event:
        found.add(FindingKind.SEAL, seal.number)


def _check_events(store: Store, seal: Seal, found: Verification, *, after_event: int) -> None:
    sealed = {_number(leaf): leaf[_NUMBER_BYTES:] for leaf in _split(seal.leaves)}
    contents = set(sealed.values())
    for row in _rows_of(store, after_event, seal.last_event):
        leaf = _leaf(row)
        wanted = sealed.pop(row[0], None)
        found.events_count += 1
        if wanted == leaf[_NUMBER_BYTES:]:
            continue
        if leaf[_NUMBER_BYTES:] in contents:
            found.add(FindingKind.RE_ORDERED, row[0])
        else:
            found.add(FindingKind.ADDED if wanted is None else FindingKind.ALTERED, row[0])
    for number in sealed:
        found.add(FindingKind.MISSING, number)


def _split(leaves: bytes) -> list[bytes]:
    return [leaves[at : at + _LEAF_BYTES] for at in range(0, len(leaves), _LEAF_BYTES)] or [b""]


def _number(leaf: bytes) -> int:
    return int.from_bytes(leaf[:_NUMBER_BYTES], "big")


def _seals(store: Store, *, after: int) -> Iterator[Seal]:
    while True:
        with reading(store) as unit:
            seals = list_seals(unit, after=after, limit=_SEALS_AT_ONCE)
        yield from seals
        if not seals:
            return
        after = seals[-1].number


def _rows_of(store: Store, after: int, last: int) -> Iterator[EventRow]:
    """The events of a range; by far most have exactly one seal's events."""
    step = 2 * SEAL_EVENTS_MAX
    while True:
        with reading(store) as unit:
            rows = list_event_rows(unit, after=after, last=last, limit=step)
        yield from rows
        if len(rows) < step:
            return
        after = rows[-1][0]


def _count_after(store: Store, last_event: int) -> int:
    with reading(store) as unit:
        return count_unsealed(unit, after=last_event)[0]


def _copied_roots(path: Path) -> dict[int, str]:
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return _roots(file)


def _roots(lines: Iterable[bytes]) -> dict[int, str]:
    """Seal number -> chain value; a line that was cut off by a crash is passed over."""
    roots: dict[int, str] = {}
    for line in lines:
        try:
            content: Any = json.loads(line)
            roots[int(content["seal"])] = str(content["chain"])
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
    return roots


def _own_seal(store: Store, known: dict[int, str]) -> Seal | None:
    """The store's seal of the newest root known; None if no root is. Raises Conflict."""
    if not known:
        return None
    number = max(known)
    with reading(store) as unit:
        last = find_last_seal(unit)
        is_there = last is not None and 1 <= number <= last.number
        found = list_seals(unit, after=number - 1, limit=1) if is_there else []
    if not found or (found[0].number, found[0].chain) != (number, known[number]):
        raise Conflict(
            "audit_roots_file: its newest root is not of this store, so nothing was written; "
            "name another file for this store, and keep that one as it is"
        )
    return found[0]


def _root_line(seal: Seal) -> bytes:
    line = {"seal": seal.number, "last_event": seal.last_event, "chain": seal.chain}
    return json.dumps(line).encode() + b"\n"


def _tail(file: BinaryIO) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read()
