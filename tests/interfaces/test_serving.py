"""`mpi serve` serves: the command, the server and the store, over a real socket."""

from __future__ import annotations

import httpx2
import pytest

from tests.serving import serving
from tests.small_region import ADA, person_id


@pytest.fixture(scope="module")
def server(installation):
    """The address of a server and the headers of who has its token, ended with the module."""
    with serving(installation) as (_, address, headers):
        yield address, headers


def test_a_served_store_answers_whoever_has_the_printed_token(server):
    address, headers = server
    asked = {"json": {"demographics": ADA}, "timeout": 10}
    response = httpx2.post(f"{address}/v1/resolve", headers=headers, **asked)
    assert response.status_code == 200
    assert response.json()["persons"][0]["person_id"] == person_id(1)
    assert httpx2.post(f"{address}/v1/resolve", **asked).status_code == 401
