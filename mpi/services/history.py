"""Who was this on 3 March, and what happened since? Links have validity, versions are kept.

An answer of the past is what the index knew then: the links in force, and for the golden record
the versions received by then with the verdicts of then, under the model and the trust of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mpi.domain.events import IdentityEvent
from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import LinkOrigin
from mpi.domain.records import demographics_to_dict
from mpi.linkage.overlay import accept_versions
from mpi.services.answers import CrossReferences, Seen, seen_records
from mpi.services.changes import identity_events
from mpi.services.cross_reference import cross_reference_of
from mpi.services.linkage_index import LinkageIndex
from mpi.standardise.informative import is_informative
from mpi.storage.graph import list_family
from mpi.storage.links import StoredLink, find_link, list_links, list_links_ever
from mpi.storage.outbox import list_events_of_person
from mpi.storage.persons import get_person, list_holders, list_successors
from mpi.storage.records import get_record
from mpi.storage.tables import PersonState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import list_received, list_versions_known_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonThen:
    """A person as the index knew it at an instant; without records if it had none then.

    `golden` is as `GoldenRecord.to_dict` has it, `records` in key order.
    """

    person_id: PersonId
    as_of: datetime
    golden: Mapping[str, Any]
    records: tuple[RecordKey, ...]

    @property
    def seen(self) -> Seen:
        """The keys of the records that it had then."""
        return seen_records((self.person_id, record) for record in self.records)

    @property
    def person_ids(self) -> tuple[PersonId, ...]:
        """The id asked about."""
        return (self.person_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkThen:
    """That a record belonged to a person, and when (UTC); `valid_to` is None while it does.

    `match_weight_bits` is of its heaviest edge to another record of the person when linked.
    """

    record: RecordKey
    person_id: PersonId
    origin: LinkOrigin
    match_weight_bits: float | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonHistory:
    """What happened to an id, in use or not; `state` is `live`, `retired` or `closed`."""

    person_id: PersonId
    state: str
    created_at: datetime
    leads_to: tuple[PersonId, ...]
    """Of an id that is not in use: who holds its records, or got them before they were gone."""
    links: tuple[LinkThen, ...]
    """Every record that it ever had, the oldest link first; at most `CANDIDATES_MAX`."""
    events: tuple[IdentityEvent, ...]
    next_after: int | None
    """For further events, if there are any."""

    @property
    def seen(self) -> Seen:
        """The keys of the records that it ever had."""
        return seen_records((link.person_id, link.record) for link in self.links)

    @property
    def person_ids(self) -> tuple[PersonId, ...]:
        """The id asked about."""
        return (self.person_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionThen:
    """One thing that a source said, and what it counts for today; instants in UTC.

    `state` is `accepted`, `held` or `entered_in_error`, `entered_in_error` the source's own word,
    `verdict` a steward's. `content` is as `demographics_to_dict` has it.
    """

    version: str
    """Digest."""
    event_at: datetime
    sequence: int
    received_at: datetime
    state: str
    entered_in_error: bool
    is_deletion: bool
    verdict: str | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHistory:
    """What a source said about a record, and whose it was."""

    record: RecordKey
    versions: tuple[VersionThen, ...]
    """In event order, those of records merged into it among them."""
    links: tuple[LinkThen, ...]

    @property
    def seen(self) -> Seen:
        """The record's key, under every person that it belonged to."""
        return seen_records((link.person_id, self.record) for link in self.links)

    @property
    def person_ids(self) -> tuple[PersonId, ...]:
        """Whose the record ever was, the first first."""
        return tuple(dict.fromkeys(link.person_id for link in self.links))


def person_as_of(
    unit: UnitOfWork, index: LinkageIndex, person_id: PersonId, at: datetime
) -> PersonThen:
    """A person as the index knew it at an instant.

    Args:
        unit: Where to look.
        index: The model and the trust of today.
        person_id: This very id, in use or not: it does not lead on.
        at: With a time zone.

    Raises:
        UnknownPerson: If nobody ever had the id.
    """
    get_person(unit, person_id)
    links = list_links(unit, person_id, at=at)
    current = [_current_at(unit, index, each, at) for each in links]
    told = [each for each in current if each is not None]
    golden = survivorship(told, is_informative=is_informative).to_dict() if told else {}
    return PersonThen(
        person_id=person_id,
        as_of=at,
        golden=golden,
        records=tuple(each.link.record for each in links),
    )


def cross_references_as_of(
    unit: UnitOfWork, _index: LinkageIndex, person_id: PersonId, at: datetime
) -> CrossReferences:
    """Where a person had records at an instant, in key order; none if it had none then.

    Raises:
        UnknownPerson: If nobody ever had the id, which does not lead on here.
    """
    get_person(unit, person_id)
    return CrossReferences(
        person_id=person_id,
        asked_id=None,
        records=tuple(map(cross_reference_of, list_links(unit, person_id, at=at))),
    )


def person_history(
    unit: UnitOfWork, _index: LinkageIndex, person_id: PersonId, after: int, limit: int
) -> PersonHistory:
    """What happened to a person, the oldest first.

    Args:
        unit: Where to look.
        _index: The model in force.
        person_id: In use or not.
        after: 0, or `next_after` of the answer before.
        limit: Events to give at most.

    Raises:
        UnknownPerson: If nobody ever had the id.
    """
    person = get_person(unit, person_id)
    events = list_events_of_person(unit, person_id, after=after, limit=limit)
    leads_to: list[PersonId] = []
    if person.state is not PersonState.LIVE:
        leads_to = list_holders(unit, person_id)[:1] or list_successors(unit, person_id)
    return PersonHistory(
        person_id=person_id,
        state=str(person.state),
        created_at=person.created_at,
        leads_to=tuple(leads_to),
        links=tuple(map(_link, list_links_ever(unit, person_id=person_id))),
        events=identity_events(unit, events),
        next_after=events[-1].number if len(events) == limit else None,
    )


def record_history(unit: UnitOfWork, _index: LinkageIndex, key: RecordKey) -> RecordHistory:
    """What a source said about a record over time, and whose it was.

    Raises:
        UnknownRecord: If nothing was ever said of it.
    """
    number = get_record(unit, key).number
    received = list_received(unit, key, [number, *list_family(unit, [number])])
    return RecordHistory(
        record=key,
        versions=tuple(
            VersionThen(
                version=stored.version.digest,
                event_at=stored.version.event_at,
                sequence=stored.version.sequence,
                received_at=received_at,
                state=str(stored.state),
                entered_in_error=stored.version.is_entered_in_error,
                is_deletion=stored.version.is_deletion,
                verdict=stored.version.verdict,
                content=demographics_to_dict(stored.version.demographics),
            )
            for stored, received_at in received
        ),
        links=tuple(map(_link, list_links_ever(unit, record=number))),
    )


def _current_at(
    unit: UnitOfWork, index: LinkageIndex, stored: StoredLink, at: datetime
) -> CurrentRecord | None:
    """What a record said at an instant; one merged since counts only where it belonged then."""
    key = stored.link.record
    family = [r for r in list_family(unit, [stored.number]) if find_link(unit, r, at=at) is None]
    known = list_versions_known_at(unit, key, [stored.number, *family], at)
    versions = [each.version for each in known]
    if not versions:
        return None
    record = accept_versions(versions, index.model.number_trust, index.name_rule).record
    if record is None:
        return None
    return CurrentRecord(
        key=key,
        demographics=record.live.demographics,
        event_at=record.live.event_at,
        digest=record.live.digest,
        trust=index.trust.get(key.source, {}),
    )


def _link(stored: StoredLink) -> LinkThen:
    link = stored.link
    return LinkThen(
        record=link.record,
        person_id=link.person_id,
        origin=link.origin,
        match_weight_bits=link.match_weight_bits,
        valid_from=link.valid_from,
        valid_to=link.valid_to,
    )
