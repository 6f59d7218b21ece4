"""Only a sound token opens a door; every other one is refused, audited, and repeated nowhere."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey

from api.app import create_app
from api.wiring import Service
from mpi.clock import FixedClock
from mpi.domain.policy import Role
from mpi.errors import Unauthenticated
from mpi.services.clients import KNOWN_FOR_S, switch_client
from mpi.services.signing_keys import create_keys, open_keys, rotate_keys
from mpi.services.tokens import LOCAL_ISSUER, Tokens
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing
from tests.callers import client_id, headers_of, token_of
from tests.small_region import fill, person_id, spec_index

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CLIENT_ID = client_id(Role.STEWARD)
CANARY = "XYZZYCANARY"
PATH = f"/v1/persons/{person_id(1)}"
ANOTHER_KEY = ECKey.generate_key("P-256", {"kid": "theirs"}, private=True)


@pytest.fixture(scope="module")
def service(module_store: Store) -> Service:
    index = spec_index()
    fill(module_store, index)
    return Service(store=module_store, index=index, clock=FixedClock(NOW))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        token_of(client.app, Role.STEWARD)
        yield client


def forged(client: Any, *, key: Any = None, header: Any = None, **claims: Any) -> str:
    """A token like a real one but for what is given."""
    ours = client.app.state.access.tokens.keys.current().keys[0]
    sound = {
        "iss": LOCAL_ISSUER, "aud": LOCAL_ISSUER, "sub": CLIENT_ID, "client_id": CLIENT_ID,
        "jti": CANARY, "iat": NOW_S, "exp": NOW_S + 300, "scope": "mpi/review",
    }  # fmt: skip
    content = {name: value for name, value in (sound | claims).items() if value is not None}
    head = {"alg": "ES256", "kid": ours.kid, "typ": "at+jwt"} | (header or {})
    return jwt.encode(head, content, key or ours, algorithms=[head["alg"]])


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(client: Any, algorithm: str) -> str:
    _, payload, _ = forged(client).split(".")
    kid = client.app.state.access.tokens.keys.current().keys[0].kid
    return f"{part({'alg': algorithm, 'kid': kid, 'typ': 'at+jwt'})}.{payload}."


def hmac_with_public_key(client: Any) -> str:
    """Signed as if our public key, which everybody has, were a shared secret."""
    ours = client.app.state.access.tokens.keys.current().keys[0]
    head = part({"alg": "HS256", "kid": ours.kid, "typ": "at+jwt"})
    signed = f"{head}.{forged(client).split('.')[1]}"
    digest = hmac.digest(ours.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def altered(client: Any, place: int) -> str:
    parts = forged(client).split(".")
    middle = len(parts[place]) // 2
    other = "A" if parts[place][middle] != "A" else "B"
    parts[place] = parts[place][:middle] + other + parts[place][middle + 1 :]
    return ".".join(parts)


def with_own_key(client: Any) -> str:
    header = {"jwk": ANOTHER_KEY.as_dict(private=False)}
    return forged(client, key=ANOTHER_KEY, header=header)


def exchanged(client: Any) -> str:
    """The payload of one sound token under the signature of another."""
    head, _, signature = forged(client).split(".")
    return ".".join([head, forged(client, scope="mpi/audit.r").split(".")[1], signature])


ATTACKS = {
    "no signature": lambda c: unsigned(c, "none"),
    "no signature, other case": lambda c: unsigned(c, "NoNe"),
    "empty signature": lambda c: unsigned(c, "ES256"),
    "HMAC with our public key": hmac_with_public_key,
    "another's key under our kid": lambda c: forged(c, key=ANOTHER_KEY),
    "a key that is not ours": lambda c: forged(c, key=ANOTHER_KEY, header={"kid": "theirs"}),
    "no kid": lambda c: forged(c, header={"kid": ""}),
    "its own key in the header": with_own_key,
    "a key's address in the header": lambda c: forged(
        c, key=ANOTHER_KEY, header={"jku": "https://evil.example/keys", "kid": "theirs"}
    ),
    "a certificate's address in the header": lambda c: forged(
        c, key=ANOTHER_KEY, header={"x5u": "https://evil.example/x", "kid": "theirs"}
    ),
    "a path as kid": lambda c: forged(c, header={"kid": "../../etc/passwd"}),
    "an unknown critical header": lambda c: unsigned(c, "ES256").replace(
        unsigned(c, "ES256").split(".")[0], part({"alg": "ES256", "crit": ["x"], "typ": "at+jwt"})
    ),
    "altered header": lambda c: altered(c, 0),
    "altered claims": lambda c: altered(c, 1),
    "altered signature": lambda c: altered(c, 2),
    "exchanged claims": exchanged,
    "expired": lambda c: forged(c, iat=NOW_S - 600, exp=NOW_S - 300),
    "expired this second": lambda c: forged(c, exp=NOW_S),
    "never expires": lambda c: forged(c, exp=None),
    "expiry as text": lambda c: forged(c, exp="9999999999"),
    "expiry as fraction": lambda c: forged(c, exp=NOW_S + 0.5),
    "lives for years": lambda c: forged(c, exp=NOW_S + 10**8),
    "issued tomorrow": lambda c: forged(c, iat=NOW_S + 86_400, exp=NOW_S + 86_700),
    "another audience": lambda c: forged(c, aud="https://other.example"),
    "a list of audiences": lambda c: forged(c, aud=[LOCAL_ISSUER, "https://other.example"]),
    "another issuer": lambda c: forged(c, iss="https://other.example"),
    "no jti": lambda c: forged(c, jti=None),
    "subject and client differ": lambda c: forged(c, sub="administrator"),
    "a client that nobody registered": lambda c: forged(c, sub=CANARY, client_id=CANARY),
    "an ID token": lambda c: forged(c, header={"typ": "JWT"}),
    "oversized": lambda c: forged(c, jti="x" * 9_000),
    "five parts": lambda c: f"{forged(c)}.{'W' * 20}.{'X' * 20}",
    "no JWT": lambda c: CANARY,
    "deep claims": lambda c: f"{part({'alg': 'ES256'})}.{'W' * 6000}.e30",
}


def test_with_nothing_wrong_such_a_token_would_be_accepted(client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {forged(client)}"}
    assert client.get(PATH, headers=headers).status_code == 200


def refusals(service: Service) -> int:
    with reading(service.store) as unit:
        return unit.connection.execute(
            sa.text("SELECT count(*) FROM audit_event WHERE action = 'refused'")
        ).scalar_one()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_unsound_token_is_refused_audited_and_repeated_nowhere(
    client: TestClient, service: Service, attack: str, caplog: pytest.LogCaptureFixture
) -> None:
    token, before = ATTACKS[attack](client), refusals(service)
    response = client.get(PATH, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert refusals(service) == before + 1
    said = response.text + str(response.headers) + caplog.text
    assert not any(piece in said for piece in [CANARY, *filter(None, token.split("."))])
    with reading(service.store) as unit:
        trail = unit.rows(sa.text("SELECT actor, detail FROM audit_event WHERE action='refused'"))
    assert CANARY not in str(trail)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
    ],
    ids=["another scheme", "nothing", "two words", "two headers"],
)
def test_what_is_no_bearer_token_is_refused(client: TestClient, headers: Any) -> None:
    assert client.get(PATH, headers=headers).status_code == 401


def test_a_token_in_the_address_is_not_looked_at(client: TestClient) -> None:
    token = token_of(client.app, Role.STEWARD)
    assert client.get(f"{PATH}?access_token={token}").status_code == 401


def test_an_unsound_token_is_refused_before_the_body_is_read(client: TestClient) -> None:
    response = client.post("/v1/resolve", content=b"{", headers={"Authorization": "Bearer x"})
    assert response.status_code == 401


def test_a_sound_token_opens_and_is_verified_once(client: TestClient) -> None:
    headers = headers_of(client.app, Role.STEWARD)
    assert client.get(PATH, headers=headers).status_code == 200
    known = len(client.app.state.access.tokens._verified)
    assert client.get(PATH, headers=headers).status_code == 200
    assert len(client.app.state.access.tokens._verified) == known


def test_a_verified_token_still_expires(client: TestClient, service: Service) -> None:
    tokens = client.app.state.access.tokens
    token = token_of(client.app, Role.STEWARD)
    assert tokens.verify_token(token, now=NOW)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify_token(token, now=NOW + timedelta(seconds=300))


def test_a_disabled_client_is_out_within_five_seconds_in_every_worker(
    service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = headers_of(client.app, Role.VIEW)
    another = TestClient(create_app(replace(service, access=client.app.state.access)))
    assert all(each.get(PATH, headers=headers).status_code == 200 for each in (client, another))
    with writing(service.store) as unit:
        switch_client(unit, client_id(Role.VIEW), actor="test", at=NOW, on=False)
    real = __import__("time").monotonic
    monkeypatch.setattr("mpi.services.clients.time.monotonic", lambda: real() + KNOWN_FOR_S + 0.1)
    assert KNOWN_FOR_S < 5
    assert all(each.get(PATH, headers=headers).status_code == 401 for each in (client, another))
    with writing(service.store) as unit:
        switch_client(unit, client_id(Role.VIEW), actor="test", at=NOW, on=True)
    assert client.get(PATH, headers=headers).status_code == 200


def test_a_role_that_was_taken_away_no_longer_counts(client: TestClient, service: Service) -> None:
    token = client.app.state.access.tokens.issue(CLIENT_ID, [Role.AUDITOR, Role.VIEW], now=NOW)
    response = client.get(PATH, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 403
    assert "role" in response.json()["detail"]


def test_a_search_shows_a_machine_one_certain_person_and_a_steward_a_list(
    client: TestClient, service: Service
) -> None:
    twins = {"demographics": {"family_name": "Smith", "date_of_birth": "1950-07-14",
                              "postcode": "BH15 2JF", "address": "3 Mill Lane"}}  # fmt: skip
    view, steward = (headers_of(client.app, role) for role in (Role.VIEW, Role.STEWARD))
    listed = client.post("/v1/resolve", json=twins, headers=steward).json()
    unique = client.post("/v1/resolve", json=twins, headers=view).json()
    assert len(listed["persons"]) == 2
    assert (unique["persons"], unique["is_complete"]) == ([], False)
    found = client.post("/v1/resolve", json={"nhs_number": "9990000018"}, headers=view).json()
    assert [each["person_id"] for each in found["persons"]] == [person_id(1)]


def test_keys_rotate_without_a_restart(tmp_path: Any) -> None:
    create_keys(tmp_path / "keys")
    first, second = (Tokens(open_keys(tmp_path / "keys"), LOCAL_ISSUER) for _ in range(2))
    before = first.issue("c", [Role.VIEW], now=NOW)
    kid = rotate_keys(tmp_path / "keys")
    first.keys._read_again()
    after = first.issue("c", [Role.VIEW], now=NOW)
    assert second.verify_token(after, now=NOW)  # A key it has not seen yet is looked for.
    assert second.verify_token(before, now=NOW)
    assert second.keys.public_keys()["keys"][0]["kid"] == kid
    assert all("d" not in key for key in second.keys.public_keys()["keys"])
    rotate_keys(tmp_path / "keys")
    fresh = Tokens(open_keys(tmp_path / "keys"), LOCAL_ISSUER)
    with pytest.raises(Unauthenticated, match="not ours"):
        fresh.verify_token(before, now=NOW)
