"""Registered clients, and the assertions they have used: what a token is judged against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.policy import Role
from mpi.errors import Conflict, UnknownClient
from mpi.limits import CLIENTS_MAX
from mpi.storage.tables import source_system
from mpi.storage.trust_tables import client, used_assertion
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A system that may ask for tokens; instants in UTC."""

    id: str
    organisation: str
    """ODS code."""
    roles: frozenset[Role]
    registered_at: datetime
    sources: frozenset[str] = frozenset()
    """Source systems of its own, beside those that have its organisation's ODS code."""
    keys: tuple[dict[str, Any], ...] = ()
    """Public JWKs (RFC 7517) with which it signs; none for a client of the command line."""
    disabled_at: datetime | None = None
    """Since when it may not ask; None while it may."""


def add_client(unit: UnitOfWork, added: Client) -> None:
    """Register a client.

    Raises:
        Conflict: If the id is taken, by one that is disabled too.
    """
    if find_client(unit, added.id) is not None:
        raise Conflict("client: this id is taken")
    unit.connection.execute(sa.insert(client), [_row(added)])


def find_client(unit: UnitOfWork, client_id: str) -> Client | None:
    """The client of this id, disabled or not; None if none was ever registered."""
    row = unit.first(_BY_ID, client_id=client_id)
    return _client(row) if row else None


def get_client(unit: UnitOfWork, client_id: str) -> Client:
    """The client of this id, disabled or not. Raises UnknownClient."""
    found = find_client(unit, client_id)
    if found is None:
        raise UnknownClient("client: none has this id")
    return found


def list_clients(unit: UnitOfWork) -> list[Client]:
    """Every client, disabled ones too, by id; at most `CLIENTS_MAX`."""
    return [_client(row) for row in unit.rows(_ALL)]


def disable_client(unit: UnitOfWork, client_id: str, *, at: datetime | None) -> None:
    """Take a client's rights away from an instant on, or give them back (None).

    Raises:
        UnknownClient: If none has this id.
    """
    get_client(unit, client_id)
    unit.connection.execute(_DISABLE, {"client_id": client_id, "at": at})


def list_sources_of(unit: UnitOfWork, organisation: str) -> frozenset[str]:
    """The source systems that have this ODS code, as stored; perhaps none."""
    return frozenset(row.source for row in unit.rows(_SOURCES, organisation=organisation))


def replace_keys(unit: UnitOfWork, client_id: str, keys: Sequence[dict[str, Any]]) -> None:
    """Let a client sign with these keys and no others. Raises UnknownClient."""
    get_client(unit, client_id)
    unit.connection.execute(_REPLACE_KEYS, {"client_id": client_id, "keys": _jwks(keys)})


def use_assertion(unit: UnitOfWork, client_id: str, jti: str, *, expires_at: datetime) -> None:
    """Note that an assertion was used; `jti` is the claim of RFC 7519.

    Raises:
        Conflict: If it was used before; told when the unit ends, see `storage_failures`.
    """
    row = {"client_id": client_id, "jti": jti, "expires_at": expires_at}
    unit.connection.execute(sa.insert(used_assertion), [row])


def forget_assertions(unit: UnitOfWork, *, before: datetime) -> None:
    """Delete the notes of assertions that have expired and so can no more be replayed."""
    unit.connection.execute(_FORGET, {"before": before})


def _row(added: Client) -> dict[str, Any]:
    return {
        "id": added.id,
        "organisation": added.organisation,
        "roles": orjson.dumps(sorted(added.roles)).decode(),
        "sources": orjson.dumps(sorted(added.sources)).decode(),
        "jwks": _jwks(added.keys),
        "registered_at": added.registered_at,
        "disabled_at": added.disabled_at,
    }


def _jwks(keys: Sequence[dict[str, Any]]) -> str:
    return orjson.dumps({"keys": list(keys)}).decode()


def _client(row: Any) -> Client:
    return Client(
        id=row.id,
        organisation=row.organisation,
        roles=frozenset(map(Role, orjson.loads(row.roles))),
        sources=frozenset(orjson.loads(row.sources)),
        keys=tuple(orjson.loads(row.jwks)["keys"]),
        registered_at=row.registered_at,
        disabled_at=row.disabled_at,
    )


_ALL: Final = sa.select(client).order_by(client.c.id).limit(CLIENTS_MAX)
_BY_ID: Final = sa.select(client).where(client.c.id == sa.bindparam("client_id"))
_DISABLE: Final = (
    sa.update(client)
    .where(client.c.id == sa.bindparam("client_id"))
    .values(disabled_at=sa.bindparam("at", type_=client.c.disabled_at.type))
)
_REPLACE_KEYS: Final = (
    sa.update(client)
    .where(client.c.id == sa.bindparam("client_id"))
    .values(jwks=sa.bindparam("keys", type_=sa.Text()))
)
_SOURCES: Final = sa.select(source_system.c.source).where(
    source_system.c.ods_code == sa.bindparam("organisation")
)
_FORGET: Final = sa.delete(used_assertion).where(
    used_assertion.c.expires_at < sa.bindparam("before", type_=used_assertion.c.expires_at.type)
)
