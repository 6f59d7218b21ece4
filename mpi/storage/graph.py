"""The link graph as stored: which records stand where, the edges and decisions between them.

What is read here decides who is one person, so a writer reads it under the locks of
`mpi.storage.locks` and reads it again after it got them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import Decision, DecisionKind, Edge, SeenEvidence, VetoReason
from mpi.domain.records import ComparisonRecord
from mpi.storage.prepared import (
    LIST_VALUES_MAX,
    PreparedQuery,
    Row,
    delete_from,
    insert_into,
    list_parts,
    update_of,
)
from mpi.storage.records import compared, comparison_of
from mpi.storage.tables import (
    decision,
    decision_record,
    edge,
    home,
    link,
    source_record,
    task,
    task_record,
)
from mpi.storage.unit_of_work import UnitOfWork


class StandingRecord(NamedTuple):
    """A live record: how it is compared, and where it stands.

    `home_id` is None while it is new; `remembered_id` is the id that a group of its got which owned
    no home, if there was one (see `mpi.linkage.homes`).
    """

    number: int
    key: RecordKey
    comparison: ComparisonRecord
    person_id: PersonId | None
    """None while it is new, or comes back."""
    link: int | None
    """Number of its link in force."""
    home_id: PersonId | None
    remembered_id: PersonId | None
    live_version: int


class Candidate(NamedTuple):
    """A live record that may be somebody's: most are only weighed, and never asked where they
    stand."""

    number: int
    values: dict[str, Any]
    """How it is compared, as it is stored: the fields that are not empty; tuples are lists."""
    row: Row

    def standing(self) -> StandingRecord:
        """The same with where it stands."""
        number, source, local_id, _, *where = self.row
        key = RecordKey(source, local_id)
        return StandingRecord(number, key, comparison_of(self.values), *where)


@dataclass(slots=True)
class Surroundings:
    """What hangs on some records, read at once: it is asked for on every registration."""

    edges: list[Edge] = field(default_factory=list)
    """With an end among the records; one with both there comes twice."""
    has_merged: bool = False
    """Whether a record was merged into one of them: then `list_family` tells which."""
    decisions: set[int] = field(default_factory=set)
    """Those in force that name one of these very records."""
    tasks: set[int] = field(default_factory=set)
    """Open ones that ask about one of them."""


def list_standing(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, StandingRecord]:
    """The live ones of these records, by number; others are left out."""
    found: dict[int, StandingRecord] = {}
    for part in list_parts(numbers):
        for number, source, local_id, text, *where in _STANDING.rows(unit, part):
            key = RecordKey(source, local_id)
            found[number] = StandingRecord(number, key, compared(text), *where)
    return found


def list_candidates(unit: UnitOfWork, numbers: Collection[int]) -> Iterator[Candidate]:
    """The live ones of these records, in no order; others are left out."""
    for part in list_parts(numbers):
        for row in _STANDING.rows(unit, part):
            yield Candidate(row[0], orjson.loads(row[3]), row)


def list_surroundings(
    unit: UnitOfWork, numbers: Collection[int], *, has_edges: bool = True
) -> Surroundings:
    """Edges (unless told not to), decisions and tasks of these records, live or not."""
    found = Surroundings()
    query = _SURROUNDINGS if has_edges else _ASIDE
    for part in list_parts(numbers):
        for kind, one, other, bits in query.rows(unit, part):
            if kind == _EDGE:
                found.edges.append(Edge(one, other, bits))
            elif kind == _MERGER:
                found.has_merged = True
            else:
                (found.decisions if kind == _NAMED else found.tasks).add(one)
    return found


def list_edges_leaving(unit: UnitOfWork, numbers: Collection[int]) -> list[Edge]:
    """Every edge with one end among these records; there are at most `LIST_VALUES_MAX` of them."""
    assert len(numbers) <= LIST_VALUES_MAX, "who is inside is told in one statement"
    return [Edge(*row) for row in _LEAVING.rows(unit, sorted(numbers))]


def list_edges_of(unit: UnitOfWork, numbers: Collection[int]) -> list[Edge]:
    """Every edge with an end among these records, in no order; one with both there comes twice."""
    rows = (row for part in list_parts(numbers) for row in _EDGES.rows(unit, part))
    return [Edge(*row) for row in rows]


def list_records_at_home(unit: UnitOfWork, ids: Collection[PersonId]) -> set[int]:
    """The records, live or not, whose home is one of these ids."""
    return {record for part in list_parts(ids) for (record,) in _AT_HOME.rows(unit, part)}


def list_records_remembering(unit: UnitOfWork, ids: Collection[PersonId]) -> set[int]:
    """The records, live or not, that remember one of these ids."""
    return {record for part in list_parts(ids) for (record,) in _REMEMBERING.rows(unit, part)}


def list_homes(
    unit: UnitOfWork, numbers: Collection[int]
) -> list[tuple[PersonId, PersonId | None]]:
    """Home and remembered id of these records, live or not; of those that ever had a home."""
    rows = (row for part in list_parts(numbers) for row in _HOMES.rows(unit, part))
    return [(home_id, remembered_id) for home_id, remembered_id in rows]


def list_family(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, int]:
    """Every record that its source merged into one of these, at whatever remove -> that one.

    The records asked for are not in it themselves.
    """
    survivors: dict[int, int] = {}
    level = {number: number for number in numbers}
    while level:
        rows = [row for part in list_parts(level) for row in _MERGED.rows(unit, part)]
        level = {number: level[into] for number, into in rows if number not in survivors}
        survivors.update(level)
    return survivors


def survivors_of(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, int]:
    """Each record -> the record that it lives on in: itself, unless its source merged it."""
    survivors = {number: number for number in numbers}
    moving = set(numbers)
    while moving:
        rows = [row for part in list_parts(moving) for row in _MERGED_INTO.rows(unit, part)]
        into = {number: survivor for number, survivor in rows if survivor is not None}
        for number, current in survivors.items():
            survivors[number] = into.get(current, current)
        moving = set(into.values())
    return survivors


def list_decisions_about(unit: UnitOfWork, numbers: Collection[int]) -> list[Decision]:
    """The decisions in force that name one of these records, or one merged into it.

    Their sides are records as they live on today: what was decided of a merged record holds for
    the survivor.
    """
    return list_decisions_naming(unit, {*numbers, *list_family(unit, numbers)})


def list_decisions_naming(unit: UnitOfWork, named: Collection[int]) -> list[Decision]:
    """The decisions in force that name one of these very records, by number.

    Their sides are records as they live on today (see `list_decisions_about`).
    """
    found = {row[0] for part in list_parts(named) for row in _ABOUT.rows(unit, part)}
    return list_decisions(unit, found)


def list_decisions(unit: UnitOfWork, numbers: Collection[int]) -> list[Decision]:
    """The decisions of these numbers; sides as above."""
    if not numbers:
        return []
    sides: dict[int, list[Any]] = defaultdict(list)
    for row in (row for part in list_parts(numbers) for row in _SIDES.rows(unit, part)):
        sides[row[0]].append(row)
    everyone = {row[1] for rows in sides.values() for row in rows}
    survivors = survivors_of(unit, everyone)
    stated = (row for part in list_parts(numbers) for row in _DECISIONS.rows(unit, part))
    return [_decision(row, sides[row[0]], survivors) for row in sorted(stated)]


def put_edges(
    unit: UnitOfWork, edges: Sequence[Edge], *, model: int, known: Collection[Edge]
) -> None:
    """Write edges, new ones or with another weight than `known`.

    Args:
        unit: Where to write.
        edges: Each pair once; weights in bits, rounded.
        model: The store's number of the release that weighed them.
        known: Edges as stored, of these pairs at least.
    """
    pairs = {(each.left, each.right) for each in known}
    drop_edges(unit, [each for each in edges if (each.left, each.right) in pairs])
    _ADD_EDGE.run_many(unit, [(*each, model) for each in edges])


def drop_edges(unit: UnitOfWork, edges: Iterable[Edge]) -> None:
    """Remove edges that no longer hold; ones that are not stored are passed over."""
    _DROP_EDGE.run_many(unit, [(each.left, each.right) for each in edges])


def put_home(
    unit: UnitOfWork,
    record: int,
    *,
    home_id: PersonId,
    remembered_id: PersonId | None,
    is_new: bool,
) -> None:
    """Write where a record is at home and which id it remembers."""
    if is_new:
        _ADD_HOME.run(unit, record=record, home_id=home_id, remembered_id=remembered_id)
    else:
        _MOVE_HOME.run(unit, its_record=record, home_id=home_id, remembered_id=remembered_id)


def _decision(row: Any, sides: list[Any], survivors: dict[int, int]) -> Decision:
    number, kind, evidence_digest, match_weight_bits, veto = row
    seen = SeenEvidence(match_weight_bits, VetoReason(veto) if veto else None)
    return Decision(
        number=number,
        kind=DecisionKind(kind),
        left=frozenset(survivors[record] for _, record, is_left, _ in sides if is_left),
        right=frozenset(survivors[record] for _, record, is_left, _ in sides if not is_left),
        disowned_numbers=frozenset(
            survivors[record] for _, record, _, is_disowned in sides if is_disowned
        ),
        seen=seen if evidence_digest else None,
    )


def _listed(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, expanding=True)


_IN_FORCE: Final = decision.c.retracted_at.is_(None)
_STANDING: Final = PreparedQuery(
    sa.select(
        source_record.c.number,
        source_record.c.source,
        source_record.c.local_id,
        source_record.c.comparison,
        link.c.person_id,
        link.c.number,
        home.c.home_id,
        home.c.remembered_id,
        source_record.c.live_version,
    )
    .select_from(
        source_record.outerjoin(
            link, sa.and_(link.c.record == source_record.c.number, link.c.valid_to.is_(None))
        ).outerjoin(home, home.c.record == source_record.c.number)
    )
    .where(source_record.c.number.in_(_listed("numbers")))
    .where(source_record.c.comparison.is_not(None)),
    list_name="numbers",
)
_ends_of = _listed("numbers")
_EDGE_COLUMNS: Final = (edge.c.left_record, edge.c.right_record, edge.c.match_weight_bits)
_EDGES: Final = PreparedQuery(
    sa.union_all(
        sa.select(*_EDGE_COLUMNS).where(edge.c.left_record.in_(_ends_of)),
        sa.select(*_EDGE_COLUMNS).where(edge.c.right_record.in_(_ends_of)),
    ),
    list_name="numbers",
)
_EDGE, _MERGER, _NAMED, _ASKED = range(4)
"""Kinds of row that `list_surroundings` reads."""


def _row_of(kind: int, one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> sa.Select[Any]:
    bits: sa.ColumnElement[Any] = sa.cast(sa.null(), sa.Double())
    return sa.select(sa.literal_column(str(kind), sa.Integer()), one, other, bits)


_EDGES_AROUND: Final = [
    sa.select(sa.literal_column(str(_EDGE), sa.Integer()), *_EDGE_COLUMNS).where(end.in_(_ends_of))
    for end in _EDGE_COLUMNS[:2]
]
_ALL_ASIDE: Final = [
    _row_of(_MERGER, source_record.c.number, source_record.c.merged_into).where(
        source_record.c.merged_into.in_(_ends_of)
    ),
    _row_of(_NAMED, decision.c.number, decision_record.c.record)
    .join(decision_record, decision_record.c.decision == decision.c.number)
    .where(_IN_FORCE, decision_record.c.record.in_(_ends_of)),
    _row_of(_ASKED, task.c.number, task_record.c.record)
    .join(task_record, task_record.c.task == task.c.number)
    .where(task.c.closed_at.is_(None), task_record.c.record.in_(_ends_of)),
]
_SURROUNDINGS: Final = PreparedQuery(sa.union_all(*_EDGES_AROUND, *_ALL_ASIDE), list_name="numbers")
_ASIDE: Final = PreparedQuery(sa.union_all(*_ALL_ASIDE), list_name="numbers")
# A subquery and not the list itself: either database makes a table of it, once, to look it up in.
_inside: Final = sa.select(source_record.c.number).where(source_record.c.number.in_(_ends_of))
_LEAVING: Final = PreparedQuery(
    sa.union_all(
        *[
            sa.select(*_EDGE_COLUMNS).where(end.in_(_ends_of), other.not_in(_inside))
            for end, other in (_EDGE_COLUMNS[:2], _EDGE_COLUMNS[1::-1])
        ]
    ),
    list_name="numbers",
)
_AT_HOME: Final = PreparedQuery(
    sa.select(home.c.record).where(home.c.home_id.in_(_listed("ids"))), list_name="ids"
)
_REMEMBERING: Final = PreparedQuery(
    sa.select(home.c.record).where(home.c.remembered_id.in_(_listed("ids"))), list_name="ids"
)
_HOMES: Final = PreparedQuery(
    sa.select(home.c.home_id, home.c.remembered_id).where(home.c.record.in_(_listed("numbers"))),
    list_name="numbers",
)
_MERGED: Final = PreparedQuery(
    sa.select(source_record.c.number, source_record.c.merged_into).where(
        source_record.c.merged_into.in_(_listed("numbers"))
    ),
    list_name="numbers",
)
_MERGED_INTO: Final = PreparedQuery(
    sa.select(source_record.c.number, source_record.c.merged_into).where(
        source_record.c.number.in_(_listed("numbers")), source_record.c.merged_into.is_not(None)
    ),
    list_name="numbers",
)
_ABOUT: Final = PreparedQuery(
    sa.select(decision.c.number)
    .join(decision_record, decision_record.c.decision == decision.c.number)
    .where(_IN_FORCE, decision_record.c.record.in_(_listed("numbers"))),
    list_name="numbers",
)
_DECISIONS: Final = PreparedQuery(
    sa.select(
        decision.c.number,
        decision.c.kind,
        decision.c.evidence_digest,
        decision.c.match_weight_bits,
        decision.c.veto,
    ).where(decision.c.number.in_(_listed("numbers"))),
    list_name="numbers",
)
_SIDES: Final = PreparedQuery(
    sa.select(
        decision_record.c.decision,
        decision_record.c.record,
        decision_record.c.is_left,
        decision_record.c.is_number_disowned,
    ).where(decision_record.c.decision.in_(_listed("numbers"))),
    list_name="numbers",
)
_ADD_EDGE: Final = insert_into(edge, "left_record", "right_record", "match_weight_bits", "model")
_DROP_EDGE: Final = delete_from(edge, "left_record", "right_record")
_ADD_HOME: Final = insert_into(home, "record", "home_id", "remembered_id")
_MOVE_HOME: Final = update_of(home, "home_id", "remembered_id", by="record")
