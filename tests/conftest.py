"""Fixtures that every part of the suite shares: databases, empty but for the schema.

A test that takes `store` runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpi.storage.engine import Store, create_store, open_store
from tests.databases import PostgresqlServer, postgresql_server

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for the session, with a template that holds the schema."""
    with postgresql_server() as server:
        server.prepare_template()
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.sqlite3"
    create_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Make a database of a kind, with an empty schema, and give its URL."""

    def make(kind: str) -> str:
        if kind == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql")
            return server.create_database()
        path = tmp_path_factory.mktemp("store") / "store.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Store]:
    """A store of its own for one test, once for each database."""
    opened = open_store(new_database(request.param))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=DATABASES)
def module_store(
    request: pytest.FixtureRequest, new_database: Callable[[str], str]
) -> Iterator[Store]:
    """A store that the tests of a module share, once for each database."""
    opened = open_store(new_database(request.param))
    yield opened
    opened.close()
