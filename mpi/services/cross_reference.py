"""Where does this person have records, and what does one of them say?"""

from __future__ import annotations

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.services.answers import CrossReference, CrossReferences, RecordAnswer
from mpi.services.linkage_index import LinkageIndex
from mpi.services.resolve import resolve_by_person_id
from mpi.storage.links import StoredLink, list_links
from mpi.storage.records import get_record, list_live_contents, list_records
from mpi.storage.unit_of_work import UnitOfWork


def cross_references(unit: UnitOfWork, index: LinkageIndex, person_id: PersonId) -> CrossReferences:
    """The records of a person, by source and local id; an id out of use leads on.

    Of a closed id there are none.

    Raises:
        UnknownPerson: If no person ever had this id.
    """
    answer = resolve_by_person_id(unit, index, person_id)
    if answer.is_closed:
        return CrossReferences(person_id=person_id, asked_id=None, records=())
    current = answer.persons[0].person_id
    return CrossReferences(
        person_id=current,
        asked_id=answer.asked_id,
        records=tuple(map(cross_reference_of, list_links(unit, current))),
    )


def cross_reference_of(stored: StoredLink) -> CrossReference:
    """A link as a cross-reference."""
    link = stored.link
    return CrossReference(
        record=link.record,
        origin=link.origin,
        match_weight_bits=link.match_weight_bits,
        model_digest=link.model_digest,
        linked_at=link.valid_from,
    )


def read_record(unit: UnitOfWork, _index: LinkageIndex, key: RecordKey) -> RecordAnswer:
    """One source record as it stands, live or not.

    Raises:
        UnknownRecord: If nothing was ever said of it.
    """
    stored = get_record(unit, key)
    survivor = list_records(unit, [stored.merged_into]) if stored.merged_into else []
    contents = list_live_contents(unit, [stored.number]) if stored.person_id else {}
    return RecordAnswer(
        record=key,
        state=stored.state,
        person_id=stored.person_id,
        merged_into=survivor[0].key if survivor else None,
        registered_at=stored.registered_at,
        content=contents.get(stored.number, {}),
    )
