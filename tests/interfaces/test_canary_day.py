"""A working day with a person of unique values: they come out where they are asked for only.

Every route does its work, so that nothing is found clean only because it was refused.
"""

from __future__ import annotations

import io

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

import api.v1.routes
from api.guard import guarded_routes
from mpi.clock import SystemClock
from mpi.domain.policy import POLICY, Role
from mpi.services.behind import steps_behind
from mpi.services.webhooks import Deliverer, subscribe
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing
from mpi.storage.webhooks import list_webhooks
from tests.callers import headers_of
from tests.canaries import TOKENS, Day, tokens_in, work
from tests.live_api import LiveApi, live_api
from tests.receiver import receiving

SHOWN_TO: dict[Role | None, str] = {
    None: "", Role.VIEW: "people", Role.INTEGRATION: "people", Role.STEWARD: "people",
    Role.AUDITOR: "", Role.ADMINISTRATOR: "",
}  # fmt: skip
REASON = "xyzzyreason"
"""What a steward wrote about a decision, which auditors may read."""


def test_a_day_of_work_leaves_no_value_where_nobody_asked(
    store: Store, log: io.StringIO, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with receiving(lambda _: 200) as receiver, live_api(store) as served:
        with writing(store) as unit:
            subscribe(
                unit, f"http://{receiver.host}/hook", allowed_hosts=[receiver.host],
                organisation="RBD", event_types=[], is_own_only=False, actor="test",
                at=served.clock.now(),
            )  # fmt: skip
        day = Day(served)
        work(day)
        assert_every_route_did_its_work(day)
        deliver(store, receiver.host)
        for role in SHOWN_TO:
            repeat(day, role)
        crash(served, monkeypatch)
        metrics = TestClient(served.client.app, client=("127.0.0.1", 1)).get("/metrics").text
    messages = [f"{headers} {body.decode()}" for headers, body in receiver.seen]
    assert len(messages) > 30
    assert not tokens_in(" ".join(messages), with_local_ids=False)
    said = capfd.readouterr()
    assert not tokens_in(metrics)
    assert not tokens_in(log.getvalue() + caplog.text + said.out + said.err)
    assert not tokens_in(" ".join(each.text for each in day.refusals))
    assert_trail_holds_no_demographics(store)


def assert_every_route_did_its_work(day: Day) -> None:
    """All that the policy lets roles do was done; what is left is read by those of `repeat`."""
    app = day.api.client.app
    done = set()
    for method, path, _ in day.sent:
        for route in guarded_routes(app):
            if method in route.methods and route.pattern.match(f"/v1/{path.partition('?')[0]}"):
                done.add(route.action)
                break
    wanted = {action for action, rule in POLICY.items() if rule.roles}
    assert wanted - done == {"read_metrics", "list_disclosures"}


def deliver(store: Store, host: str) -> None:
    for step in steps_behind(store, SystemClock()).values():
        step()
    deliverer = Deliverer(store, SystemClock(), (host,))
    with reading(store) as unit:
        (webhook,) = list_webhooks(unit)
    while deliverer.deliver(webhook):
        pass
    deliverer.close()


def repeat(day: Day, role: Role | None) -> None:
    """Everything again, as somebody of another organisation: refusals and answers alike."""
    app = day.api.client.app
    client = TestClient(app, raise_server_exceptions=False)
    headers = headers_of(app, role, organisation="RBD", sources=("dorset-county",)) if role else {}
    person = day.send("GET", "sources/gp/records/plugh-1")["person_id"]
    for method, path, body in [*day.sent, ("GET", f"persons/{person}/disclosures", None)]:
        response = client.request(method, f"/v1/{path}", json=body, headers=headers)
        where = f"{role} {method} {path}: {response.text}"
        assert response.status_code < 500, where
        assert not tokens_in(str(response.headers)), where
        if response.status_code >= 400:
            assert not tokens_in(response.text), where
        elif not SHOWN_TO[role]:
            shown = response.text.lower().replace(REASON, "")
            assert not [token for token in TOKENS if token in shown], where


def crash(served: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug whose error quotes a value: the answer and the log say that there was one."""

    def broken(*_: object) -> None:
        raise RuntimeError("Xyzzyfamily 9990000018")

    monkeypatch.setattr(api.v1.routes, "resolve_by_nhs_number", broken)
    response = served.client.post("/v1/resolve", json={"nhs_number": "9990000018"})
    assert response.status_code == 500
    assert not tokens_in(response.text + str(response.headers))


def assert_trail_holds_no_demographics(store: Store) -> None:
    with reading(store) as unit:
        rows = unit.connection.execute(sa.text("SELECT * FROM audit_event")).all()
        sent = unit.connection.execute(sa.text("SELECT payload, reason FROM outbox_event")).all()
    assert len(rows) > 100
    assert not tokens_in(str([list(map(str, row)) for row in [*rows, *sent]]), with_local_ids=False)
