"""A store that is locked or lost is told as 503 with Retry-After, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mpi.storage import engine
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import BULK_LOCK
from tests.live_api import LiveApi, live_api, somebody

GP = "/v1/sources/gp/records"


@pytest.fixture
def api(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveApi]:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    with live_api(store) as served:
        store.close()  # What connects from now on waits for a moment only.
        yield served


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Somebody else has the store to themselves."""
    with store.engine.begin() as connection:
        if not store.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({BULK_LOCK})")
        yield


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("PUT", f"{GP}/1", somebody(), id="register"),
        pytest.param(
            "POST",
            "/v1/records:batch",
            {"records": [{"source": "gp", "local_id": "1", **somebody()}]},
            id="batch",
        ),
    ],
)
def test_a_locked_store_is_told_and_comes_back(
    api: LiveApi, method: str, path: str, body: dict[str, str]
) -> None:
    with locked(api.store):
        response = api.client.request(method, path, json=body)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1"), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith("store: ")
    api.sent(method, path, body)
    assert api.get("sources/gp/records/1")["state"] == "live"


def test_a_lost_connection_is_made_anew(api: LiveApi) -> None:
    if api.store.is_sqlite:
        pytest.skip("a file has no connection to lose")
    api.put("gp/1", somebody())
    with api.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert api.put("gp/2", somebody())["outcome"] == "new"
