"""`mpi serve` serves: the command, the server and the store, over a real socket."""

from __future__ import annotations

import httpx2
import pytest

from tests.live_api import somebody
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


def test_the_printed_token_registers_for_every_source_and_decides(server):
    address, headers = server
    with httpx2.Client(base_url=f"{address}/v1", headers=headers, timeout=10) as client:
        keys = ["gp:served", "poole-council:served"]
        for key in keys:
            source, _, local_id = key.partition(":")
            told = somebody()
            sent = client.put(f"/sources/{source}/records/{local_id}", json=told)
            assert sent.json()["outcome"] == "new", sent.text
        decision = {"kind": "same", "left": keys[:1], "right": keys[1:], "reason": "-"}
        decided = client.post("/decisions", json=decision).json()
        assert list(decided["after"].values()) == [keys]
        retracted = client.post(f"/decisions/{decided['decision']}:retract", json={"reason": "-"})
        assert retracted.json()["after"] == decided["before"]
