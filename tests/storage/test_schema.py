"""The schema says why each of its rules is there, and the migrations make exactly that schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateIndex, CreateTable

from mpi.errors import InvalidSettings, StorageUnavailable, WrongSchema
from mpi.storage.engine import (
    MIGRATIONS,
    REVISION_TABLE,
    Store,
    _store,
    create_store,
    open_store,
    parsed_url,
    upgrade_store,
)
from mpi.storage.trust_tables import METADATA
from mpi.storage.unit_of_work import writing
from tests.conftest import DATABASES

VERSION_TABLES = ("alembic_version", REVISION_TABLE)


def rules() -> list[sa.Index | sa.Constraint]:
    found: list[sa.Index | sa.Constraint] = []
    for table in METADATA.sorted_tables:
        found += table.indexes
        found += [c for c in table.constraints if not isinstance(c, sa.PrimaryKeyConstraint)]
    return sorted(found, key=lambda rule: str(rule.name))  # Sets: workers must agree on an order.


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.name))
def test_every_index_and_constraint_says_why(rule: sa.Index | sa.Constraint) -> None:
    keys = rule.elements if isinstance(rule, sa.ForeignKeyConstraint) else []
    assert rule.info.get("why") or all(key.info.get("why") for key in keys)


def test_migrations_make_the_schema_of_the_tables_on_sqlite(
    new_database: Callable[[str], str],
) -> None:
    store = open_store(new_database("sqlite"))
    made = [CreateTable(table) for table in METADATA.sorted_tables]
    made += [CreateIndex(index) for table in METADATA.sorted_tables for index in table.indexes]
    with store.engine.connect() as connection:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
        found = {compact(sql) for sql in connection.execute(sa.text(query)).scalars()}
    store.close()
    wanted = {compact(str(ddl.compile(dialect=store.engine.dialect))) for ddl in made}
    ours = {sql for sql in found if not any(table in str(sql) for table in VERSION_TABLES)}
    assert ours == wanted


def test_migrations_make_the_schema_of_the_tables_on_postgresql(
    new_database: Callable[[str], str],
) -> None:
    store = open_store(new_database("postgresql"))
    with store.engine.connect() as connection:
        options = {"include_name": lambda name, kind, _: name not in VERSION_TABLES}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    store.close()
    assert found == []


def compact(sql: str) -> frozenset[str]:
    """The parts of a definition, columns and constraints: a column added later comes last."""
    head, _, body = " ".join(sql.replace('"', "").split()).partition("(")
    parts, depth = [""], 0
    for character in body:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return frozenset((head.strip(), *(part.strip(" )") for part in parts)))


@pytest.mark.parametrize("kind", DATABASES)
def test_the_schema_goes_away_and_comes_back(kind: str, new_database: Callable[[str], str]) -> None:
    url = new_database(kind)
    upgrade_store(url, "base")
    with pytest.raises(WrongSchema, match="holds no index"):
        open_store(url)
    create_store(url).close()
    open_store(url).close()


def test_creating_a_store_twice_keeps_what_it_holds(store: Store) -> None:
    with writing(store) as unit:
        unit.connection.execute(sa.text("INSERT INTO source_system (source) VALUES ('gp')"))
    create_store(store.engine.url.render_as_string(hide_password=False)).close()
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM source_system")).scalar() == 1


def test_a_store_of_another_version_is_refused(store: Store) -> None:
    with writing(store) as unit:
        unit.connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    url = store.engine.url.render_as_string(hide_password=False)
    for open_it in (open_store, create_store):
        with pytest.raises(WrongSchema, match="has version 9999"):
            open_it(url)


def test_a_later_schema_that_still_serves_this_program_is_used(store: Store) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    with writing(store) as unit:
        unit.connection.execute(sa.text(f"UPDATE {REVISION_TABLE} SET version_num = '9999'"))
    open_store(url).close()
    with writing(store) as unit:
        unit.connection.execute(sa.text(f"UPDATE {REVISION_TABLE} SET version_num = '0001'"))
    with pytest.raises(WrongSchema, match="has version 0001"):
        open_store(url)


def test_a_store_of_the_first_programs_is_upgraded(
    new_database: Callable[[str], str],
) -> None:
    for kind in DATABASES:
        url = new_database(kind)
        make_store_of_before(url, "0001")
        with pytest.raises(WrongSchema, match="has version 0001"):
            create_store(url)
        upgrade_store(url)
        open_store(url).close()


@pytest.mark.parametrize("kind", DATABASES)
def test_a_store_of_before_with_this_very_schema_is_loaded_into_as_it_is(
    kind: str, new_database: Callable[[str], str]
) -> None:
    url = new_database(kind)
    make_store_of_before(url, "head")
    with writing(opened := _store(parsed_url(url))) as unit:
        unit.connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :its"), {"its": head()}
        )
    opened.close()
    create_store(url).close()
    open_store(url).close()


def head() -> str:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def make_store_of_before(url: str, revision: str) -> None:
    """As the programs did that knew of `alembic_version` only."""
    upgrade_store(url, "base")
    upgrade_store(url, revision)
    with writing(opened := _store(parsed_url(url))) as unit:
        unit.connection.execute(sa.text(f"DROP TABLE {REVISION_TABLE}"))
    opened.close()


def test_audit_events_can_neither_be_changed_nor_deleted(store: Store) -> None:
    columns = "(action, actor, purpose, detail, recorded_at)"
    at = "0" if store.is_sqlite else "now()"
    with writing(store) as unit:
        insert = f"INSERT INTO audit_event {columns} VALUES ('read', 'me', 'test', '{{}}', {at})"
        unit.connection.execute(sa.text(insert))
    for change in ("UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"):
        with pytest.raises(Exception, match=r"append-only|rule of the schema"):
            execute(store, change)


def execute(store: Store, statement: str) -> None:
    with writing(store) as unit:
        unit.connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://host/name", id="another database"),
        pytest.param("sqlite://", id="a SQLite store without a file"),
        pytest.param("nonsense", id="no address"),
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="database_url"):
        open_store(url)


def test_opening_does_not_make_a_file(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    with pytest.raises(StorageUnavailable, match="there is no file"):
        open_store(f"sqlite:///{path}")
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("this is no database, however long the text is made" * 100)
    with pytest.raises(StorageUnavailable, match="is not a database"):
        open_store(f"sqlite:///{path}")


def test_a_server_that_is_not_there_is_reported() -> None:
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        open_store("postgresql://nobody@localhost:1/none?connect_timeout=1")
