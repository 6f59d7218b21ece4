"""The register of clients, as every request asks it: who is this token's client, right now?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from mpi.domain.policy import STANDS_ALONE, Principal, Role
from mpi.errors import InvalidInput, Unauthenticated
from mpi.services.tokens import Verified
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.clients import (
    Client,
    add_client,
    disable_client,
    find_client,
    get_client,
    list_sources_of,
    replace_keys,
)
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import UnitOfWork, reading

__all__ = [
    "Client",
    "ClientDirectory",
    "audit_grant",
    "check_roles",
    "exchange_keys",
    "local_client",
    "register_client",
    "switch_client",
]

KNOWN_FOR_S: Final = 3.0
"""Seconds: how old what a worker knows of a client may be; disabling one must work within 5."""
_KNOWN_MAX: Final = 10_000
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ODS_CODE: Final = re.compile(r"[A-Z0-9]{1,12}")
PURPOSE: Final = "administration"


@dataclass(slots=True)
class ClientDirectory:
    """The register with a short memory; safe to share between threads."""

    store: Store
    sources_by_organisation: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """ODS code -> source systems, from the source mappings."""
    _known: dict[str, tuple[float, Principal | None]] = field(default_factory=dict)

    def recall(self, verified: Verified) -> Principal | None:
        """Who this is if known for less than `KNOWN_FOR_S`, without asking the store; else None."""
        known = self._known.get(verified.client_id)
        if known is None or known[1] is None or time.monotonic() - known[0] > KNOWN_FOR_S:
            return None
        return _narrowed(known[1], verified)

    def principal_of(self, verified: Verified) -> Principal:
        """Who a sound token's client is now, in the roles that register and token both give.

        Those may be none: then the policy refuses whatever needs a role.

        Raises:
            Unauthenticated: If the client is gone or disabled.
            StorageUnavailable: If that cannot be told.
        """
        asked_at = time.monotonic()
        with reading(self.store) as unit:
            found = find_client(unit, verified.client_id)
            active = found if found and found.disabled_at is None else None
            principal = self._principal(unit, active) if active else None
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[verified.client_id] = (asked_at, principal)
        if principal is None:
            raise Unauthenticated("token: its client may not ask any more")
        return _narrowed(principal, verified)

    def _principal(self, unit: UnitOfWork, client: Client) -> Principal:
        mapped = self.sources_by_organisation.get(client.organisation, frozenset())
        return Principal(
            client_id=client.id,
            organisation=client.organisation,
            roles=client.roles,
            sources=client.sources | mapped | list_sources_of(unit, client.organisation),
        )


def register_client(unit: UnitOfWork, client: Client, *, actor: str) -> None:
    """Add a client to the register; audited.

    Args:
        unit: Where to write.
        client: Its keys as `checked_jwks` gives them.
        actor: Who registers it.

    Raises:
        InvalidInput: If its id, organisation or roles break a rule.
        Conflict: If its id is taken.
    """
    if not _CLIENT_ID.fullmatch(client.id):
        raise InvalidInput("client: must be 1-64 letters, digits, ., - or _")
    if not _ODS_CODE.fullmatch(client.organisation):
        raise InvalidInput("organisation: must be an ODS code, 1-12 capital letters and digits")
    check_roles(client.roles)
    add_client(unit, client)
    _audit(unit, "register_client", client, actor, at=client.registered_at)


def check_roles(roles: Iterable[Role]) -> None:
    """Nothing, if one client may have these roles together.

    Raises:
        InvalidInput: If there is none, or auditor or administrator is beside another.
    """
    chosen = frozenset(roles)
    if not chosen:
        raise InvalidInput("role: name at least one")
    if len(chosen) > 1 and chosen & STANDS_ALONE:
        raise InvalidInput("role: auditor and administrator cannot be had beside another role")


def switch_client(unit: UnitOfWork, client_id: str, *, actor: str, at: datetime, on: bool) -> None:
    """Take a client's rights away from an instant, or give them back (`on`); audited.

    Workers notice within `KNOWN_FOR_S` seconds. Raises UnknownClient.
    """
    disable_client(unit, client_id, at=None if on else at)
    action = "enable_client" if on else "disable_client"
    _audit(unit, action, get_client(unit, client_id), actor, at=at)


def exchange_keys(
    unit: UnitOfWork, client_id: str, keys: tuple[dict[str, Any], ...], *, actor: str, at: datetime
) -> None:
    """Let a client sign with these keys from now on, and with none that it had. Raises
    UnknownClient."""
    replace_keys(unit, client_id, keys)
    _audit(unit, "exchange_keys", get_client(unit, client_id), actor, at=at)


def local_client(
    unit: UnitOfWork,
    roles: Iterable[Role],
    organisation: str,
    *,
    actor: str,
    at: datetime,
    sources: Iterable[str] = (),
) -> Client:
    """The client of roles and organisation for which tokens are made on the command line.

    It is registered if it is not yet. It has no keys, so nobody gets a token for it from elsewhere;
    it can be disabled like any other.

    Args:
        unit: Where to write.
        roles: At least one.
        organisation: ODS code.
        actor: Who makes the token.
        at: The present instant.
        sources: Source systems that are its own, if it is new.

    Raises:
        InvalidInput: If the roles or the organisation break a rule, or the client is disabled.
    """
    client = Client(
        id="-".join(["local", *sorted(roles), organisation]),
        organisation=organisation,
        roles=frozenset(roles),
        sources=frozenset(sources),
        registered_at=at,
    )
    known = find_client(unit, client.id)
    if known is None:
        register_client(unit, client, actor=actor)
        return client
    if known.disabled_at is not None:
        raise InvalidInput("client: it is disabled; enable it first with mpi client enable")
    return known


def audit_grant(unit: UnitOfWork, client: Client, *, at: datetime) -> None:
    """Record that a client was given a token; the token itself is kept nowhere."""
    _audit(unit, "issue_token", client, client.id, at=at)


def _narrowed(principal: Principal, verified: Verified) -> Principal:
    """In the roles that both the register and the token give."""
    roles = principal.roles & verified.roles
    return principal if roles == principal.roles else replace(principal, roles=roles)


def _audit(unit: UnitOfWork, action: str, client: Client, actor: str, *, at: datetime) -> None:
    detail = {
        "client": client.id,
        "organisation": client.organisation,
        "roles": sorted(client.roles),
        "key_ids": [key["kid"] for key in client.keys],
    }
    event = AuditEvent(action=action, actor=actor, purpose=PURPOSE, recorded_at=at, detail=detail)
    add_audit_events(unit, [event])
