"""The server's database role can add to the audit trail and do nothing else to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from mpi.errors import InvalidInput, StorageUnavailable
from mpi.storage.engine import Store, open_store
from mpi.storage.rights import grant_rights
from mpi.storage.unit_of_work import writing
from tests.small_region import fill, spec_index

ROLE = "mpi server"
ADD = (
    "INSERT INTO audit_event (action, actor, purpose, detail, recorded_at) "
    "VALUES ('read', 'me', 'test', '{}', now())"
)


@pytest.fixture(scope="module")
def store(new_database: Callable[[str], str]) -> Iterator[Store]:
    opened = open_store(new_database("postgresql"))
    fill(opened, spec_index())
    with writing(opened) as unit:
        unit.connection.execute(sa.text(f'CREATE ROLE "{ROLE}"'))
    grant_rights(opened, ROLE)
    yield opened
    with writing(opened) as unit:
        unit.connection.execute(sa.text(f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"'))
    opened.close()


def execute_as_server(store: Store, statement: str) -> None:
    with writing(store) as unit:
        unit.connection.execute(sa.text(f'SET LOCAL ROLE "{ROLE}"'))
        unit.connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "statement", [ADD, "UPDATE person SET golden = NULL WHERE number = 3", "DELETE FROM edge"]
)
def test_the_server_does_its_work(store: Store, statement: str) -> None:
    execute_as_server(store, statement)


@pytest.mark.parametrize("table", ["audit_event", "audit_seal"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET number = 1",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
    ],
)
def test_the_server_cannot_rewrite_what_was_done(store: Store, statement: str, table: str) -> None:
    with pytest.raises(StorageUnavailable, match="does not let this role do that"):
        execute_as_server(store, statement.format(table))


def test_only_a_role_of_a_server_gets_rights(store: Store) -> None:
    for role, words in {"nobody": "none of this name", "postgres": "superuser"}.items():
        with pytest.raises(InvalidInput, match=words):
            grant_rights(store, role)


def test_who_does_not_own_the_tables_cannot_give_rights(store: Store) -> None:
    with writing(store) as unit:
        unit.connection.execute(sa.text("CREATE ROLE mpi_other LOGIN"))
    grant_rights(store, "mpi_other")
    url = store.engine.url.set(username="mpi_other").render_as_string(hide_password=False)
    other = open_store(url)
    with writing(store) as unit:
        unit.connection.execute(sa.text("CREATE ROLE mpi_third"))
    try:
        with pytest.raises(InvalidInput, match="was given nothing"):
            grant_rights(other, "mpi_third")
    finally:
        other.close()
        with writing(store) as unit:
            unit.connection.execute(
                sa.text("DROP OWNED BY mpi_other; DROP ROLE mpi_other; DROP ROLE mpi_third")
            )
