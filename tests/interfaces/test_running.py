"""The service as an operator sees it: figures, readiness, limits, and a stop that loses nothing."""

from __future__ import annotations

import io
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.access import Rates
from api.app import create_app
from api.wiring import Service, open_service
from mpi import logs
from mpi.clock import FixedClock
from mpi.domain.policy import Role
from mpi.errors import InvalidSettings
from mpi.limits import JSON_DEPTH_MAX
from mpi.services.audit_seal import RootsCopier
from mpi.services.behind import Behind, steps_behind
from mpi.services.figures import figures
from mpi.settings import read_settings
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import BULK_LOCK, reading, writing
from tests.callers import headers_of
from tests.live_api import LiveApi, live_api, somebody
from tests.serving import serving
from tests.small_region import ADA, LOADED_AT, fill, person_id, spec_index

OPERATING = Path(__file__).parents[2] / "docs" / "operating"
DASHBOARD = OPERATING / "grafana-dashboard.json"
MONITOR = OPERATING / "monitor.md"
LATER = LOADED_AT + timedelta(hours=2)


@pytest.fixture
def service(store: Store) -> Service:
    index = spec_index()
    fill(store, index)
    return Service(store=store, index=index, clock=FixedClock(LATER))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service), client=("127.0.0.1", 1)) as client:
        client.headers.update(headers_of(client.app, Role.STEWARD))
        yield client


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is missing"
    return float(found[1])


def test_the_figures_tell_what_was_asked_and_what_waits(
    client: TestClient, service: Service
) -> None:
    before = client.get("/metrics").text
    client.post("/v1/resolve", json={"demographics": ADA})
    client.get(f"/v1/persons/{person_id(99)}")
    for step in steps_behind(service.store, service.clock).values():
        step()
    text = client.get("/metrics").text
    asked = 'mpi_requests_total{action="resolve",status="200"}'
    assert metric(text, asked) - (metric(before, asked) if asked in before else 0) == 1
    assert metric(text, 'mpi_feed_silence_seconds{source="gp"}') == 7_200
    assert metric(text, "mpi_audit_unsealed") == 0
    assert metric(text, "mpi_candidates_count") >= 1
    assert "mpi_outbox_lag_seconds" in text


def test_a_roots_file_of_another_store_is_told_by_a_figure_and_the_log(
    service: Service, tmp_path: Path
) -> None:
    roots, clock, stream = tmp_path / "roots.jsonl", FixedClock(LATER), io.StringIO()
    roots.write_text('{"seal": 1, "last_event": 3, "chain": "00"}\n')
    copier = RootsCopier(service.store, roots, clock)
    kept = logs._LOGGER.handlers[:]
    logs.configure_logs(stream=stream)
    try:
        with TestClient(
            create_app(replace(service, roots=copier, clock=clock)), client=("127.0.0.1", 1)
        ) as here:
            run_once("copy_roots", copier.step)
            clock.at += timedelta(seconds=90)
            assert metric(here.get("/metrics").text, "mpi_audit_roots_failing_seconds") == 90
    finally:
        logs._LOGGER.handlers[:], logs._LOGGER.propagate = kept, True
    told = next(
        line for line in map(json.loads, stream.getvalue().splitlines()) if "action" in line
    )
    assert (told["event"], told["action"]) == ("behind_failed", "copy_roots")
    assert told["reason"].startswith("audit_roots_file: its newest root is not of this store")


def run_once(name: str, step: Any) -> None:
    """The step behind a service, which has ended at least once."""
    has_ended = threading.Event()

    def told() -> None:
        try:
            step()
        finally:
            has_ended.set()

    behind = Behind({name: told}, every_s=0.001)
    behind.start()
    has_ended.wait(5)
    behind.stop()


def test_a_service_whose_roots_have_no_folder_does_not_start(
    installation: dict[str, str], tmp_path: Path
) -> None:
    settings = read_settings(tmp_path, installation)
    missing = tmp_path / "missing" / "roots.jsonl"
    with pytest.raises(InvalidSettings, match="audit_roots_file: its folder is not there"):
        open_service(replace(settings, audit_roots_file=missing))


def test_the_figures_are_for_this_machine_or_for_operators(service: Service) -> None:
    with TestClient(create_app(service), client=("10.0.0.9", 1)) as elsewhere:
        headers = {role: headers_of(elsewhere.app, role) for role in Role}
        told = {role: elsewhere.get("/metrics", headers=headers[role]).status_code for role in Role}
        assert elsewhere.get("/metrics").status_code == 401
    allowed = {role for role, status in told.items() if status == 200}
    assert allowed == {Role.ADMINISTRATOR, Role.AUDITOR}


def test_open_tasks_are_counted_with_their_age(service: Service) -> None:
    opened_at = "0" if service.store.is_sqlite else "'1970-01-01T00:00:00Z'"
    columns = "type, priority, match_weight_bits, reason, question_digest, opened_at"
    with writing(service.store) as unit:
        values = f"'possible_link', 1, 3.0, 'r', 'd', {opened_at}"
        unit.connection.execute(sa.text(f"INSERT INTO task ({columns}) VALUES ({values})"))
    with reading(service.store) as unit:
        told = {each.name: dict(each.values) for each in figures(unit, now=LATER)}
    assert told["mpi_tasks_open"] == {("possible_link",): 1}
    assert told["mpi_task_oldest_seconds"] == {("possible_link",): LATER.timestamp()}


def test_the_dashboard_asks_for_figures_that_exist(client: TestClient) -> None:
    client.post("/v1/resolve", json={"demographics": ADA})
    shown = set(re.findall(r"\bmpi_[a-z_]+", DASHBOARD.read_text("utf-8")))
    told = client.get("/metrics").text
    assert shown
    assert not {name for name in shown if not re.search(rf"^(# TYPE )?{name}\b", told, re.M)}


def test_every_figure_is_explained_and_shown(client: TestClient) -> None:
    served = set(
        re.findall(r"^# TYPE (mpi_\w+) (?:gauge|histogram)", client.get("/metrics").text, re.M)
    )
    served |= {"mpi_requests_total", "mpi_registrations_total", "mpi_look_ups_total"}
    served -= {name for name in served if name.endswith(("_created", "_last_sequence"))}
    explained = set(re.findall(r"`(mpi_[a-z_]+)`", MONITOR.read_text("utf-8")))
    shown = set(re.findall(r"\bmpi_[a-z_]+", DASHBOARD.read_text("utf-8")))
    assert served == explained
    assert served == {name.removesuffix("_bucket") for name in shown}


def test_what_became_of_statements_and_questions_is_counted(store: Store) -> None:
    with live_api(store) as api:
        here = TestClient(api.client.app, client=("127.0.0.1", 1))
        before = here.get("/metrics").text
        told = somebody()
        api.put("gp/1", told)
        api.put("gp/1", told)
        api.post("records:batch", {"records": [{"source": "gp"}]})
        api.post("resolve", {"nhs_number": "9990000018"})
        person = api.post("resolve", {"record": "gp:1"})["persons"][0]["person_id"]
        api.post("resolve", {"person_id": person})
        after = here.get("/metrics").text
    assert counted(before, after, "registrations") == {"new": 1, "unchanged": 1, "refused": 1}
    assert counted(before, after, "look_ups") == {"nobody": 1, "by_id": 2}


def counted(before: str, after: str, name: str) -> dict[str, float]:
    """What a counter rose by, for each outcome."""
    found = re.compile(rf'^mpi_{name}_total{{outcome="(\w+)"}} (\S+)$', re.MULTILINE)
    then = {outcome: float(value) for outcome, value in found.findall(before)}
    now = {outcome: float(value) for outcome, value in found.findall(after)}
    risen = {outcome: value - then.get(outcome, 0) for outcome, value in now.items()}
    return {outcome: rise for outcome, rise in risen.items() if rise}


def test_the_log_calls_a_person_by_a_reference_and_no_id_is_in_it(store: Store) -> None:
    stream, secret = io.StringIO(), b"secret of a test"
    kept = logs._LOGGER.handlers[:]
    logs.configure_logs(stream=stream, level="debug", secret=secret)
    try:
        with live_api(store) as api:
            for source in ("gp", "poole"):
                api.put(f"{source}/1", somebody(family_name="Okafor-Lisle"))
            person = api.post("resolve", {"record": "gp:1"})["persons"][0]["person_id"]
            api.post(f"persons/{person}:merge", merge_of(api))
            for path in (f"persons/{person}", f"persons/{person}/history", "changes"):
                api.get(path)
            api.refusal("GET", f"persons/{person[:-1]}?", None)
    finally:
        logs._LOGGER.handlers[:], logs._LOGGER.propagate = kept, True
    with reading(store) as unit:
        ids = set(unit.connection.execute(sa.text("SELECT id FROM person")).scalars())
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    registered = [line for line in lines if line["event"] == "record_registered"]
    month = registered[0]["at"][:7]
    assert len(ids) == 2
    assert registered[0]["person_ref"] == logs.person_reference(person, month=month, secret=secret)
    assert not [each for each in ids if each in stream.getvalue()]
    assert registered[0]["request_id"] in {
        line["request_id"] for line in lines if line["event"] == "request_answered"
    }


def merge_of(api: LiveApi) -> dict[str, str]:
    other = api.post("resolve", {"record": "poole:1"})["persons"][0]["person_id"]
    return {"person_id": other, "reason": "One person."}


def test_a_client_that_asks_too_often_is_told_to_wait(service: Service) -> None:
    with TestClient(create_app(service)) as client:
        access = client.app.state.access
        client.app.state.access = replace(access, rates=Rates(3))
        headers = headers_of(client.app, Role.VIEW)
        path = f"/v1/persons/{person_id(1)}"
        told = [client.get(path, headers=headers) for _ in range(5)]
        other = client.get(path, headers=headers_of(client.app, Role.STEWARD))
    assert [each.status_code for each in told] == [200, 200, 200, 429, 429]
    assert told[-1].headers["retry-after"] == "1"
    assert other.status_code == 200


def test_a_body_may_not_nest_too_deeply_whatever_its_texts_say(client: TestClient) -> None:
    deep: Any = "x"
    for _ in range(JSON_DEPTH_MAX + 1):
        deep = [deep]
    refused = client.post("/v1/resolve", json={"demographics": deep})
    assert (refused.status_code, "nest deeper" in refused.json()["detail"]) == (422, True)
    texts = {"given_name": "[" * 30 + '\\"[[{{', "family_name": "Okafor"}
    assert client.post("/v1/resolve", json={"demographics": texts}).status_code == 200


def test_every_answer_has_the_headers_that_protect_it(client: TestClient) -> None:
    for path in ("/health/live", "/docs", "/nowhere", f"/v1/persons/{person_id(1)}"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    assert "strict-transport-security" not in client.get("/health/live").headers
    with TestClient(client.app, base_url="https://mpi.example") as secure:
        assert "strict-transport-security" in secure.get("/health/live").headers


def test_the_log_has_a_line_for_each_request_and_no_path(client: TestClient) -> None:
    stream = io.StringIO()
    kept = logs._LOGGER.handlers[:]
    logs.configure_logs(stream=stream)
    try:
        client.get("/v1/sources/gp/records/XYZZYCANARY")
        client.get("/XYZZYCANARY?XYZZYCANARY=1")
        client.request("XYZZYCANARY", "/health/live")
    finally:
        logs._LOGGER.handlers[:], logs._LOGGER.propagate = kept, True
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["route"] for line in lines] == [
        "/v1/sources/{source}/records/{local_id}",
        "none",
        "none",
    ]
    assert "XYZZYCANARY" not in stream.getvalue()


def test_a_store_that_cannot_be_written_to_is_not_ready(service: Service) -> None:
    lock = f"SELECT pg_advisory_xact_lock({BULK_LOCK})"
    bulk_load = "SELECT 1" if service.store.is_sqlite else lock
    with TestClient(create_app(service)) as client:
        assert client.get("/health/ready").status_code == 200
        with service.store.engine.connect() as other:  # On SQLite to begin is to have the lock.
            other.exec_driver_sql(bulk_load)
            response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["detail"].startswith("store: ")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_died_behind_the_service_makes_it_unready(service: Service) -> None:
    def die() -> None:
        raise SystemExit

    behind = Behind({"die": die}, every_s=0.001)
    behind.start()
    deadline = time.monotonic() + 5
    while behind.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    with TestClient(create_app(replace(service, behind=None))) as client:
        client.app.state.service = replace(service, behind=behind)
        assert client.get("/health/ready").status_code == 503


def test_two_workers_answer_share_figures_and_stop_after_what_they_accepted(
    installation: dict[str, str], new_database: Any, tmp_path: Path
) -> None:
    url, release = new_database("postgresql"), installation["MPI_RELEASE_FOLDER"]
    fill_with_release(url, release)
    settings = {
        "MPI_DATABASE_URL": url, "MPI_RELEASE_FOLDER": release,
        "MPI_KEYS_FOLDER": str(tmp_path / "keys"), "MPI_LOG_LEVEL": "info",
    }  # fmt: skip
    with serving(settings, "--workers", "2") as (process, address, headers):
        statuses: list[int] = []

        def ask() -> None:
            for _ in range(400):
                try:
                    statuses.append(
                        httpx2.get(
                            f"{address}/v1/persons/{person_id(1)}", headers=headers
                        ).status_code
                    )
                except httpx2.TransportError:
                    return  # It was not accepted any more.

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        time.sleep(0.5)
        text = httpx2.get(f"{address}/metrics").text
        process.send_signal(signal.SIGTERM)
        for asker in askers:
            asker.join()
        assert process.wait(30) == 0
        answered = len(statuses)
    assert set(statuses) == {200}
    assert answered >= 1
    assert metric(text, 'mpi_requests_total{action="read_person",status="200"}') > 0
    assert audited(url, "read_person") == answered


def fill_with_release(url: str, folder: str) -> None:
    from mpi.services.linkage_index import compile_linkage_index
    from mpi.storage.engine import open_store
    from mpi.storage.releases import read_release

    store = open_store(url)
    fill(store, compile_linkage_index(read_release(Path(folder))))
    store.close()


def audited(url: str, action: str) -> int:
    from mpi.storage.engine import open_store

    store = open_store(url)
    with reading(store) as unit:
        query = sa.text("SELECT count(*) FROM audit_event WHERE action = :action")
        count: int = unit.connection.execute(query, {"action": action}).scalar_one()
    store.close()
    return count
