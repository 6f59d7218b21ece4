"""Every answer that left is in the audit trail, even if the server is killed in the middle."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from mpi.clock import SystemClock
from mpi.services.audit_seal import seal_audit, verify_audit
from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from mpi.storage.unit_of_work import reading
from tests.conftest import DATABASES
from tests.serving import serving
from tests.small_region import ADA, fill, person_id

ASKERS_COUNT = 4
KILL_AFTER_S = 1.5


@pytest.mark.parametrize("kind", DATABASES)
def test_who_was_answered_is_in_the_trail_though_the_server_was_killed(
    kind: str, installation: dict[str, str], new_database: Any, tmp_path: Path
) -> None:
    url, release = new_database(kind), installation["MPI_RELEASE_FOLDER"]
    store = open_store(url)
    fill(store, compile_linkage_index(read_release(Path(release))))
    settings = {
        "MPI_DATABASE_URL": url, "MPI_RELEASE_FOLDER": release,
        "MPI_KEYS_FOLDER": str(tmp_path / "keys"), "MPI_REQUESTS_PER_MINUTE": "0",
    }  # fmt: skip
    answered: list[str] = []
    with serving(settings) as (process, address, headers):
        askers = [
            threading.Thread(target=ask, args=(address, headers, f"asker-{n}", answered))
            for n in range(ASKERS_COUNT)
        ]
        for asker in askers:
            asker.start()
        time.sleep(KILL_AFTER_S)
        process.kill()
        for asker in askers:
            asker.join()
    with reading(store) as unit:
        query = sa.text("SELECT request_id FROM audit_event WHERE person_id IS NOT NULL")
        audited = set(unit.connection.execute(query).scalars())
    assert len(answered) > ASKERS_COUNT
    assert set(answered) <= audited
    seal_audit(store, clock=SystemClock())
    assert verify_audit(store).findings_count == 0
    store.close()


def ask(address: str, headers: dict[str, str], name: str, answered: list[str]) -> None:
    """Ask until the server is gone; notes the id of every request that was answered."""
    with httpx2.Client(base_url=address, headers=headers) as client:
        for count in range(100_000):
            request_id = f"{name}-{count}"
            given = {"headers": {"X-Request-ID": request_id}, "timeout": 10}
            try:
                if count % 2:
                    response = client.get(f"/v1/persons/{person_id(1)}", **given)
                else:
                    response = client.post("/v1/resolve", json={"demographics": ADA}, **given)
            except httpx2.TransportError:
                return
            assert response.status_code == 200
            answered.append(request_id)
