"""What a record says now, after a version, verdict, deletion or number status has come or gone.

The record is folded from all its versions and standardised anew; its blocking keys and edges
follow. Whose it then is, is the business of `mpi.services.relink`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mpi.domain.identifiers import RecordKey
from mpi.domain.links import Edge
from mpi.domain.records import ComparisonRecord, RecordVersion, SourceRecord
from mpi.linkage.overlay import AcceptedVersions, HeldVersion
from mpi.services.foreseen import Compared, Foreseen, compared_record, judged_versions
from mpi.services.linkage_index import LinkageIndex
from mpi.services.weigh import weigh_candidates
from mpi.standardise.numbers import standardise_nhs_number
from mpi.storage.blocking_keys import replace_keys
from mpi.storage.graph import (
    StandingRecord,
    drop_edges,
    list_edges_of,
    list_family,
    list_homes,
    list_records_at_home,
    list_standing,
    put_edges,
)
from mpi.storage.locks import Locks, key_locks, number_locks
from mpi.storage.number_statuses import number_trust_for
from mpi.storage.records import (
    list_records,
    set_gone_record,
    set_live_record,
    set_survivor,
)
from mpi.storage.tables import VersionState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import StoredVersion, list_versions_of, set_version_states


@dataclass(slots=True)
class Restated:
    """What came of restating some records."""

    seeds: set[int] = field(default_factory=set)
    """Records from which everything that may have changed hands can be reached."""
    stated: set[int] = field(default_factory=set)
    """The live records among those restated."""
    gone: list[StandingRecord] = field(default_factory=list)
    """Records that lived before and live no longer, as they stood."""
    held: dict[int, tuple[HeldVersion, ...]] = field(default_factory=dict)
    """Record -> its versions that wait for a steward; of every record restated."""
    standing: dict[int, StandingRecord] = field(default_factory=dict)
    """Records restated, and those at the other ends of their edges, as they stand under the locks
    taken so far; perhaps not all."""
    is_complete: bool = True
    """False if some record shares a value with so many others that it was not compared by it."""


def restate(
    unit: UnitOfWork,
    index: LinkageIndex,
    locks: Locks,
    keys: Mapping[int, RecordKey],
    *,
    merged: Mapping[int, int | None],
    told: Mapping[int, Sequence[StoredVersion]],
    fresh: Collection[int],
    foreseen: Foreseen | None = None,
    model: int,
    at: datetime,
) -> Restated:
    """Fold these records anew and write what follows from it, short of whose they are.

    Args:
        unit: Where to write; everything is read and written in it.
        index: The model in force.
        locks: What is locked.
        keys: Record number -> key, of records that exist.
        merged: Those of them that their source merges now -> the record they live on in; None
            takes a merge back.
        told: Those of them whose versions are at hand -> all of them.
        fresh: Those that are new in this transaction: nothing else is known of them.
        foreseen: What the version that causes it comes to if it is the only one.
        model: The store's number of the model release.
        at: The present instant.

    Raises:
        MustRetry: If more must be locked first; the writer begins again.
    """
    before = list_standing(unit, keys.keys() - {*fresh})
    for number, survivor in merged.items():
        set_survivor(unit, number, survivor)
    folds = {
        number: _fold(unit, index, told.get(number) or _versions(unit, number, key), foreseen)
        for number, key in keys.items()
        if merged.get(number) is None
    }
    changes = [_change(index, number, before.get(number), folds.get(number)) for number in keys]
    if not unit.is_sqlite:  # Which needs no locks: what they would be takes time to work out.
        _require_locks(locks, keys, changes, folds)
    changes = _parting(unit, locks, changes)
    found = Restated()
    for change in changes:
        _write_record(unit, change, merged.get(change.number), found)
    found.seeds |= _home_mates(unit, [change for change in changes if change.number not in fresh])
    _write_edges(unit, index, changes, found, model=model, at=at)
    found.standing.update(_standing(keys, changes, fresh))
    return found


def _standing(
    keys: Mapping[int, RecordKey], changes: Iterable[_Change], fresh: Collection[int]
) -> Iterator[tuple[int, StandingRecord]]:
    """The records that were written, where they are known to stand: those that lived or are new."""
    for change in changes:
        number, after, fold, before = change.number, change.after, change.fold, change.before
        if after is None or fold is None:
            continue
        if number in fresh:
            new = StandingRecord(
                number, keys[number], after, None, None, None, None, fold.live_version
            )
            yield number, new
        elif before is not None:
            yield number, before._replace(comparison=after, live_version=fold.live_version)


def _require_locks(
    locks: Locks,
    keys: Mapping[int, RecordKey],
    changes: Iterable[_Change],
    folds: Mapping[int, _Fold],
) -> None:
    wanted = {k for change in changes for k in (change.keys_before | change.keys_after)}
    locks.require_keys(list(keys.values()), wanted)
    versions = [each.version for fold in folds.values() for each in fold.versions]
    locks.require_numbers(stated_numbers(versions))


def locks_of(
    unit: UnitOfWork,
    index: LinkageIndex,
    key: RecordKey,
    records: Collection[int],
    foreseen: Foreseen,
) -> frozenset[int]:
    """What to lock before a record says this: numbers of locks of the first stage.

    The record, the values by which it is found now or will be, and the numbers that it states.

    Args:
        unit: Where to look.
        index: The model in force.
        key: Of the record.
        records: Its number and those of records merged into it; none if it is new.
        foreseen: The version to come.
    """
    stored = list_versions_of(unit, key, records) if records else []
    told = [each.version for each in stored]
    found: set[int] = set()
    if told:
        for versions in (told, [*told, foreseen.version]):
            judged = judged_versions(index, versions, foreseen)
            if judged.record is not None:
                found |= _compared(unit, index, judged.record, foreseen).keys
    elif foreseen.compared is not None:
        # Statuses of numbers are not looked up: where one changes the keys, the writer comes again.
        found.update(foreseen.compared.keys)
    return key_locks([key], found) | number_locks(stated_numbers([*told, foreseen.version]))


@dataclass(frozen=True, slots=True)
class _Fold:
    """A record as its versions have it."""

    versions: Sequence[StoredVersion]
    judged: AcceptedVersions
    comparison: ComparisonRecord | None
    keys: frozenset[int]
    withheld_nhs_number: str | None

    @property
    def live_version(self) -> int:
        assert self.judged.record is not None, "a record that does not live has no live version"
        order = self.judged.record.live.order
        return next(each.number for each in self.versions if each.version.order == order)


@dataclass(frozen=True, slots=True)
class _Change:
    """A record before and after."""

    number: int
    before: StandingRecord | None
    fold: _Fold | None
    """None if its source merged it into another."""
    keys_before: frozenset[int]
    keys_after: frozenset[int]

    @property
    def after(self) -> ComparisonRecord | None:
        return self.fold.comparison if self.fold else None


def _parting(unit: UnitOfWork, locks: Locks, changes: list[_Change]) -> list[_Change]:
    """The changes, with whose the records are that live no longer: no decision may move them now.

    Once they are gone nobody could tell any more.
    """
    going = [each.number for each in changes if each.before is not None and each.after is None]
    if not going or not locks.take_records(going):
        return changes
    standing = list_standing(unit, going)
    return [replace(each, before=standing.get(each.number, each.before)) for each in changes]


def _change(
    index: LinkageIndex, number: int, before: StandingRecord | None, fold: _Fold | None
) -> _Change:
    return _Change(
        number,
        before,
        fold,
        index.keys_of(before.comparison) if before else frozenset(),
        fold.keys if fold else frozenset(),
    )


def _versions(unit: UnitOfWork, number: int, key: RecordKey) -> list[StoredVersion]:
    return list_versions_of(unit, key, [number, *list_family(unit, [number])])


def _fold(
    unit: UnitOfWork,
    index: LinkageIndex,
    stored: Sequence[StoredVersion],
    foreseen: Foreseen | None,
) -> _Fold:
    versions = [each.version for each in stored]
    if not versions:
        return _Fold((), AcceptedVersions(None, ()), None, frozenset(), None)
    judged = judged_versions(index, versions, foreseen)
    if judged.record is None:
        return _Fold(stored, judged, None, frozenset(), None)
    compared = _compared(unit, index, judged.record, foreseen)
    number_stated = standardise_nhs_number(judged.record.live.demographics.nhs_number)
    withheld = number_stated if number_stated != compared.comparison.nhs_number else None
    return _Fold(stored, judged, compared.comparison, compared.keys, withheld)


def _compared(
    unit: UnitOfWork, index: LinkageIndex, record: SourceRecord, foreseen: Foreseen | None
) -> Compared:
    """The record as it is compared, with what is known of the number that it states now."""
    trust = index.model.number_trust
    number = standardise_nhs_number(record.live.demographics.nhs_number)
    if number is not None:
        trust = number_trust_for(unit, trust, number)
    return compared_record(index, record, trust, foreseen)


def stated_numbers(versions: Iterable[RecordVersion]) -> set[str]:
    """The valid NHS numbers, ten digits each, that these versions state."""
    found = (standardise_nhs_number(version.demographics.nhs_number) for version in versions)
    return {number for number in found if number is not None}


def _write_record(
    unit: UnitOfWork,
    change: _Change,
    merged_into: int | None,
    found: Restated,
) -> None:
    number, fold = change.number, change.fold
    if fold is not None:
        set_version_states(unit, _changed_states(fold))
        found.held[number] = fold.judged.held
    else:
        found.held[number] = ()
    before, after = change.keys_before, change.keys_after
    replace_keys(unit, number, added=after - before, removed=before - after)
    if fold is not None and fold.comparison is not None:
        set_live_record(
            unit,
            number,
            fold.comparison,
            live_version=fold.live_version,
            withheld_nhs_number=fold.withheld_nhs_number,
        )
        found.stated.add(number)
    else:
        set_gone_record(unit, number, merged_into=merged_into)
        if change.before is not None:
            found.gone.append(change.before)


def _changed_states(fold: _Fold) -> list[tuple[int, VersionState]]:
    held = {each.version.order for each in fold.judged.held}
    record = fold.judged.record
    accepted = {each.order for each in record.versions} if record else set()
    changed = []
    for each in fold.versions:
        order = each.version.order
        if order in held:
            state = VersionState.HELD
        elif (
            order in accepted
            or each.version.is_deletion
            or (record is None and not each.version.is_entered_in_error)
        ):
            state = VersionState.ACCEPTED
        else:
            state = VersionState.ENTERED_IN_ERROR
        if state is not each.state:
            changed.append((each.number, state))
    return changed


def _write_edges(
    unit: UnitOfWork,
    index: LinkageIndex,
    changes: Sequence[_Change],
    found: Restated,
    *,
    model: int,
    at: datetime,
) -> None:
    """The edges of the records at hand, which are compared with one another as well."""
    lived = [change.number for change in changes if change.before is not None]
    known = {(each.left, each.right): each for each in list_edges_of(unit, lived)}
    found.seeds |= {end for pair in known for end in pair}
    found.seeds |= {change.number for change in changes}
    weighed: dict[tuple[int, int], Edge] = {}
    for change in changes:
        if change.after is None:
            continue
        of_record = weigh_candidates(
            unit,
            index,
            change.number,
            change.after,
            change.keys_after,
            neighbours={end for pair in known if change.number in pair for end in pair},
            at=at,
        )
        weighed |= of_record.edges
        found.standing |= of_record.standing
        found.is_complete &= of_record.is_complete
    new = [edge for pair, edge in weighed.items() if known.get(pair) != edge]
    put_edges(unit, new, model=model, known=known.values())
    drop_edges(unit, [edge for pair, edge in known.items() if pair not in weighed])
    found.seeds |= {end for pair in weighed for end in pair}


def _home_mates(unit: UnitOfWork, changes: Iterable[_Change]) -> set[int]:
    """Those at the home of a record that comes back: it may have been given to others."""
    returned = [c.number for c in changes if c.before is None and c.after is not None]
    homes = {home_id for home_id, _ in list_homes(unit, returned)}
    return list_records_at_home(unit, homes) if homes else set()


def record_keys(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, RecordKey]:
    """Number -> key of records that exist; numbers of none are left out."""
    return {stored.number: stored.key for stored in list_records(unit, numbers)}
