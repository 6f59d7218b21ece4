"""The one schema, for SQLite and PostgreSQL alike: what is stored and why each rule is there.

Three kinds of table. What sources said and stewards decided is kept for ever and only closed, never
changed. What follows from it (comparison records, keys, edges, homes, links, golden records) can be
rebuilt. The trail (events, audit) is appended to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from mpi.domain.links import DecisionKind, LinkOrigin
from mpi.domain.tasks import TaskState, TaskType
from mpi.storage.columns import (
    KEY,
    check,
    derived_key,
    index,
    instant,
    key,
    number,
    one_of,
    reference,
    text,
    unique,
)

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class RecordState(StrEnum):
    """Whether a source record counts, and if not, why."""

    LIVE = "live"
    RETIRED = "retired"
    """The source deleted it, or a snapshot no longer has it."""
    MERGED = "merged"
    """The source merged it into another of its records."""


class VersionState(StrEnum):
    """What a version counts for, as its record was last folded."""

    ACCEPTED = "accepted"
    HELD = "held"
    """Contradicts the version before it; waits for a steward."""
    ENTERED_IN_ERROR = "entered_in_error"


class PersonState(StrEnum):
    """What a person id stands for."""

    LIVE = "live"
    RETIRED = "retired"
    """Another person holds its records now; `redirect` says who."""
    CLOSED = "closed"
    """None of its records is left."""


class NumberStatus(StrEnum):
    """What can be said of an NHS number."""

    DISPUTED = "disputed"
    """It counts as absent everywhere."""
    SUPERSEDED = "superseded"
    """It counts as its successor."""


source_system = sa.Table(
    "source_system",
    METADATA,
    sa.Column("source", key("source").type, primary_key=True),
    text("name", nullable=True),
    text("ods_code", nullable=True),
    text("identifier_system", nullable=True),
    text("mapping_digest", nullable=True),
)

source_record = sa.Table(
    # The number is the order of registration, which homes ask for when they tie.  `comparison` is
    # the JSON of the ComparisonRecord, NULL unless live; `nhs_number` is taken from it, while
    # `withheld_nhs_number` is what the source states where a status replaces or drops it.
    "source_record",
    METADATA,
    number(),
    reference("source", "source_system.source", why="no record of an unknown source"),
    key("local_id"),
    sa.Column("state", sa.Text(), nullable=False, server_default=RecordState.LIVE),
    reference(
        "merged_into",
        "source_record.number",
        why="a source merge leads to a record that exists",
        nullable=True,
    ),
    # Without a foreign key: versions refer here, and a circle could not be written in bulk.
    sa.Column("live_version", sa.BigInteger()),
    text("comparison", nullable=True),
    key("nhs_number", nullable=True),
    key("withheld_nhs_number", nullable=True),
    instant("registered_at"),
    unique("source", "local_id", why="a key names one record; look-up by key"),
    one_of("state", RecordState, why="a state outside the code's list would be read as live"),
    index(
        "nhs_number",
        why="who has this NHS number, at once; records without one need no entry",
        where="nhs_number IS NOT NULL",
    ),
    index(
        "withheld_nhs_number",
        why="whom a status that is retracted gives the number back to",
        where="withheld_nhs_number IS NOT NULL",
    ),
    index(
        "merged_into",
        why="whose versions and decisions a surviving record has taken over",
        where="merged_into IS NOT NULL",
    ),
)

record_version = sa.Table(
    # `content` is the canonical JSON of the Demographics, of which `digest` is the digest; a
    # deletion has the digest `deleted`.  `state` follows from all versions and stewards' verdicts;
    # `is_error` is the source's own word.
    "record_version",
    METADATA,
    number(),
    reference("record", "source_record.number", why="no version without its record"),
    instant("event_at"),
    sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0"),
    text("digest"),
    text("content"),
    sa.Column("state", sa.Text(), nullable=False, server_default=VersionState.ACCEPTED),
    text("mapping_digest", nullable=True),
    instant("received_at"),
    sa.Column("is_error", sa.Boolean(), nullable=False, server_default=sa.false()),
    unique(
        "record",
        "event_at",
        "sequence",
        "digest",
        why="the same version twice changes nothing; gives versions in fold order",
    ),
    one_of("state", VersionState, why="a state outside the code's list would be folded"),
)

blocking_key = sa.Table(
    # Derived and by far the longest table: clustered, without foreign key and without an index by
    # record. The keys of a record follow from its comparison record, so nothing searches it so.
    "blocking_key",
    METADATA,
    derived_key("key"),
    derived_key("record"),
    sqlite_with_rowid=False,
)

model_release = sa.Table(
    # Edges and links hold the number instead of the digest, millions of times.
    "model_release",
    METADATA,
    number(),
    text("digest"),
    text("name"),
    text("version"),
    instant("released_at"),
    sa.Column("is_in_force", sa.Boolean(), nullable=False, server_default=sa.false()),
    unique("digest", why="a digest names one release"),
    index(
        "is_in_force",
        why="every path scores with one model: only one release can be in force",
        name="uq_model_release_in_force",
        unique=True,
        where="is_in_force",
    ),
)

edge = sa.Table(
    # Derived, long and written in bulk: clustered by pair, no foreign keys; `mpi verify` checks it.
    "edge",
    METADATA,
    derived_key("left_record"),
    derived_key("right_record"),
    sa.Column("match_weight_bits", sa.Double(), nullable=False),
    sa.Column("model", sa.BigInteger(), nullable=False),
    check("ordered", "left_record < right_record", why="a pair has one order and is stored once"),
    index("right_record", why="the edges of a record are read from both ends"),
    sqlite_with_rowid=False,
)

person = sa.Table(
    # The number is the age, which homes ask for when they tie: the smaller is older.  `golden` is
    # the JSON of the GoldenRecord, NULL unless live.
    "person",
    METADATA,
    number(),
    key("id"),
    sa.Column("state", sa.Text(), nullable=False, server_default=PersonState.LIVE),
    key("redirect", nullable=True),
    text("golden", nullable=True),
    text("golden_digest", nullable=True),
    instant("created_at"),
    unique("id", why="ids are permanent and never reused; look-up by id"),
    sa.ForeignKeyConstraint(
        ["redirect"], ["person.id"], info={"why": "an id no longer in use leads somewhere"}
    ),
    one_of("state", PersonState, why="a state outside the code's list would be answered as live"),
    check("redirect", "redirect <> id", why="no id leads to itself"),
    index(
        "redirect",
        why="the ids that lead to a person, when it is retired itself",
        where="redirect IS NOT NULL",
    ),
)

home = sa.Table(
    "home",
    METADATA,
    reference("record", "source_record.number", why="a home is a record's", primary=True),
    reference("home_id", "person.id", why="homes are person ids"),
    reference(
        "remembered_id",
        "person.id",
        why="the id that a group without a home of its own got, kept for when the group returns",
        nullable=True,
    ),
    index("home_id", why="the records of a home: who owns an id, where one out of use leads"),
    index(
        "remembered_id",
        why="the records through which a remembered id is found",
        where="remembered_id IS NOT NULL",
    ),
)

link = sa.Table(
    "link",
    METADATA,
    number(),
    reference("record", "source_record.number", why="a link is a record's"),
    reference("person_id", "person.id", why="a link leads to a person that exists"),
    text("origin"),
    sa.Column("match_weight_bits", sa.Double()),
    reference("model", "model_release.number", why="every link says which model made it"),
    instant("valid_from"),
    instant("valid_to", nullable=True),
    one_of("origin", LinkOrigin, why="only origins that the code can explain"),
    check("validity", "valid_to >= valid_from", why="time does not run backwards"),
    index(
        "record",
        why="a live record belongs to exactly one person: never two open links; its person at once",
        name="uq_link_open_record",
        unique=True,
        where="valid_to IS NULL",
    ),
    index("record", "valid_from", why="whose was this record on a given day"),
    index("person_id", "valid_from", why="the records of a person, now and on a given day"),
)

decision = sa.Table(
    # Decisions apply in the order of their numbers.  `match_weight_bits` and `veto` are what the
    # steward saw, where `evidence_digest` says that it was recorded.
    "decision",
    METADATA,
    number(),
    text("kind"),
    text("reason"),
    text("author"),
    text("evidence_digest", nullable=True),
    instant("decided_at"),
    instant("retracted_at", nullable=True),
    text("retracted_by", nullable=True),
    text("retraction_reason", nullable=True),
    sa.Column("match_weight_bits", sa.Double()),
    text("veto", nullable=True),
    one_of("kind", DecisionKind, why="partition knows these two"),
    check(
        "retraction",
        "(retracted_at IS NULL) = (retracted_by IS NULL)",
        why="every change has an actor, a retraction too",
    ),
)

decision_record = sa.Table(
    "decision_record",
    METADATA,
    reference("decision", "decision.number", why="a side belongs to a decision", primary=True),
    reference("record", "source_record.number", why="it names records that existed", primary=True),
    sa.Column("is_left", sa.Boolean(), nullable=False),
    sa.Column("is_number_disowned", sa.Boolean(), nullable=False, server_default=sa.false()),
    index("record", why="the decisions about a record, on every registration"),
)

decision_version = sa.Table(
    # A verdict on a version that contradicts those before it: *same* makes it a correction,
    # *different* another human, to whom the earlier versions do not belong.
    "decision_version",
    METADATA,
    reference("decision", "decision.number", why="a verdict is a decision", primary=True),
    reference("version", "record_version.number", why="it is about a version that exists"),
    reference("record", "source_record.number", why="a version is a record's"),
    index("record", why="the verdicts on a record's versions, on every registration"),
)

nhs_number_status = sa.Table(
    "nhs_number_status",
    METADATA,
    number(),
    key("nhs_number"),
    text("status"),
    key("successor", nullable=True),
    text("author"),
    instant("recorded_at"),
    instant("retracted_at", nullable=True),
    reference(
        "decision",
        "decision.number",
        why="retracted with the decision it is part of",
        nullable=True,
    ),
    one_of("status", NumberStatus, why="number trust knows these two"),
    check(
        "successor",
        "(status = 'superseded') = (successor IS NOT NULL)",
        why="a superseded number counts as its successor, so there must be one",
    ),
    index(
        "nhs_number",
        "decision",
        why="what is in force about a number; a decision says one thing about it",
        name="uq_nhs_number_status_in_force",
        unique=True,
        where="retracted_at IS NULL",
    ),
)

task = sa.Table(
    # `question_digest` is that of the type and of the records asked about; `revision` guards
    # against a decision on what has changed since it was shown.
    "task",
    METADATA,
    number(),
    text("type"),
    sa.Column("state", sa.Text(), nullable=False, server_default=TaskState.OPEN),
    sa.Column("priority", sa.Integer(), nullable=False),
    sa.Column("match_weight_bits", sa.Double(), nullable=False),
    text("reason"),
    text("question_digest"),
    sa.Column("revision", sa.Integer(), nullable=False, server_default="1"),
    instant("opened_at"),
    instant("closed_at", nullable=True),
    text("claimed_by", nullable=True),
    instant("lease_until", nullable=True),
    instant("parked_until", nullable=True),
    reference("decision", "decision.number", why="what a task led to", nullable=True),
    one_of("type", TaskType, why="a type outside the code's list could not be shown"),
    one_of("state", TaskState, why="a state outside the code's list would never be worked on"),
    index(
        "question_digest",
        why="one open task for one question, however many edges ask it",
        name="uq_task_open_question",
        unique=True,
        where="closed_at IS NULL",
    ),
    index(
        "question_digest",
        why="questions that a steward took note of without a decision are not asked again",
        name="ix_task_noted_question",
        where="decision IS NULL AND state = 'decided'",
    ),
    index(
        sa.text("priority DESC"),
        "number",
        why="the work list: open tasks, most urgent and then oldest first",
        name="ix_task_work_list",
        where="closed_at IS NULL",
    ),
    index(
        "lease_until",
        why="leases that have run out return to the list",
        where="lease_until IS NOT NULL",
    ),
)

task_record = sa.Table(
    "task_record",
    METADATA,
    reference("task", "task.number", why="a side belongs to a task", primary=True),
    reference("record", "source_record.number", why="it asks about records", primary=True),
    sa.Column("is_left", sa.Boolean(), nullable=False),
    index("record", why="the open tasks of a record, withdrawn when new evidence settles them"),
)

outbox_event = sa.Table(
    # Appended in the transaction of the change under `number`, which may have gaps; `sequence` is
    # given behind it, to committed events only, and has none.  `payload` holds ids, nothing else.
    "outbox_event",
    METADATA,
    number(),
    sa.Column("sequence", sa.BigInteger()),
    text("type"),
    key("person_id", nullable=True),
    sa.Column("record", sa.BigInteger()),
    text("actor"),
    text("reason"),
    text("payload"),
    instant("occurred_at"),
    unique("sequence", why="the change feed is read by it, gap-free"),
    index(
        "number",
        why="events committed and not yet numbered",
        name="ix_outbox_event_unnumbered",
        where="sequence IS NULL",
    ),
    index("person_id", "number", why="what happened to a person, in order"),
)

audit_event = sa.Table(
    # Append-only: a trigger of the migrations refuses any change.  `detail` is JSON: counts and
    # the versions seen, no demographics.
    "audit_event",
    METADATA,
    number(),
    text("action"),
    text("actor"),
    text("purpose"),
    key("person_id", nullable=True),
    sa.Column("record", sa.BigInteger()),
    text("request_id", nullable=True),
    text("detail"),
    instant("recorded_at"),
    index("person_id", "recorded_at", why="who looked at this person, and when"),
)

feed_load = sa.Table(
    "feed_load",
    METADATA,
    number(),
    reference("source", "source_system.source", why="only known sources are loaded"),
    text("file_digest"),
    text("mapping_digest"),
    sa.Column("rows_count", sa.BigInteger(), nullable=False),
    sa.Column("versions_count", sa.BigInteger(), nullable=False),
    sa.Column("quarantined_count", sa.BigInteger(), nullable=False),
    instant("loaded_at"),
    index(
        "source",
        "file_digest",
        "mapping_digest",
        why="was this very file loaded before: loading twice changes nothing",
    ),
)

request_outcome = sa.Table(
    # A repeated request gets its first outcome.  `request_digest` tells a retry from a key used
    # again for something else; `outcome` is the answer's JSON: ids, nothing else.
    "request_outcome",
    METADATA,
    sa.Column("caller", KEY, primary_key=True),
    sa.Column("request_key", KEY, primary_key=True),
    text("request_digest"),
    text("outcome"),
    instant("recorded_at"),
    index("recorded_at", why="outcomes older than any retry are forgotten"),
)

crowded_key = sa.Table(
    # Blocking values that outgrew the limit: no new pair is made through them, on any path.
    "crowded_key",
    METADATA,
    derived_key("key"),
    sa.Column("records_count", sa.BigInteger(), nullable=False),
    instant("noticed_at"),
)
