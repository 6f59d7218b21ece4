"""The first schema, frozen as SQL beside this file; `mpi.storage.tables` is today's."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent / "sql"
_TABLES = (
    "task_record task outbox_event nhs_number_status link model_release home feed_load edge "
    "decision_record decision blocking_key audit_event record_version source_record person "
    "source_system"
)
_APPEND_ONLY = "the audit trail is append-only"
_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER audit_event_no_{verb.lower()} BEFORE {verb} ON audit_event "
    f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_GUARDS = (
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$",
    "CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    statements = (_SQL / f"0001_{dialect}.sql").read_text("utf-8").split(";\n")
    for statement in statements:
        if statement.strip():
            op.execute(statement)
    for guard in _SQLITE_GUARDS if dialect == "sqlite" else _POSTGRESQL_GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for table in _TABLES.split():
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
