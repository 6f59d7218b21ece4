"""Client assertions: how a system shows with its own key who it is (`private_key_jwt`).

Source: SMART App Launch 2.2, client-confidential-asymmetric; RFC 7523; NHS England's signed JWT for
application-restricted APIs, which asks for RS512.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from mpi.errors import Conflict, InvalidInput, Unauthenticated
from mpi.services.tokens import CLOCK_SKEW_S, read_header
from mpi.storage.clients import Client, find_client, forget_assertions, use_assertion
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing

ALGORITHMS: Final = ("RS384", "RS512", "ES384", "ES256")
LIFETIME_MAX_S: Final = 300
"""Seconds ahead that an assertion may expire: 5 minutes, as SMART demands."""
JTI_CHARACTERS_MAX: Final = 200
RSA_BITS_MIN: Final = 2_048
KEYS_MAX: Final = 10
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384"}
_NOT_A_KEY: Final = "jwks: must be a JWKS of public RSA or EC keys, each with its own kid"


def checked_jwks(content: object) -> tuple[dict[str, Any], ...]:
    """The public keys of a JWKS (RFC 7517), fit to be registered, in its order.

    Args:
        content: Plain JSON values, whatever they are: `{"keys": [...]}` with 1 to `KEYS_MAX` keys,
            RSA of at least `RSA_BITS_MIN` bits or EC on P-256 or P-384, each with a `kid` of its
            own.

    Raises:
        InvalidInput: If one is private, weak, without an id, or of a kind that is not taken.
    """
    listed = content.get("keys") if isinstance(content, Mapping) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= KEYS_MAX:
        raise InvalidInput(f"jwks: must hold 1-{KEYS_MAX} keys")
    keys = tuple(_checked_key(each) for each in listed)
    if len({key["kid"] for key in keys}) < len(keys):
        raise InvalidInput("jwks: two keys have one kid")
    return keys


def authenticate(store: Store, assertion: str, *, audience: str, now: datetime) -> Client:
    """The client that signed an assertion, which from now on cannot be used again.

    Args:
        store: Holds the register and what was used.
        assertion: The JWT in its compact form (RFC 7515).
        audience: Our token endpoint, which its `aud` must name.
        now: The present instant; clocks may differ by `CLOCK_SKEW_S` seconds.

    Raises:
        Unauthenticated: If it is not sound or was used before; says which rule it breaks.
        StorageUnavailable: If that cannot be told or noted; then nobody is let in.
    """
    header = read_header(assertion)
    if header.get("alg") not in ALGORITHMS:
        raise Unauthenticated(f"assertion: must be signed with one of {', '.join(ALGORITHMS)}")
    claimed = _unverified_issuer(assertion)
    with reading(store) as unit:
        client = find_client(unit, claimed)
    if client is None or client.disabled_at is not None:
        raise Unauthenticated("assertion: its issuer is no client that may ask")
    claims = _verified_claims(assertion, header, client)
    _check(claims, client.id, audience, int(now.timestamp()))
    _use(store, client.id, claims, now)
    return client


def _checked_key(content: object) -> dict[str, Any]:
    if not isinstance(content, dict) or not isinstance(content.get("kid"), str):
        raise InvalidInput(_NOT_A_KEY)
    if content.get("kty") not in ("RSA", "EC") or {"d", "p", "q"} & content.keys():
        raise InvalidInput(_NOT_A_KEY)
    try:
        key = jwk.import_key({**content})
        bits = getattr(key.raw_value, "key_size", 0)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(_NOT_A_KEY) from error
    if isinstance(key, jwk.RSAKey) and bits < RSA_BITS_MIN:
        raise InvalidInput(f"jwks: an RSA key must have at least {RSA_BITS_MIN} bits")
    if isinstance(key, jwk.ECKey) and key.curve_name not in _CURVES.values():
        raise InvalidInput("jwks: an EC key must be of the curve P-256 or P-384")
    return {**key.as_dict(private=False), "kid": content["kid"]}


def _unverified_issuer(assertion: str) -> str:
    """Who says to have signed: only to find the key with which that is judged."""
    try:
        payload = jws.extract_compact(assertion.encode()).payload
        issuer = json.loads(payload)["iss"]
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unauthenticated("assertion: names no issuer") from error
    if not isinstance(issuer, str):
        raise Unauthenticated("assertion: names no issuer")
    return issuer


def _verified_claims(
    assertion: str, header: Mapping[str, Any], client: Client
) -> Mapping[str, Any]:
    found = (key for key in client.keys if key["kid"] == header.get("kid"))
    content = next(found, None)
    if content is None:
        raise Unauthenticated("assertion: is signed with a key that is not registered")
    algorithm, key = header["alg"], jwk.import_key(content)
    is_fit = (
        key.curve_name == _CURVES.get(algorithm)
        if isinstance(key, jwk.ECKey)
        else algorithm.startswith("RS")
    )
    if not is_fit:
        raise Unauthenticated("assertion: its algorithm is not that of the registered key")
    try:
        return jwt.decode(assertion, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError) as error:
        raise Unauthenticated("assertion: its signature is wrong") from error


def _check(claims: Mapping[str, Any], client_id: str, audience: str, now_s: int) -> None:
    if claims.get("sub") != client_id:
        raise Unauthenticated("assertion: iss and sub must both be the client's id")
    if claims.get("aud") not in (audience, [audience]):
        raise Unauthenticated("assertion: aud must be the address of the token endpoint")
    jti, expires = claims.get("jti"), claims.get("exp")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_CHARACTERS_MAX:
        raise Unauthenticated(f"assertion: jti must be a text of 1-{JTI_CHARACTERS_MAX} characters")
    if type(expires) is not int or expires > now_s + LIFETIME_MAX_S + CLOCK_SKEW_S:
        raise Unauthenticated("assertion: exp must be at most 5 minutes ahead")
    if expires <= now_s - CLOCK_SKEW_S:
        raise Unauthenticated("assertion: has expired")
    _check_starts((claims[name] for name in ("iat", "nbf") if name in claims), now_s)


def _check_starts(times: Iterable[object], now_s: int) -> None:
    if any(type(time) is not int or time > now_s + CLOCK_SKEW_S for time in times):
        raise Unauthenticated("assertion: iat and nbf must not lie ahead")


def _use(store: Store, client_id: str, claims: Mapping[str, Any], now: datetime) -> None:
    """One use, in whichever worker; an expired assertion is refused before it is looked up here."""
    expires_at = datetime.fromtimestamp(claims["exp"] + CLOCK_SKEW_S, UTC)
    try:
        with writing(store) as unit:
            use_assertion(unit, client_id, claims["jti"], expires_at=expires_at)
            forget_assertions(unit, before=now)
    except Conflict as error:
        raise Unauthenticated("assertion: was used before") from error
