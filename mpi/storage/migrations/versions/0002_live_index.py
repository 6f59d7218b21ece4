"""What the live index adds: verdicts, withheld numbers, request outcomes, crowded keys.

Only additions, each with a default, so that the program of the schema before goes on working.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mpi.storage.columns import KEY, NUMBER, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("source_record", sa.Column("withheld_nhs_number", KEY)),
    (
        "record_version",
        sa.Column("is_error", sa.Boolean(), nullable=False, server_default=sa.false()),
    ),
    ("decision", sa.Column("match_weight_bits", sa.Double())),
    ("decision", sa.Column("veto", sa.Text())),
)


def upgrade() -> None:
    for table, column in _COLUMNS:
        op.add_column(table, column)
    _add_status_decision()
    for name in ("withheld_nhs_number", "merged_into"):
        is_known = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_source_record_{name}",
            "source_record",
            [name],
            sqlite_where=is_known,
            postgresql_where=is_known,
        )
    is_noted = sa.text("decision IS NULL AND state = 'decided'")
    op.create_index(
        "ix_task_noted_question",
        "task",
        ["question_digest"],
        sqlite_where=is_noted,
        postgresql_where=is_noted,
    )
    op.execute("UPDATE record_version SET is_error = true WHERE state = 'entered_in_error'")
    _create_decision_version()
    _create_request_outcome()
    op.create_table(
        "crowded_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False),
        sa.Column("records_count", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_crowded_key"),
    )


def downgrade() -> None:
    for table in ("crowded_key", "request_outcome", "decision_version"):
        op.drop_table(table)
    op.drop_index("ix_task_noted_question", "task")
    op.drop_index("ix_source_record_merged_into", "source_record")
    op.drop_index("ix_source_record_withheld_nhs_number", "source_record")
    _drop_status_decision()
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column.name)


def _add_status_decision() -> None:
    # SQLite takes a reference only as part of the column, under no name; the table is short.
    with op.batch_alter_table("nhs_number_status") as table:
        table.add_column(sa.Column("decision", NUMBER))
        table.create_foreign_key(
            "fk_nhs_number_status_decision", "decision", ["decision"], ["number"]
        )


def _drop_status_decision() -> None:
    with op.batch_alter_table("nhs_number_status") as table:
        table.drop_constraint("fk_nhs_number_status_decision", type_="foreignkey")
        table.drop_column("decision")


def _create_decision_version() -> None:
    op.create_table(
        "decision_version",
        sa.Column("decision", NUMBER, autoincrement=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("record", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("decision", name="pk_decision_version"),
        sa.ForeignKeyConstraint(
            ["decision"], ["decision.number"], name="fk_decision_version_decision"
        ),
        sa.ForeignKeyConstraint(
            ["version"], ["record_version.number"], name="fk_decision_version_version"
        ),
        sa.ForeignKeyConstraint(
            ["record"], ["source_record.number"], name="fk_decision_version_record"
        ),
    )
    op.create_index("ix_decision_version_record", "decision_version", ["record"])


def _create_request_outcome() -> None:
    op.create_table(
        "request_outcome",
        sa.Column("caller", KEY),
        sa.Column("request_key", KEY),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "request_key", name="pk_request_outcome"),
    )
    op.create_index("ix_request_outcome_recorded_at", "request_outcome", ["recorded_at"])
