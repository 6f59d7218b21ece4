"""A system that signs who it is gets a token, once for each assertion; nobody else gets one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api.app import create_app
from api.authorisation import ASSERTION_TYPE, TOKEN_PATH
from api.wiring import Service
from mpi.clock import FixedClock
from mpi.domain.policy import Role
from mpi.errors import InvalidInput
from mpi.services.assertions import checked_jwks
from mpi.services.clients import Client, register_client, switch_client
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing
from tests.small_region import fill, person_id, spec_index

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
AUDIENCE = f"http://testserver{TOKEN_PATH}"
CANARY = "XYZZYCANARY"
KEYS = {
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}, private=True),
    "p256": ECKey.generate_key("P-256", {"kid": "p256"}, private=True),
    "p384": ECKey.generate_key("P-384", {"kid": "p384"}, private=True),
    "stranger": ECKey.generate_key("P-256", {"kid": "stranger"}, private=True),
}
REGISTERED = ("rsa", "p256", "p384")


@pytest.fixture(scope="module")
def service(module_store: Store) -> Service:
    index = spec_index()
    fill(module_store, index)
    public = [KEYS[name].as_dict(private=False) for name in REGISTERED]
    portal = Client(
        id="portal",
        organisation="J81001",
        roles=frozenset({Role.VIEW, Role.INTEGRATION}),
        keys=checked_jwks({"keys": public}),
        registered_at=NOW,
    )
    with writing(module_store) as unit:
        register_client(unit, portal, actor="test")
    return Service(store=module_store, index=index, clock=FixedClock(NOW))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        yield client


def assertion(
    name: str = "p256", algorithm: str = "ES256", header: Any = None, key: Any = None, **claims: Any
) -> str:
    sound = {
        "iss": "portal", "sub": "portal", "aud": AUDIENCE, "jti": uuid4().hex,
        "iat": NOW_S, "exp": NOW_S + 240,
    }  # fmt: skip
    content = {name: value for name, value in (sound | claims).items() if value is not None}
    head = {"alg": algorithm, "kid": name, "typ": "JWT"} | (header or {})
    return jwt.encode(head, content, key or KEYS[name], algorithms=[algorithm])


def ask(client: TestClient, signed: str, **fields: Any) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    } | fields
    return client.post(TOKEN_PATH, data={k: v for k, v in form.items() if v is not None})


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("rsa", "RS384"), ("rsa", "RS512"), ("p384", "ES384"), ("p256", "ES256")],
)
def test_a_signed_assertion_gives_a_token_that_opens(
    client: TestClient, name: str, algorithm: str
) -> None:
    answer = ask(client, assertion(name, algorithm))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert client.get(f"/v1/persons/{person_id(1)}", headers=headers).status_code == 200


def test_a_token_can_be_asked_for_fewer_roles(client: TestClient) -> None:
    answer = ask(client, assertion(), scope="system/Patient.rs").json()
    assert answer["scope"] == "system/Patient.rs"
    for scope in ("mpi/review", "no/such", "system/Patient.rs no/such", ""):
        refused = ask(client, assertion(), scope=scope or " ")
        assert refused.json()["error"] == "invalid_scope"


def test_a_token_that_was_given_is_in_the_trail(client: TestClient, service: Service) -> None:
    query = sa.text("SELECT actor, detail FROM audit_event WHERE action = 'issue_token'")
    with reading(service.store) as unit:
        before = len(unit.rows(query))
    signed = assertion()
    assert ask(client, signed).status_code == 200
    with reading(service.store) as unit:
        rows = unit.rows(query)
    assert len(rows) == before + 1
    assert rows[-1].actor == "portal"
    assert signed not in str(rows)


def test_an_assertion_serves_once_whichever_worker_it_goes_to(
    client: TestClient, service: Service
) -> None:
    signed = assertion()
    another = TestClient(create_app(service))
    assert ask(client, signed).status_code == 200
    for worker in (client, another):
        again = ask(worker, signed)
        assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
        assert "used before" in again.json()["error_description"]


HMAC_KEY = OctKey.import_key("a secret of at least thirty-two bytes")
ATTACKS = {
    "HMAC": lambda: assertion("p256", "HS256", key=HMAC_KEY),
    "RS256": lambda: assertion("rsa", "RS256"),
    "a stranger's key": lambda: assertion("stranger"),
    "a stranger's key, our kid": lambda: assertion("p256", key=KEYS["stranger"]),
    "its key in the header": lambda: assertion(
        "stranger", header={"jwk": KEYS["stranger"].as_dict(private=False)}
    ),
    "its key's address in the header": lambda: assertion(
        "stranger", header={"jku": "https://evil.example/keys"}
    ),
    "another audience": lambda: assertion(aud="https://other.example/token"),
    "two audiences": lambda: assertion(aud=[AUDIENCE, "https://other.example/token"]),
    "the audience as a prefix": lambda: assertion(aud="http://testserver/"),
    "subject of another client": lambda: assertion(sub="another"),
    "issuer that nobody registered": lambda: assertion(iss=CANARY, sub=CANARY),
    "issuer as a number": lambda: assertion(iss=1),
    "expired": lambda: assertion(exp=NOW_S - 120),
    "good for an hour": lambda: assertion(exp=NOW_S + 3_600),
    "no expiry": lambda: assertion(exp=None),
    "no jti": lambda: assertion(jti=None),
    "endless jti": lambda: assertion(jti="j" * 201),
    "issued tomorrow": lambda: assertion(iat=NOW_S + 86_400),
    "not yet valid": lambda: assertion(nbf=NOW_S + 3_600),
    "oversized": lambda: assertion(padding="x" * 9_000),
    "nothing": lambda: "",
    "no JWT": lambda: CANARY,
    "another algorithm than the key's": lambda: assertion(
        "p256", header={"kid": "rsa"}, key=KEYS["p256"]
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_unsound_assertion_gets_nothing_and_is_audited(
    client: TestClient, service: Service, attack: str, caplog: pytest.LogCaptureFixture
) -> None:
    signed, before = ATTACKS[attack](), refused_count(service)
    answer = ask(client, signed)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "access_token" not in answer.json()
    assert refused_count(service) == before + 1
    said = answer.text + str(answer.headers) + caplog.text
    assert not any(piece in said for piece in [CANARY, *filter(None, signed.split("."))])


def refused_count(service: Service) -> int:
    query = sa.text("SELECT count(*) FROM audit_event WHERE action = 'refused'")
    with reading(service.store) as unit:
        return unit.connection.execute(query).scalar_one()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_assertion": None}, "invalid_client"),
    ],
)
def test_a_request_of_another_kind_is_refused(client: TestClient, fields: Any, error: str) -> None:
    assert ask(client, assertion(), **fields).json()["error"] == error


@pytest.mark.parametrize(
    "content", [b"\xff=\xff", b"grant_type", b"a=1&a=2", b"&".join([b"a=1"] * 50), b""]
)
def test_what_is_no_form_is_refused(client: TestClient, content: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(TOKEN_PATH, content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert client.post(TOKEN_PATH, json={}).json()["error"] == "invalid_request"


def test_a_disabled_client_gets_no_token(client: TestClient, service: Service) -> None:
    with writing(service.store) as unit:
        switch_client(unit, "portal", actor="test", at=NOW, on=False)
    refused = ask(client, assertion())
    with writing(service.store) as unit:
        switch_client(unit, "portal", actor="test", at=NOW, on=True)
    assert refused.status_code == 401
    assert ask(client, assertion()).status_code == 200


def test_the_service_says_where_and_how_to_ask(client: TestClient) -> None:
    told = client.get("/.well-known/smart-configuration").json()
    assert told["token_endpoint"] == AUDIENCE
    assert "RS384" in told["token_endpoint_auth_signing_alg_values_supported"]
    keys = client.get("/.well-known/jwks.json").json()["keys"]
    assert len(keys) == 2
    assert all("d" not in key for key in keys)


@pytest.mark.parametrize(
    "keys",
    [
        [KEYS["p256"].as_dict(private=True)],
        [OctKey.import_key("secret of sufficient length......").as_dict() | {"kid": "k"}],
        [
            {
                key: value
                for key, value in KEYS["p256"].as_dict(private=False).items()
                if key != "kid"
            }
        ],
        [KEYS["p256"].as_dict(private=False)] * 2,
        [KEYS["p256"].as_dict(private=False) | {"x": "AAAA"}],
        [ECKey.generate_key("P-521", {"kid": "k"}).as_dict(private=False)],
        ["text"],
        [],
        None,
    ],
    ids=[
        "private",
        "secret",
        "no kid",
        "one kid twice",
        "damaged",
        "P-521",
        "text",
        "none",
        "null",
    ],
)
def test_unfit_keys_are_not_registered(keys: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^jwks: "):
        checked_jwks({"keys": keys})


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_weak_rsa_key_is_not_registered() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    with pytest.raises(InvalidInput, match="2048 bits"):
        checked_jwks({"keys": [weak]})
