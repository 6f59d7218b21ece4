"""What the server's own database role may do: everything but rewrite what was done.

Only PostgreSQL has roles. The owner of the tables could drop the triggers that guard the trail, so
the server should run as another role, which this gives its rights.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from mpi.errors import InvalidInput
from mpi.storage.engine import REVISION_TABLE, Store
from mpi.storage.trust_tables import METADATA
from mpi.storage.unit_of_work import writing

APPEND_ONLY: Final = frozenset({"audit_event", "audit_seal"})
_FIND_ROLE: Final = sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = :role")

_HAS_RIGHTS: Final = sa.text(
    "SELECT has_table_privilege(:role, 'audit_event', 'INSERT') "
    "AND has_table_privilege(:role, 'person', 'UPDATE')"
)
"""Whoever has some rights of a table and may not pass them on is told by a warning only."""


def grant_rights(store: Store, role: str) -> None:
    """Give a role the rights of the server, and take away any others that it had on the tables.

    Args:
        store: Opened by the owner of the tables.
        role: Name of a role that exists.

    Raises:
        InvalidInput: If the store is not on PostgreSQL, or the role is missing or all-powerful,
            or whoever opened the store may not give rights.
        StorageUnavailable: If the database cannot be reached.
    """
    if store.is_sqlite:
        raise InvalidInput("role: a SQLite store has no roles; guard its file instead")
    with writing(store) as unit:
        found = unit.first(_FIND_ROLE, role=role)
        if found is None:
            raise InvalidInput("role: the database has none of this name")
        if found.rolsuper:
            raise InvalidInput("role: a superuser can change everything; name another")
        quoted = store.engine.dialect.identifier_preparer.quote(role)
        for statement in _statements(quoted):
            unit.connection.execute(sa.text(statement))
        if not unit.connection.execute(_HAS_RIGHTS, {"role": role}).scalar_one():
            raise InvalidInput("role: was given nothing; grant as the owner of the tables")


def _statements(role: str) -> list[str]:
    tables = sorted(METADATA.tables)
    changeable = [table for table in tables if table not in APPEND_ONLY]
    return [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON {', '.join(tables)} FROM {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(changeable)} TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(sorted(APPEND_ONLY))} TO {role}",
        f"GRANT SELECT ON alembic_version, {REVISION_TABLE} TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
