"""Stewards share the work list over HTTP; a late or stale answer is refused and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from mpi.storage.engine import Store
from tests.live_api import LiveApi, live_api, somebody
from tests.live_index import START

_NAMES = count(1)


@pytest.fixture(scope="module")
def api(module_store: Store) -> Iterator[LiveApi]:
    with live_api(module_store) as served:
        yield served


def twins(api: LiveApi) -> dict[str, Any]:
    """The open task about two people who look alike; records gp:twin-N and poole-council:twin-N."""
    name, told = f"twin-{next(_NAMES)}", somebody(given_name="Ada")
    api.put(f"gp/{name}", told)
    (number,) = api.put(f"poole-council/{name}", told | {"given_name": "Zoe"})["tasks_opened"]
    return api.get(f"tasks/{number}")


def overlay(api: LiveApi) -> dict[str, Any]:
    name = f"gp/overlay-{next(_NAMES)}"
    api.put(name, somebody())
    (number,) = api.put(name, somebody(event_at="2026-02-05T09:00:00Z"))["tasks_opened"]
    return api.get(f"tasks/{number}")


def answer(task: dict[str, Any], reply: str, **more: Any) -> dict[str, Any]:
    shown = {name: task[name] for name in ("revision", "evidence_digest")}
    return {"reply": reply, "reason": "I asked them."} | shown | more


def test_a_task_shows_both_sides_and_the_evidence(api: LiveApi) -> None:
    task = twins(api)
    assert (task["type"], task["state"], task["veto"]) == ("blocked_by_veto", "open", "twins")
    assert [side["content"]["given_name"] for side in task["left"] + task["right"]] == [
        "Ada",
        "Zoe",
    ]
    assert task["explanation"]["match_weight_bits"] == pytest.approx(
        task["match_weight_bits"], abs=1e-6
    )
    assert task["explanation"]["left"] == task["left"][0]["record"]
    assert task["replies"] == ["same", "different"]


def test_a_task_is_previewed_and_decided(api: LiveApi) -> None:
    task = twins(api)
    would = api.post(f"tasks/{task['task']}:preview", answer(task, "same"))
    assert len(would["after"]) == 1
    decided = api.post(f"tasks/{task['task']}:decide", answer(task, "different"))
    closed = api.get(f"tasks/{task['task']}")
    assert (closed["state"], closed["decision"]) == ("decided", decided["decision"])
    status, detail = api.refusal("POST", f"tasks/{task['task']}:decide", answer(task, "same"))
    assert (status, detail) == (409, f"task: it was decided, by decision {decided['decision']}")


def test_a_decision_elsewhere_may_settle_a_task(api: LiveApi) -> None:
    task = twins(api)
    decision = {
        "kind": "different",
        "left": [each["record"] for each in task["left"]],
        "right": [each["person_id"] for each in task["right"]],
        "reason": "-",
        "evidence_digest": task["evidence_digest"],
    }
    stale = {"task": task["task"], "revision": task["revision"] + 1}
    status, _ = api.refusal("POST", "decisions", decision | {"answers": stale})
    assert status == 409
    answers = {"task": task["task"], "revision": task["revision"]}
    decided = api.post("decisions", decision | {"answers": answers})
    assert api.get(f"tasks/{task['task']}")["decision"] == decided["decision"]


def test_an_answer_is_given_once_whoever_is_first(api: LiveApi) -> None:
    task = twins(api)
    body = answer(task, "different")
    path = f"/v1/tasks/{task['task']}:decide"
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(api.client.post, path, json=body) for _ in range(8)]
    statuses = sorted(each.result().status_code for each in sent)
    assert statuses == [200] + [409] * 7


def test_an_overlay_is_answered_as_a_correction(api: LiveApi) -> None:
    task = overlay(api)
    assert task["replies"] == ["correction", "another_human"]
    assert len(task["held"]) == 1
    status, _ = api.refusal("POST", f"tasks/{task['task']}:decide", answer(task, "same"))
    assert status == 422
    api.post(f"tasks/{task['task']}:decide", answer(task, "correction"))
    assert api.get(f"tasks/{task['task']}")["state"] == "decided"


def test_an_answer_to_what_has_changed_is_refused(api: LiveApi) -> None:
    task = twins(api)
    source, _, local_id = task["left"][0]["record"].partition(":")
    content = task["left"][0]["content"]
    api.put(
        f"{source}/{local_id}",
        content | {"event_at": "2026-03-01T00:00:00Z", "phone": "01305 251150"},
    )
    told = answer(task, "different", revision=api.get(f"tasks/{task['task']}")["revision"])
    status, detail = api.refusal("POST", f"tasks/{task['task']}:decide", told)
    assert (status, "what the left records say" in detail) == (409, True), detail


def test_a_claim_is_a_lease(api: LiveApi) -> None:
    task = twins(api)["task"]
    claimed = api.post(f"tasks/{task}:claim")
    assert claimed["state"] == "claimed"
    assert claimed["lease_until"] == "2026-03-03T09:15:00Z"
    assert task in numbers(api, mine=True, state="claimed")
    api.clock.at = START + timedelta(minutes=16)
    assert api.get(f"tasks/{task}")["state"] == "open"
    assert task in numbers(api, state="open")
    assert task not in numbers(api, mine=True)
    api.clock.at = START


def test_a_claimed_task_is_others_to_leave(api: LiveApi) -> None:
    task = twins(api)
    with api.store.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE task SET claimed_by = 'x' WHERE number = {task['task']}"
        )
    api.post(f"tasks/{task['task']}:claim")
    with api.store.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE task SET claimed_by = 'x' WHERE number = {task['task']}"
        )
    for act, body in (("claim", None), ("release", None), ("note", {"revision": 1})):
        status, detail = api.refusal("POST", f"tasks/{task['task']}:{act}", body)
        assert (status, detail) == (409, "task: somebody else is working on it")


def test_a_parked_task_comes_back(api: LiveApi) -> None:
    task = twins(api)["task"]
    parked = api.post(f"tasks/{task}:park", {"until": "2026-03-10T09:00:00+01:00"})
    assert (parked["state"], parked["parked_until"]) == ("parked", "2026-03-10T08:00:00Z")
    assert task in numbers(api, state="parked")
    api.clock.at = START + timedelta(days=8)
    assert task in numbers(api, state="open")
    api.clock.at = START
    assert api.post(f"tasks/{task}:release")["state"] == "open"


def test_a_noted_task_is_closed_without_a_decision(api: LiveApi) -> None:
    task = twins(api)
    late = {"revision": task["revision"] + 1}
    status, detail = api.refusal("POST", f"tasks/{task['task']}:note", late)
    assert (status, f"revision {task['revision']} now" in detail) == (409, True)
    noted = api.post(f"tasks/{task['task']}:note", {"revision": task["revision"]})
    assert (noted["state"], noted["decision"]) == ("decided", None)


def test_the_list_is_paged_and_narrowed(api: LiveApi) -> None:
    made = {twins(api)["task"], overlay(api)["task"]}
    seen: list[int] = []
    cursor = None
    while cursor is not None or not seen:
        page = api.get("tasks", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [each["task"] for each in page["tasks"]]
        cursor = page["next_cursor"]
    assert made <= set(seen)
    assert len(seen) == len(set(seen)) == sum(page["open_counts"].values())
    assert len(made & set(numbers(api, type="overlay"))) == 1
    assert len(made & set(numbers(api, source="poole-council"))) == 1


def numbers(api: LiveApi, **query: Any) -> list[int]:
    return [each["task"] for each in api.get("tasks", **query)["tasks"]]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        pytest.param("GET", "tasks/999999", None, 404, "task", id="unknown"),
        pytest.param("POST", "tasks/999999:claim", None, 404, "task", id="claim unknown"),
        pytest.param("GET", "tasks?cursor=CANARY", None, 422, "cursor", id="cursor"),
        pytest.param("GET", "tasks?limit=101", None, 422, "limit: is too large", id="limit"),
        pytest.param("GET", "tasks?type=CANARY", None, 422, "type", id="type"),
        pytest.param("POST", "tasks/{}:park", {"until": "CANARY"}, 422, "until", id="no instant"),
        pytest.param(
            "POST", "tasks/{}:park", {"until": "2020-01-01T00:00:00Z"}, 422, "until", id="past"
        ),
        pytest.param("POST", "tasks/{}:note", {}, 422, "revision: is missing", id="no revision"),
        pytest.param(
            "POST",
            "tasks/{}:decide",
            {"reply": "same", "reason": "-", "revision": 1},
            422,
            "evidence_digest",
            id="no evidence",
        ),
        pytest.param(
            "POST",
            "tasks/{}:decide",
            {"reply": "correction", "reason": "-", "revision": 1},
            422,
            "replies",
            id="wrong reply",
        ),
    ],
)
def test_bad_requests_are_refused(
    api: LiveApi, method: str, path: str, body: Any, status: int, words: str
) -> None:
    asked = path.format(twins(api)["task"])
    refused, detail = api.refusal(method, asked, body)
    assert (refused, words in detail) == (status, True), detail
    assert "CANARY" not in detail
