"""Who is this? Asked by an identifier or by demographics; changes nothing.

By demographics the question is a record like any other: standardised, blocked, scored and vetoed as
a load would do it, but answered with persons instead of links. A person weighs what their best
record weighs. Doubt is shown and never resolved here: whoever asks decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import VetoReason, rounded_bits
from mpi.domain.records import ComparisonRecord
from mpi.errors import InvalidIdentifier
from mpi.limits import CANDIDATES_MAX
from mpi.linkage.explain import explain
from mpi.linkage.vetoes import find_groups_veto
from mpi.services.answers import Answer, Evidence, Grade, PersonAnswer
from mpi.services.linkage_index import LinkageIndex, compared_question
from mpi.standardise.numbers import stated_nhs_number
from mpi.storage.blocking_keys import count_shared_keys, list_crowded
from mpi.storage.number_statuses import number_trust_for
from mpi.storage.persons import (
    get_person,
    list_holders,
    list_parted,
    list_persons,
    list_successors,
)
from mpi.storage.records import (
    ComparedRecord,
    get_record,
    list_compared_values,
    list_compared_with,
    list_records_by_nhs_number,
)
from mpi.storage.tables import PersonState
from mpi.storage.unit_of_work import UnitOfWork

PERSONS_MAX: Final = 10
"""Persons in one answer; a caller who gets so many must ask more precisely."""


def resolve_by_nhs_number(unit: UnitOfWork, index: LinkageIndex, nhs_number: str) -> Answer:
    """Everyone with a record that holds this number: nobody for a disputed one.

    Those of a superseded number are the holders of its successor. At most `PERSONS_MAX`.

    Args:
        unit: Where to look.
        index: The model in force.
        nhs_number: Ten digits; spaces and hyphens do not matter.

    Raises:
        InvalidIdentifier: If it is no NHS number.
    """
    number = stated_nhs_number(nhs_number)
    if number is None:
        raise InvalidIdentifier("nhs_number: must be ten digits with a valid check digit")
    trust = number_trust_for(unit, index.model.number_trust, number)
    current = trust.superseded.get(number, number)
    records = [] if trust.disputed else list_records_by_nhs_number(unit, current)
    found = [record.person_id for record in records if record.person_id is not None]
    return _answer(unit, index, found)


def resolve_by_source_id(unit: UnitOfWork, index: LinkageIndex, key: RecordKey) -> Answer:
    """The person of one source record; nobody if it is not live.

    Raises:
        UnknownRecord: If nothing was ever said of it.
    """
    record = get_record(unit, key)
    return _answer(unit, index, [record.person_id] if record.person_id else [])


def resolve_by_person_id(unit: UnitOfWork, index: LinkageIndex, person_id: PersonId) -> Answer:
    """The person of this id, or whoever holds its records now; the answer says which.

    Of a closed id: the persons that got its records before they were gone, perhaps none.

    Raises:
        UnknownPerson: If no person ever had this id.
    """
    person = get_person(unit, person_id)
    if person.state == PersonState.LIVE:
        return _answer(unit, index, [person_id])
    holders = list_holders(unit, person_id)[:1]
    return Answer(
        persons=_persons(unit, holders or list_successors(unit, person_id)[:PERSONS_MAX]),
        model_digest=index.model.digest,
        asked_id=person_id,
        is_closed=not holders,
    )


def resolve_by_demographics(
    unit: UnitOfWork,
    index: LinkageIndex,
    demographics: Demographics,
    *,
    persons_max: int = PERSONS_MAX,
) -> Answer:
    """Everyone whose best record reaches the model's `review_bits`, the heaviest first.

    Nobody is an answer too: few demographics, or none that say anything, find nobody.

    Args:
        unit: Where to look.
        index: The model in force.
        demographics: As much as is known; text as it was written.
        persons_max: Persons to show, at most `PERSONS_MAX`.

    Source: Fellegi and Sunter (1969) for the weights, which are in bits.
    """
    question = compared_question(unit, index, demographics)
    keys = index.keys_of(question)
    found = _most_alike(count_shared_keys(unit, keys))
    reached = _weigh(unit, index, question, found[:CANDIDATES_MAX])
    members = _members(unit, list(reached)[:CANDIDATES_MAX])
    ranked = _rank(members, reached)
    shown = ranked[: min(persons_max, PERSONS_MAX)]
    judged = _judge(index, question, ranked, shown, members)
    goldens = list_persons(unit, [match.person_id for match in shown])
    parted = list_parted(unit, [match.person_id for match in shown])
    return Answer(
        persons=tuple(
            PersonAnswer(
                person_id=match.person_id,
                golden=goldens[match.person_id].golden or {},
                evidence=evidence,
                recently_parted_from=parted.get(match.person_id, ()),
            )
            for match, evidence in zip(shown, judged, strict=True)
        ),
        model_digest=index.model.digest,
        candidates_count=min(len(found), CANDIDATES_MAX),
        is_complete=len(found) <= CANDIDATES_MAX
        and len(shown) == len(ranked)
        and not list_crowded(unit, keys),
    )


@dataclass(frozen=True, slots=True)
class _Match:
    """A person's best record."""

    person_id: PersonId
    match_weight_bits: float
    record: ComparedRecord


_Members = Mapping[PersonId, Sequence[ComparedRecord]]


def _most_alike(shared: Mapping[int, int]) -> list[int]:
    """The records that share a key, those that share most first."""
    return sorted(shared, key=lambda record: (-shared[record], record))


def _weigh(
    unit: UnitOfWork, index: LinkageIndex, question: ComparisonRecord, candidates: Sequence[int]
) -> dict[int, float]:
    """The candidates whose weight reaches `review_bits`, with it.

    Most do not, so they are weighed as they are stored, without making records of them.
    """
    prepare, weigh = index.scorer.prepare_values, index.scorer.weight
    asked = index.scorer.prepare(question)
    review_bits = index.model.thresholds.review_bits
    reached = {}
    for number, values in list_compared_values(unit, candidates):
        bits = weigh(asked, prepare(values))
        if rounded_bits(bits) >= review_bits:
            reached[number] = bits
    return reached


def _members(unit: UnitOfWork, records: Sequence[int]) -> _Members:
    """All records of the persons who hold these."""
    members: dict[PersonId, list[ComparedRecord]] = {}
    for record in list_compared_with(unit, records):
        members.setdefault(record.person_id, []).append(record)
    return members


def _rank(members: _Members, reached: Mapping[int, float]) -> list[_Match]:
    matches = []
    for person_id, records in members.items():
        own = [record for record in records if record.number in reached]
        best = max(own, key=lambda record: (reached[record.number], -record.number))
        matches.append(_Match(person_id, reached[best.number], best))
    return sorted(matches, key=lambda match: (-match.match_weight_bits, match.person_id))


def _judge(
    index: LinkageIndex,
    question: ComparisonRecord,
    ranked: Sequence[_Match],
    shown: Sequence[_Match],
    members: _Members,
) -> list[Evidence]:
    vetoes = {
        match.person_id: find_groups_veto(
            [(question, False)],
            [(r.comparison, r.is_number_disowned) for r in members[match.person_id]],
            index.name_rule,
        )
        for match in shown
    }
    rivals = [match for match in ranked if vetoes.get(match.person_id) is None]
    judged = []
    for match in shown:
        bits, veto = match.match_weight_bits, vetoes.get(match.person_id)
        judged.append(
            Evidence(
                grade=_grade(index, match, rivals, veto),
                match_weight_bits=bits,
                match_probability=1 / (1 + 2.0**-bits) if veto is None else None,
                record=match.record.key,
                veto=veto,
                explanation=explain(index.scorer, question, match.record.comparison),
            )
        )
    return judged


def _grade(
    index: LinkageIndex, match: _Match, rivals: Sequence[_Match], veto: VetoReason | None
) -> Grade:
    """As `partition` would judge an edge: a veto forbids, an unvetoed rival makes it ambiguous."""
    thresholds = index.model.thresholds
    if rounded_bits(match.match_weight_bits) < thresholds.link_bits or veto is not None:
        return Grade.POSSIBLE
    near = rounded_bits(match.match_weight_bits - thresholds.ambiguity_bits)
    if any(rounded_bits(m.match_weight_bits) >= near for m in rivals if m is not match):
        return Grade.PROBABLE
    return Grade.CERTAIN


def _answer(unit: UnitOfWork, index: LinkageIndex, found: Sequence[PersonId]) -> Answer:
    distinct = list(dict.fromkeys(found))
    return Answer(
        persons=_persons(unit, distinct[:PERSONS_MAX]),
        model_digest=index.model.digest,
        is_complete=len(distinct) <= PERSONS_MAX,
    )


def _persons(unit: UnitOfWork, person_ids: Sequence[PersonId]) -> tuple[PersonAnswer, ...]:
    known, parted = list_persons(unit, person_ids), list_parted(unit, person_ids)
    return tuple(
        PersonAnswer(
            person_id=person_id,
            golden=known[person_id].golden or {},
            recently_parted_from=parted.get(person_id, ()),
        )
        for person_id in person_ids
    )
