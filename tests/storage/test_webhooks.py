"""Whoever subscribes receives every event, each person's in order, and delays nobody else."""

from __future__ import annotations

import base64
import hmac
import json
import os
import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from mpi.clock import SystemClock
from mpi.errors import InvalidInput, UnknownWebhook
from mpi.services.callbacks import CallbackRefused, checked_url, post, signature
from mpi.services.webhooks import ATTEMPTS_MAX, BackOff, Deliverer, send_again, subscribe
from mpi.storage.engine import Store, open_store
from mpi.storage.outbox import OutboxEvent, add_events, number_events
from mpi.storage.unit_of_work import reading, writing
from mpi.storage.webhooks import Webhook, list_backlogs, list_webhooks
from tests.receiver import receiving
from tests.small_region import fill, person_id, spec_index

EVENTS = int(os.environ.get("MPI_WEBHOOK_EVENTS", "600"))
"""Events of the long run; 10,000 is what was promised."""
AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HASTY = BackOff(first_s=0.01, longest_s=0.05)


def publish(store: Store, events: list[tuple[str, int]]) -> None:
    with writing(store) as unit:
        add_events(
            unit,
            [
                OutboxEvent(
                    type=type_, actor="test", reason="because", occurred_at=AT,
                    person_id=person_id(person), payload={"task": place},
                )
                for place, (type_, person) in enumerate(events)
            ],
        )  # fmt: skip
    with writing(store) as unit:
        number_events(unit)


def hook(store: Store, host: str, path: str = "/hook", **options: Any) -> Webhook:
    given = {"organisation": "RBD", "event_types": [], "is_own_only": False} | options
    with writing(store) as unit:
        added = subscribe(
            unit, f"http://{host}{path}", allowed_hosts=[host], actor="test", at=AT, **given
        )
        return next(each for each in list_webhooks(unit) if each.id == added.id)


def drain(deliverer: Deliverer, webhook: Webhook, *, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not until() and time.monotonic() < deadline:
        if not deliverer.deliver(webhook):
            time.sleep(0.01)


def waiting(store: Store) -> int:
    with reading(store) as unit:
        return sum(each.waiting_count for each in list_backlogs(unit))


def test_a_receiver_that_fails_a_third_gets_every_event_in_each_persons_order(
    store: Store,
) -> None:
    chance = random.Random(5)
    people = [chance.randrange(EVENTS // 10) for _ in range(EVENTS)]
    with receiving(lambda _: chance.choice([200, 204, chance.choice([500, 302, 429])])) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), HASTY)
        webhook = hook(store, receiver.host)
        publish(store, [("linked", person) for person in people])
        drain(deliverer, webhook, until=lambda: len(receiver.seen) >= EVENTS and not waiting(store))
        deliverer.close()
    by_person: dict[str, list[int]] = defaultdict(list)
    for _, body in receiver.seen:
        data = json.loads(body)["data"]
        by_person[data["person_id"]].append(data["sequence"])
    got = [sequence for sequences in by_person.values() for sequence in sequences]
    assert sorted(set(got)) == list(range(1, EVENTS + 1))
    for sequences in by_person.values():
        assert list(dict.fromkeys(sequences)) == sorted(set(sequences))
    assert receiver.calls_count > EVENTS


def test_a_message_is_signed_as_the_specification_says() -> None:
    """The example of the Standard Webhooks specification and its reference libraries."""
    signed = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_received_message_verifies_and_holds_ids_only(store: Store) -> None:
    fill(store, spec_index())
    with receiving(lambda _: 200) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), HASTY)
        webhook = hook(store, receiver.host)
        publish(store, [("merged", 1)])
        assert deliverer.deliver(webhook) == 1
        deliverer.close()
    ((headers, body),) = receiver.seen
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert webhook.secret.startswith("whsec_")
    assert 24 <= len(key) <= 64
    assert json.loads(body) == {
        "type": "merged",
        "timestamp": "2026-05-01T12:00:00Z",
        "data": {"sequence": 1, "person_id": person_id(1), "reason": "because", "task": 0},
    }


def test_only_what_was_subscribed_to_is_sent(store: Store) -> None:
    fill(store, spec_index())
    with writing(store) as unit:
        unit.connection.execute(
            sa.text("UPDATE source_system SET ods_code = 'COU' WHERE source = 'council'")
        )
    with receiving(lambda _: 200) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), HASTY)
        merged = hook(store, receiver.host, "/merged", event_types=["merged"])
        own = hook(store, receiver.host, "/own", organisation="COU", is_own_only=True)
        publish(store, [("merged", 1), ("linked", 3), ("linked", 2), ("merged", 3)])
        assert (deliverer.deliver(merged), deliverer.deliver(own)) == (2, 1)
        assert (deliverer.deliver(merged), deliverer.deliver(own)) == (0, 1)
        deliverer.close()
    told = [json.loads(body)["data"]["sequence"] for _, body in receiver.seen]
    assert (sorted(told[:2]), told[2:]) == ([1, 4], [2, 4])


def test_what_is_given_up_holds_back_only_its_person_and_can_be_sent_again(store: Store) -> None:
    is_broken = True
    with receiving(lambda _: 500 if is_broken else 200) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), BackOff(0.0, 0.0))
        webhook = hook(store, receiver.host)
        publish(store, [("linked", 1), ("merged", 1)])
        for _ in range(ATTEMPTS_MAX):
            assert deliverer.deliver(webhook) == 0
        is_broken = False
        publish(store, [("linked", 2)])
        assert deliverer.deliver(webhook) == 1
        with writing(store) as unit:
            (backlog,) = list_backlogs(unit)
            assert (backlog.waiting_count, backlog.dead_count) == (1, 1)
            assert send_again(unit, webhook.id, actor="test", at=AT) == 1
        assert [deliverer.deliver(webhook) for _ in range(3)] == [1, 1, 0]
        deliverer.close()
    assert [json.loads(body)["data"]["sequence"] for _, body in receiver.seen] == [3, 1, 2]


def test_a_receiver_that_is_gone_is_not_called_again(store: Store) -> None:
    with receiving(lambda _: 410) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), HASTY)
        webhook = hook(store, receiver.host)
        publish(store, [("linked", 1), ("linked", 2)])
        deliverer.deliver(webhook)
        deliverer.close()
    with writing(store) as unit:
        assert list_webhooks(unit) == []
        with pytest.raises(UnknownWebhook):
            send_again(unit, webhook.id, actor="test", at=AT)


def test_a_receiver_that_never_answers_delays_only_itself(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi.services.callbacks.ANSWER_WITHIN_S", 1.0)
    silent = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{silent.getsockname()[1]}"
    with receiving(lambda _: 200) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host, host), HASTY)
        hook(store, host)
        hook(store, receiver.host)
        publish(store, [("linked", person) for person in range(10)])
        began = time.monotonic()
        deliverer.step()
        assert time.monotonic() - began < 0.5
        while len(receiver.seen) < 10 and time.monotonic() - began < 10:
            time.sleep(0.01)
        assert len(receiver.seen) == 10
        publish(store, [("linked", 1)])  # Whoever changes records waits for neither.
        deliverer.close()
    silent.close()
    with reading(store) as unit:
        assert sorted(each.waiting_count for each in list_backlogs(unit)) == [0, 10]


def test_a_receiver_that_answers_drop_by_drop_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpi.services.callbacks.ANSWER_WITHIN_S", 0.5)
    server = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{server.getsockname()[1]}"

    def drip() -> None:
        connection, _ = server.accept()
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            connection.close()

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with pytest.raises(Exception, match=r"."):
        post(f"http://{host}/", b"{}", {}, [host])
    assert time.monotonic() - began < 5
    thread.join()
    server.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/hook",
        "http://hub.example/hook",
        "https://hub.example:8443/hook",
        "https://user:secret@hub.example/hook",
        "https://hub.example@evil.example/hook",
        "https://hub.example\\@evil.example/",
        "https://hub.example/a b",
        "https://hub.example/#fragment",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "file:///etc/passwd",
        "gopher://hub.example/",
        "//hub.example/",
        "https://",
        "https://hub.example:99999/",
        "https://hub.example/" + "x" * 3_000,
        "",
    ],
)  # fmt: skip
def test_webhooks_lead_only_to_listed_hosts(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^url: "):
        checked_url(url, ["hub.example"])


@pytest.mark.parametrize(
    "url", ["https://hub.example/hook", "https://HUB.example:443/", "https://hub.example/?a=b"]
)
def test_a_listed_host_is_allowed(url: str) -> None:
    assert checked_url(url, ["hub.example"]) == url


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1"]
)
def test_a_listed_name_that_leads_to_this_machine_is_not_called(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    monkeypatch.setattr("mpi.services.callbacks.socket.getaddrinfo", resolve)
    with pytest.raises(CallbackRefused, match="may not be called"):
        post("https://hub.example/", b"{}", {}, ["hub.example"])


def test_a_redirect_is_a_failure_and_is_not_followed(store: Store) -> None:
    with receiving(lambda _: 302) as receiver:
        deliverer = Deliverer(store, SystemClock(), (receiver.host,), HASTY)
        webhook = hook(store, receiver.host)
        publish(store, [("linked", 1)])
        assert deliverer.deliver(webhook) == 0
        assert receiver.calls_count == 1
        deliverer.close()


def test_a_host_taken_off_the_list_is_called_no_more(store: Store) -> None:
    with receiving(lambda _: 200) as receiver:
        deliverer = Deliverer(store, SystemClock(), (), HASTY)
        webhook = hook(store, receiver.host)
        publish(store, [("linked", 1)])
        assert deliverer.deliver(webhook) == 0
        assert receiver.calls_count == 0
        deliverer.close()


def test_waiting_grows_and_is_never_quite_alike() -> None:
    delays = [BackOff(2.0, 3_600.0).delay(attempt).total_seconds() for attempt in range(1, 20)]
    assert all(1.0 <= delay <= 3_600.0 for delay in delays)
    assert delays[-1] >= 1_800.0
    assert len({BackOff().delay(5) for _ in range(20)}) > 1


def test_two_workers_never_send_one_event_at_once(new_database: Callable[[str], str]) -> None:
    store = open_store(new_database("postgresql"))
    with receiving(lambda _: 200) as receiver:
        webhook = hook(store, receiver.host)
        publish(store, [("linked", number % 20) for number in range(200)])
        workers = [Deliverer(store, SystemClock(), (receiver.host,), HASTY) for _ in range(3)]

        def work(deliverer: Deliverer) -> None:
            drain(deliverer, webhook, until=lambda: not waiting(store))

        with writing(store) as unit:  # So that none begins before there is something to do.
            number_events(unit)
        workers[0].deliver(webhook)
        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sequences = [json.loads(body)["data"]["sequence"] for _, body in receiver.seen]
    assert sorted(sequences) == list(range(1, 201))
    store.close()
