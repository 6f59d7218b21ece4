"""What a store must say, computed anew from nothing but what sources said and stewards decided.

No part of the live index's write path is used: records are folded, compared pair by pair and
grouped by the reference implementation, over the whole store at once. Only the model's own pure
parts (standardiser, scorer, the fold of versions) are the product's; others hold those.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import NumberTrust, RecordKey
from mpi.domain.links import Decision, DecisionKind, Edge, SeenEvidence, VetoReason, rounded_bits
from mpi.domain.records import RecordVersion, VersionVerdict, content_json, demographics_from_dict
from mpi.domain.tasks import question_digest
from mpi.linkage.overlay import accept_versions
from mpi.linkage.partition import partition
from mpi.services.questions import overlay_questions
from mpi.standardise.informative import is_informative
from mpi.standardise.record import standardise
from tests.reference_partition import reference_groups

REFERENCE_RECORDS_MAX = 20
_VERDICTS = {"same": VersionVerdict.CORRECTION, "different": VersionVerdict.ANOTHER_HUMAN}


@dataclass
class Fresh:
    """Everything that follows from the facts of a store; records by number."""

    keys: dict = field(default_factory=dict)
    roots: dict = field(default_factory=dict)
    accepted: dict = field(default_factory=dict)
    """Surviving record -> its judged versions, of those that have any."""
    compared: dict = field(default_factory=dict)
    """Live record -> how it is compared."""
    blocked: set = field(default_factory=set)
    """Blocking key and record."""
    edges: list = field(default_factory=list)
    decisions: list = field(default_factory=list)
    groups: frozenset = frozenset()
    undecided: frozenset = frozenset()
    questions: dict = field(default_factory=dict)
    """Digest -> what is to be asked of the graph."""
    overlays: dict = field(default_factory=dict)


def fresh(live):
    """Recompute the store of a `LiveIndex`."""
    found = Fresh()
    rows = live.query("SELECT number, source, local_id, merged_into FROM source_record")
    found.keys = {row.number: RecordKey(row.source, row.local_id) for row in rows}
    into = {row.number: row.merged_into for row in rows}
    found.roots = {number: last(number, into) for number in into}
    trust = number_trust(live)
    fold(live, found, trust)
    found.blocked = {(k, n) for n, c in found.compared.items() for k in live.index.keys_of(c)}
    found.edges = list(compare(live, found))
    found.decisions = decisions(live, found.roots)
    rules = live.index.rules
    found.groups = groups_of(found, found.decisions, rules)
    found.undecided = groups_of(found, [], rules)
    asked = partition(
        found.compared, found.edges, found.decisions, rules, source=lambda n: found.keys[n].source
    )
    assert frozenset(asked.groups) == found.groups
    found.questions = {question_digest(question): question for question in asked.questions}
    return found


def groups_of(found, said, rules):
    """The reference's groups; of many records, for which it takes minutes, those of `partition`."""
    if len(found.compared) > REFERENCE_RECORDS_MAX:
        return frozenset(partition(found.compared, found.edges, said, rules).groups)
    return reference_groups(found.compared, found.edges, said, rules)


def last(number, into):
    while into[number] is not None:
        number = into[number]
    return number


def number_trust(live):
    """Which numbers count, from the statements in force."""
    stated = live.index.model.number_trust
    rows = live.query("SELECT * FROM nhs_number_status WHERE retracted_at IS NULL")
    successors = {row.nhs_number: row.successor for row in rows if row.successor}
    ends = {}
    for number in successors:
        end = number
        while end in successors:
            end = successors[end]
        ends[number] = end
    disputed = frozenset(row.nhs_number for row in rows if row.status == "disputed")
    return NumberTrust(
        statuses=stated.statuses, sources=stated.sources, disputed=disputed, superseded=ends
    )


def fold(live, found, trust):
    """Which versions count, and how their records are compared."""
    verdicts = {
        row.version: _VERDICTS[row.kind]
        for row in live.query(
            "SELECT version, kind FROM decision_version JOIN decision ON number = decision "
            "WHERE retracted_at IS NULL ORDER BY number"
        )
    }
    told = {}
    for row in live.query("SELECT * FROM record_version"):
        root = found.roots[row.record]
        version = RecordVersion(
            key=found.keys[root],
            demographics=demographics_from_dict(json.loads(row.content)),
            event_at=instant(row.event_at),
            sequence=row.sequence,
            digest=row.digest,
            is_entered_in_error=bool(row.is_error),
            verdict=verdicts.get(row.number),
        )
        told.setdefault(root, []).append(version)
    for root, versions in told.items():
        judged = accept_versions(versions, trust, live.index.name_rule)
        found.accepted[root] = judged
        if judged.record is not None:
            found.compared[root] = standardise(judged.record, trust)
            for question in overlay_questions(root, judged.held):
                found.overlays[question_digest(question)] = question


def instant(value):
    if isinstance(value, int):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
    return value.astimezone(UTC)


def compare(live, found):
    """Every pair that shares a blocking value; a crowded one makes no new pairs, and ends none."""
    crowded = {row.key for row in live.query("SELECT key FROM crowded_key")}
    known = {(r.left_record, r.right_record) for r in live.query("SELECT * FROM edge")}
    holders = {}
    for key, record in found.blocked:
        holders.setdefault(key, set()).add(record)
    pairs = set()
    for key, records in holders.items():
        held = combinations(sorted(records), 2)
        pairs |= set(held) & known if key in crowded else set(held)
    scorer = live.index.scorer
    prepared = {number: scorer.prepare(record) for number, record in found.compared.items()}
    for left, right in pairs:
        bits = rounded_bits(scorer.weight(prepared[left], prepared[right]))
        number = found.compared[left].trusted_nhs_number
        is_shared = number is not None and number == found.compared[right].trusted_nhs_number
        if bits >= live.index.rules.review_bits or is_shared:
            yield Edge(left, right, bits)


def decisions(live, roots):
    """Those in force, about records as they live on."""
    found = {}
    for row in live.query(
        "SELECT decision.*, record, is_left, is_number_disowned FROM decision "
        "JOIN decision_record ON number = decision WHERE retracted_at IS NULL"
    ):
        seen = SeenEvidence(row.match_weight_bits, VetoReason(row.veto) if row.veto else None)
        known = found.setdefault(
            row.number,
            Decision(
                number=row.number,
                kind=DecisionKind(row.kind),
                left=frozenset(),
                right=frozenset(),
                seen=seen if row.evidence_digest else None,
            ),
        )
        record = frozenset({roots[row.record]})
        known = replace(known, **{s: getattr(known, s) | record for s in _sides_of(row)})
        found[row.number] = known
    return list(found.values())


def _sides_of(row):
    side = "left" if row.is_left else "right"
    return (side, "disowned_numbers") if row.is_number_disowned else (side,)


def golden(live, found, records):
    """The golden record of these records, as the store holds it."""
    current = []
    for record in records:
        version = found.accepted[record].record.live
        key = found.keys[record]
        trust = live.index.trust.get(key.source, {})
        told = (key, version.demographics, version.event_at, version.digest, trust)
        current.append(CurrentRecord(*told))
    return content_json(survivorship(current, is_informative=is_informative).to_dict())
