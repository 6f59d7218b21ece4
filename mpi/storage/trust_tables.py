"""What trust needs in the same schema: clients, used assertions, audit seals, webhooks.

None of it says anything about a person, but for the numbers of records that an audit event showed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from mpi.storage.columns import (
    check,
    derived_key,
    index,
    instant,
    key,
    number,
    one_of,
    reference,
    text,
    unique,
)
from mpi.storage.tables import METADATA

__all__ = [
    "METADATA",
    "DeliveryState",
    "audit_seal",
    "audit_sighting",
    "client",
    "source_heard",
    "used_assertion",
    "webhook",
    "webhook_delivery",
]


class DeliveryState(StrEnum):
    """What becomes of an event that a webhook has still to receive."""

    WAITING = "waiting"
    """Sent when it is due and nothing of the same person is before it."""
    DEAD = "dead"
    """Given up after the last attempt; waits for a replay."""


client: Final = sa.Table(
    # `roles`, `sources` and `jwks` are JSON; `jwks` holds public keys. `sources` names source
    # systems beyond those that have the organisation's ODS code.
    "client",
    METADATA,
    number(),
    key("id"),
    key("organisation"),
    text("roles"),
    text("sources"),
    text("jwks"),
    instant("registered_at"),
    instant("disabled_at", nullable=True),
    unique("id", why="a token names one client; look-up by id"),
)

used_assertion: Final = sa.Table(
    # One row for each client assertion until it would have expired anyway.
    "used_assertion",
    METADATA,
    sa.Column("client_id", key("client_id").type, primary_key=True),
    sa.Column("jti", key("jti").type, primary_key=True),
    instant("expires_at"),
    index("expires_at", why="rows that nobody can replay any more are deleted"),
    sqlite_with_rowid=False,
)

audit_seal: Final = sa.Table(
    # `leaves` holds 40 bytes for each event: its number and the digest of its content. `chain` is
    # the digest of the chain before and of this seal, so no seal can be exchanged alone.
    "audit_seal",
    METADATA,
    number(),
    sa.Column("first_event", sa.BigInteger(), nullable=False),
    sa.Column("last_event", sa.BigInteger(), nullable=False),
    sa.Column("leaves", sa.LargeBinary(), nullable=False),
    text("root"),
    text("chain"),
    instant("sealed_at"),
    check("ordered", "first_event <= last_event", why="a seal covers a range of numbers"),
    unique("last_event", why="two sealers at once cannot seal the same events"),
)

audit_sighting: Final = sa.Table(
    # Derived from the events' own lists behind them, by the sealer: clustered, no foreign keys.
    "audit_sighting",
    METADATA,
    derived_key("record"),
    derived_key("event"),
    sqlite_with_rowid=False,
)

source_heard: Final = sa.Table(
    # Derived behind the registrations: the newest version of each source system that was looked at.
    "source_heard",
    METADATA,
    sa.Column("source", key("source").type, primary_key=True),
    sa.Column("version", sa.BigInteger(), nullable=False),
    instant("heard_at"),
)

webhook: Final = sa.Table(
    # `event_types` is JSON, `cursor` the last sequence number of the feed that was fanned out.
    "webhook",
    METADATA,
    number(),
    key("id"),
    key("organisation"),
    text("url"),
    text("secret"),
    text("event_types"),
    sa.Column("is_own_only", sa.Boolean(), nullable=False),
    sa.Column("cursor", sa.BigInteger(), nullable=False),
    instant("created_at"),
    instant("disabled_at", nullable=True),
    unique("id", why="commands name a webhook by it"),
)

webhook_delivery: Final = sa.Table(
    # One row for each event that a webhook has still to receive; deleted once it is received.
    "webhook_delivery",
    METADATA,
    number(),
    reference("webhook", "webhook.number", why="a delivery belongs to a webhook"),
    sa.Column("sequence", sa.BigInteger(), nullable=False),
    key("order_key"),
    sa.Column("state", sa.Text(), nullable=False, server_default=DeliveryState.WAITING),
    sa.Column("attempts_count", sa.Integer(), nullable=False, server_default="0"),
    instant("due_at"),
    text("failure", nullable=True),
    one_of("state", DeliveryState, why="a state outside the code's list would never be sent"),
    unique("webhook", "sequence", why="an event goes to a webhook once, in order"),
    index("webhook", "order_key", "sequence", why="what must be received before an event"),
    index("webhook", "due_at", why="what is due, the longest first"),
)
