"""The change feed as webhooks, in the Standard Webhooks form: at least once, in order per person.

What is to be received is kept in the store until it was: events are handed out from the feed behind
the registrations, which never wait for a receiver. What fails is tried again later and later; the
next event of the same person waits for it, those of others do not. What failed 20 times, in 20 to
39 hours, is given up, and sent again when an operator says so. A receiver that answers 410 gets
nothing more.

Source: the Standard Webhooks specification.
"""

from __future__ import annotations

import base64
import random
import secrets
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Final

import orjson

from mpi import logs
from mpi.clock import Clock
from mpi.domain.events import EventType
from mpi.errors import InvalidInput, MpiError
from mpi.limits import PAGE_ITEMS_MAX, WEBHOOKS_MAX
from mpi.services.callbacks import (
    SECRET_PREFIX,
    CallbackRefused,
    checked_url,
    post,
    signature,
)
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.engine import Store
from mpi.storage.figures import last_sequence
from mpi.storage.unit_of_work import UnitOfWork, reading, writing
from mpi.storage.webhooks import (
    Delivery,
    Failure,
    Webhook,
    add_webhook,
    claim_due,
    end_webhook,
    hand_out,
    list_webhooks,
    replay,
    settle,
)

ATTEMPTS_MAX: Final = 20
"""Times that a message is sent before it is given up."""
BACK_OFF_S: Final = 2.0
"""Seconds, at most, between the first attempt and the second."""
BACK_OFF_MAX_S: Final = 6 * 3_600.0
"""Seconds, at most, between two attempts: six hours."""
LEASE: Final = timedelta(seconds=120)
"""Longer than a batch can take; a worker that dies gives its batch back after it."""
BATCH_MAX: Final = 64
"""Messages that one pass over a webhook claims."""
SENDERS_MAX: Final = 8
"""Messages on their way to one receiver at a time."""
PURPOSE: Final = "administration"
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait before the next attempt; both in seconds."""

    first_s: float = BACK_OFF_S
    longest_s: float = BACK_OFF_MAX_S

    def delay(self, attempts_count: int) -> timedelta:
        """Twice as long each time, and never quite alike for two messages.

        A random time from half the longest to the longest of this attempt.

        Args:
            attempts_count: Attempts made so far, at least one.
        """
        longest = min(self.first_s * 2.0 ** (attempts_count - 1), self.longest_s)
        return timedelta(seconds=longest * random.uniform(0.5, 1.0))


@dataclass(slots=True)
class Deliverer:
    """Sends what is due, each webhook by itself, so that a slow receiver delays only itself.

    `allowed_hosts` are as in `callbacks.checked_url`.
    """

    store: Store
    clock: Clock
    allowed_hosts: tuple[str, ...]
    back_off: BackOff = field(default_factory=BackOff)
    _busy: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _passes: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(WEBHOOKS_MAX, thread_name_prefix="webhook")
    )

    def step(self) -> None:
        """Begin a pass for every webhook that has none under way; waits for nobody.

        What fails in a pass is logged and tried again. Raises StorageUnavailable if the webhooks
        cannot be read now.
        """
        with reading(self.store) as unit:
            found = list_webhooks(unit)
        for webhook in found:
            with self._lock:
                if webhook.number in self._busy:
                    continue
                self._busy.add(webhook.number)
            self._passes.submit(self._pass, webhook)

    def close(self) -> None:
        """Ends after the messages that are on their way, and waits for them."""
        self._passes.shutdown(wait=True, cancel_futures=True)

    def deliver(self, webhook: Webhook) -> int:
        """Hand out what is new and send what is due to one webhook; how many were received.

        What was not received is noted to be tried again later, and raises nothing.

        Raises:
            StorageUnavailable: If the store cannot be written now; what was sent meanwhile is sent
                again once its lease has ended.
        """
        with writing(self.store) as unit:
            hand_out(unit, webhook, at=self.clock.now(), limit=10 * PAGE_ITEMS_MAX)
            claimed = claim_due(unit, webhook, at=self.clock.now(), lease=LEASE, limit=BATCH_MAX)
        if not claimed:
            return 0
        with ThreadPoolExecutor(min(SENDERS_MAX, len(claimed))) as senders:
            told = list(senders.map(lambda each: self._send(webhook, each), claimed))
        failures = [failure for failure in told if failure is not None]
        received = {each.number for each in claimed} - {each.number for each in failures}
        with writing(self.store) as unit:
            settle(unit, sorted(received), failures)
            if any(failure.reason == f"status {_GONE}" for failure in failures):
                end_webhook(unit, webhook.id, at=self.clock.now())
        return len(received)

    def _pass(self, webhook: Webhook) -> None:
        try:
            while self.deliver(webhook):
                pass
        except MpiError as error:
            logs.warning("webhook_pass_failed", error_class=type(error).__name__)
        finally:
            with self._lock:
                self._busy.discard(webhook.number)

    def _send(self, webhook: Webhook, delivery: Delivery) -> Failure | None:
        """None if it was received."""
        body, headers = message(webhook, delivery, at=self.clock.now())
        try:
            status = post(webhook.url, body, headers, self.allowed_hosts)
            reason = "" if 200 <= status < 300 else f"status {status}"
        except CallbackRefused as error:
            reason = str(error)
        except (OSError, HTTPException) as error:
            reason = type(error).__name__
        return self._failure(delivery, reason) if reason else None

    def _failure(self, delivery: Delivery, reason: str) -> Failure:
        attempts_count = delivery.attempts_count + 1
        return Failure(
            number=delivery.number,
            attempts_count=attempts_count,
            due_at=self.clock.now() + self.back_off.delay(attempts_count),
            reason=reason,
            is_last=attempts_count >= ATTEMPTS_MAX,
        )


def message(webhook: Webhook, delivery: Delivery, *, at: datetime) -> tuple[bytes, dict[str, str]]:
    """The body (JSON) and the headers of a message; its id is the same at every attempt.

    Args:
        webhook: Signs it.
        delivery: What happened.
        at: The instant of this attempt, which is signed too.

    Source: the Standard Webhooks specification for `webhook-id`, `-timestamp` and `-signature`.
    """
    body = orjson.dumps(
        {"type": delivery.type, "timestamp": delivery.occurred_at, "data": delivery.data},
        option=orjson.OPT_UTC_Z,
    )
    message_id, timestamp_s = f"{webhook.id}.{delivery.sequence}", int(at.timestamp())
    return body, {
        "content-type": "application/json",
        "user-agent": "master-patient-index",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(webhook.secret, message_id, timestamp_s, body),
    }


def subscribe(
    unit: UnitOfWork,
    url: str,
    *,
    organisation: str,
    event_types: Iterable[str],
    is_own_only: bool,
    allowed_hosts: Iterable[str],
    actor: str,
    at: datetime,
) -> Webhook:
    """A new webhook that hears of what happens from now on; it holds the new secret.

    Args:
        unit: Where to write.
        url: Where messages go.
        organisation: ODS code.
        event_types: Members of `EventType`; none means all.
        is_own_only: Only events of persons who have, or had, a record of the organisation.
        allowed_hosts: See `callbacks.checked_url`.
        actor: Who adds it, for the trail.
        at: The present instant.

    Raises:
        InvalidInput: If webhooks may not lead there, an event type is not known, or there are
            `WEBHOOKS_MAX` already.
    """
    chosen = frozenset(event_types)
    if chosen - {str(each) for each in EventType}:
        raise InvalidInput(f"event: must be one of {', '.join(EventType)}")
    if len(list_webhooks(unit)) >= WEBHOOKS_MAX:
        raise InvalidInput(f"webhook: there can be {WEBHOOKS_MAX} at most")
    added = Webhook(
        id=f"wh_{secrets.token_hex(8)}",
        organisation=organisation,
        url=checked_url(url, allowed_hosts),
        secret=SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode(),
        event_types=chosen,
        is_own_only=is_own_only,
        created_at=at,
        cursor=last_sequence(unit),
    )
    add_webhook(unit, added)
    _audit(unit, "add_webhook", added.id, actor, at)
    return replace(added)


def unsubscribe(unit: UnitOfWork, webhook_id: str, *, actor: str, at: datetime) -> None:
    """End a webhook and drop what it has still to receive; audited. Raises UnknownWebhook."""
    end_webhook(unit, webhook_id, at=at)
    _audit(unit, "end_webhook", webhook_id, actor, at)


def send_again(unit: UnitOfWork, webhook_id: str, *, actor: str, at: datetime) -> int:
    """Try again what was given up; how many there are. Audited. Raises UnknownWebhook."""
    count = replay(unit, webhook_id, at=at)
    _audit(unit, "replay_webhook", webhook_id, actor, at)
    return count


def _audit(unit: UnitOfWork, action: str, webhook_id: str, actor: str, at: datetime) -> None:
    detail = {"webhook": webhook_id}
    event = AuditEvent(action=action, actor=actor, purpose=PURPOSE, recorded_at=at, detail=detail)
    add_audit_events(unit, [event])
