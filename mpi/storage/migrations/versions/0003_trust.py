"""Clients, used assertions, audit seals, webhooks: new tables only, frozen as SQL beside this."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent / "sql"
_TABLES = "webhook_delivery webhook source_heard audit_sighting audit_seal used_assertion client"
_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER audit_seal_no_{verb.lower()} BEFORE {verb} ON audit_seal "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_GUARDS = (
    "CREATE TRIGGER audit_seal_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seal "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    statements = (_SQL / f"0003_{dialect}.sql").read_text("utf-8").split(";\n")
    guards = _SQLITE_GUARDS if dialect == "sqlite" else _POSTGRESQL_GUARDS
    for statement in [each for each in statements if each.strip()] + [*guards]:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES.split():
        op.drop_table(table)
