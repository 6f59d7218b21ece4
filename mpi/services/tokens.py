"""Access tokens: made here, and judged here in one place for every door.

A token is a JWT of RFC 9068, good for minutes. Its signature is checked once and its digest kept
until it ends; what its client may do is asked of the register every time, so a client that is
disabled or loses a role loses it at once, whatever its token says.

Source: RFC 7519 (JWT), RFC 7515 (JWS), RFC 9068; SMART App Launch 2.2 for the system scopes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError

from mpi.domain.policy import Role
from mpi.errors import Unauthenticated
from mpi.limits import TOKEN_BYTES_MAX
from mpi.services.signing_keys import ALGORITHM, SigningKeys
from mpi.settings import Settings

TOKEN_LIFETIME: Final = timedelta(seconds=300)
LOCAL_TOKEN_LIFETIME_MAX: Final = timedelta(hours=12)
"""Of a token made on the command line, for people who try things out."""
VERIFIED_MAX: Final = 10_000
"""Tokens whose soundness a worker remembers; the one known longest is forgotten first."""
CLOCK_SKEW_S: Final = 60
"""Seconds by which others' clocks may differ from ours."""
LOCAL_ISSUER: Final = "urn:mpi:this-machine"
"""Issuer of an installation without a public address, which serves its own machine only."""
TOKEN_TYPE: Final = "at+jwt"
SCOPES: Final[Mapping[Role, str]] = {
    Role.INTEGRATION: "system/Patient.cruds",
    Role.VIEW: "system/Patient.rs",
    Role.STEWARD: "mpi/review",
    Role.AUDITOR: "mpi/audit.r",
    Role.ADMINISTRATOR: "mpi/administration",
}
_ROLES: Final = {scope: role for role, scope in SCOPES.items()}


@dataclass(frozen=True, slots=True)
class Verified:
    """What a sound token says; `jti` is its id, `expires_at_s` in seconds since 1970."""

    client_id: str
    roles: frozenset[Role]
    jti: str
    expires_at_s: int


@dataclass(slots=True)
class Tokens:
    """Makes and judges the access tokens of one installation; safe to share between threads."""

    keys: SigningKeys
    issuer: str
    """Our public address; issuer and audience of every token."""
    _verified: OrderedDict[bytes, Verified] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def issue(
        self,
        client_id: str,
        roles: Iterable[Role],
        *,
        now: datetime,
        lifetime: timedelta = TOKEN_LIFETIME,
    ) -> str:
        """A token for a client that has shown who it is: a compact JWS, signed with ES256.

        Args:
            client_id: Its `sub` and `client_id`.
            roles: Become its scopes.
            now: The present instant.
            lifetime: Until it ends; `TOKEN_LIFETIME` for what came over HTTP.

        Raises:
            InvalidSettings: If the keys have changed and cannot be read.
        """
        key = self.keys.current().keys[0]
        issued_at = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": client_id,
            "client_id": client_id,
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at,
            "exp": issued_at + int(lifetime.total_seconds()),
            "scope": scope_of(roles),
        }
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    def verify_token(self, token: str, *, now: datetime) -> Verified:
        """What a token says, if it is sound now.

        Raises:
            Unauthenticated: If it is not; says which rule it breaks and nothing of what it holds.
            InvalidSettings: If the keys have changed and cannot be read.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._judge(token, now)
            self._keep(digest, known)
        if known.expires_at_s <= int(now.timestamp()):
            self._verified.pop(digest, None)
            raise Unauthenticated("token: has expired")
        return known

    def _judge(self, token: str, now: datetime) -> Verified:
        header = read_header(token)
        if header.get("typ") != TOKEN_TYPE:
            raise Unauthenticated("token: is no access token")
        if header.get("alg") != ALGORITHM:
            raise Unauthenticated("token: must be signed with ES256")
        key = self.keys.find(header.get("kid"))
        if key is None:
            raise Unauthenticated("token: is signed with a key that is not ours")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise Unauthenticated("token: its signature is wrong") from error
        return self._checked(claims, int(now.timestamp()))

    def _checked(self, claims: Mapping[str, Any], now_s: int) -> Verified:
        if claims.get("iss") != self.issuer:
            raise Unauthenticated("token: comes from another issuer")
        if claims.get("aud") != self.issuer:
            raise Unauthenticated("token: is meant for another service")
        texts: list[Any] = [claims.get(name) for name in ("client_id", "sub", "jti", "scope")]
        times: list[Any] = [claims.get(name) for name in ("iat", "exp")]
        if not all(isinstance(text, str) for text in texts) or texts[0] != texts[1]:
            raise Unauthenticated("token: a claim is missing or wrong")
        if not all(type(time) is int for time in times) or times[0] > now_s + CLOCK_SKEW_S:
            raise Unauthenticated("token: its times are wrong")
        if times[1] - times[0] > LOCAL_TOKEN_LIFETIME_MAX.total_seconds():
            raise Unauthenticated("token: lives too long")
        return Verified(texts[0], roles_of(texts[3]), texts[2], times[1])

    def _keep(self, digest: bytes, verified: Verified) -> None:
        with self._lock:
            self._verified[digest] = verified
            while len(self._verified) > VERIFIED_MAX:
                self._verified.popitem(last=False)


def issuer_of(settings: Settings) -> str:
    """Who issues the tokens of an installation, and for whom they are: an address or a URN."""
    return settings.public_url or LOCAL_ISSUER


def read_header(token: str) -> dict[str, Any]:
    """The header of a token or assertion; keys named or carried in it must never be used.

    They are the sender's own: only the algorithm and the key's id are.

    Raises:
        Unauthenticated: If it is too long or no JWT, or names extensions (`crit`, RFC 7515).
    """
    if len(token) > TOKEN_BYTES_MAX:
        raise Unauthenticated(f"token: must not be longer than {TOKEN_BYTES_MAX} bytes")
    try:
        header = jws.extract_compact(token.encode()).protected
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unauthenticated("token: is no JWT") from error
    if not isinstance(header, dict) or "crit" in header:
        raise Unauthenticated("token: is no JWT of the kind that is taken here")
    return dict(header)


def scope_of(roles: Iterable[Role]) -> str:
    """The scopes of these roles, in the roles' order, with spaces between them (RFC 6749)."""
    return " ".join(SCOPES[role] for role in sorted(roles))


def roles_of(scope: str) -> frozenset[Role]:
    """The roles whose scopes are named; what is not known grants nothing."""
    return frozenset(_ROLES[each] for each in scope.split() if each in _ROLES)
