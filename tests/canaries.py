"""A person whose every value is unique, and a working day in which every route does its work.

The day is done once by those who may; what it sent can then be sent again as anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.live_api import LiveApi

PERSON: Final = {
    "nhs_number": "9990000018", "nhs_number_status": "01", "given_name": "Xyzzygiven",
    "middle_name": "Xyzzymiddle", "family_name": "Xyzzyfamily", "date_of_birth": "1977-07-17",
    "sex": "F", "address": "77 Xyzzyhouse Lane", "town": "Xyzzytown", "postcode": "DT7 7QX",
    "phone": "01305 777177", "email": "xyzzymail@example.org", "title": "Xyzzytitle",
    "identifier": "XYZZY77177", "gp_practice": "X77177", "language": "xyzzylanguage",
    "other_phones": ["07700 900177"],
    "previous_names": [{"given_name": "Xyzzyearlier", "family_name": "Xyzzymaiden"}],
    "previous_addresses": [{"address": "7 Xyzzyformer Row", "postcode": "DT8 8QX"}],
    "related_people": [{"name": "Xyzzyrelative Xyzzykin", "phone": "01305 777277"}],
}  # fmt: skip
OTHER_NUMBER: Final = "9990000026"
TOKENS: Final = (
    "xyzzy", "9990000018", "999 000 0018", OTHER_NUMBER, "1977-07-17", "dt7 7qx", "dt77qx",
    "777177", "900177", "dt8 8qx", "777277", "x77177",
)  # fmt: skip
"""What is looked for, in small letters."""
LOCAL_ID: Final = "plugh-"
"""Local ids begin so: they may stand in a request's path, in answers and in ids of messages."""
EARLY, LATE = "2026-01-05T09:00:00Z", "2026-02-05T09:00:00Z"


def tokens_in(text: str, *, with_local_ids: bool = True) -> list[str]:
    """Which of them a text holds."""
    looked_for = (*TOKENS, LOCAL_ID) if with_local_ids else TOKENS
    return [token for token in looked_for if token in text.lower()]


@dataclass
class Day:
    """What is asked and told, so that others can ask the same."""

    api: LiveApi
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    refusals: list[Any] = field(default_factory=list)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that must succeed."""
        response = self.api.client.request(method, f"/v1/{path}", json=body)
        assert response.status_code == 200, f"{method} {path}: {response.text}"
        self._keep(method, path, body, response)
        return response.json()

    def refuse(self, method: str, path: str, body: Any = None) -> None:
        """A sound request that the state of things, or a rule, forbids."""
        response = self.api.client.request(method, f"/v1/{path}", json=body)
        assert 400 <= response.status_code < 500, f"{method} {path}: {response.text}"
        self._keep(method, path, body, response)
        self.refusals.append(response)

    def _keep(self, method: str, path: str, body: Any, response: Any) -> None:
        self.sent.append((method, path, body))
        assert not tokens_in(str(response.headers))


def work(day: Day) -> None:
    """Everything that the API can do to people, each in a way that succeeds."""
    persons = _register(day)
    _ask(day, persons)
    _work_on_tasks(day)
    _judge(day)
    _decide(day)
    _state_numbers(day)
    _merge_at_source(day)


def record(name: str, source: str = "gp") -> str:
    return f"sources/{source}/records/{LOCAL_ID}{name}"


def told(event_at: str = EARLY, **changes: Any) -> dict[str, Any]:
    return {"event_at": event_at, **PERSON} | changes


def somebody_else(name: str, **changes: Any) -> dict[str, Any]:
    """Another human, with nothing in common with the first but that all is made up."""
    born = f"19{40 + sum(map(ord, name)) % 50}-04-{1 + len(name) % 28:02}"
    return {
        "event_at": EARLY, "given_name": f"Xyzzy{name}", "family_name": f"{name}xyzzy",
        "date_of_birth": born, "address": f"{len(name)} Xyzzy{name} Road", "postcode": "DT9 9QX",
    } | changes  # fmt: skip


def _register(day: Day) -> dict[str, str]:
    first = day.send("PUT", record("1"), told())
    day.send("PUT", record("1"), told())
    batch = told() | {"source": "poole-council", "local_id": f"{LOCAL_ID}2"}
    wrong = {"source": "gp", "local_id": f"{LOCAL_ID}bad", "given_name": "Xyzzygiven"}
    day.send("POST", "records:batch", {"records": [batch, wrong]})
    day.refuse("PUT", record("1"), told(event_at="Xyzzynever"))
    day.refuse("PUT", record("1"), told(xyzzyfield="Xyzzyvalue"))
    day.refuse("PUT", record("1"), told(previous_names=[{"xyzzyname": "Xyzzyvalue"}]))
    other = day.send("PUT", record("other"), somebody_else("plover"))
    return {"person": first["person_id"], "other": other["person_id"]}


def _ask(day: Day, persons: dict[str, str]) -> None:
    person, key = persons["person"], f"gp:{LOCAL_ID}1"
    fields = ("given_name", "family_name", "date_of_birth", "postcode", "phone", "email")
    asked = {name: PERSON[name] for name in fields}
    for question in (
        {"demographics": asked}, {"nhs_number": PERSON["nhs_number"]}, {"record": key},
        {"person_id": person},
    ):  # fmt: skip
        day.send("POST", "resolve", question)
    for path in (
        f"persons/{person}", f"persons/{person}?as_of=2026-03-03T09:00:00Z",
        f"persons/{person}/records", f"persons/{person}/history", record("1"),
        f"sources/gp/histories/{LOCAL_ID}1", "changes?limit=100",
    ):  # fmt: skip
        day.send("GET", path)
    day.send("POST", "explain", {"left": key, "right": f"poole-council:{LOCAL_ID}2"})
    day.refuse("POST", "resolve", {"demographics": {"date_of_birth": 1977}})
    day.refuse("POST", "resolve", {"nhs_number": "999 000 001 Xyzzy"})
    day.refuse("POST", "explain", {"left": key, "right": f"gp:{LOCAL_ID}nobody"})
    day.refuse("GET", record("nobody"))


def _twins(day: Day, name: str) -> dict[str, Any]:
    """The open task about two people who look alike."""
    one = somebody_else(name)
    day.send("PUT", record(name), one)
    two = one | {"given_name": f"Zoexyzzy{name[::-1]}"}
    (number,) = day.send("PUT", record(name, "poole-council"), two)["tasks_opened"]
    task: dict[str, Any] = day.send("GET", f"tasks/{number}")
    return task


def _answer(task: dict[str, Any], reply: str) -> dict[str, Any]:
    shown = {name: task[name] for name in ("revision", "evidence_digest")}
    return {"reply": reply, "reason": "Xyzzyreason of a steward"} | shown


def _work_on_tasks(day: Day) -> None:
    task = _twins(day, "fee")
    path = f"tasks/{task['task']}"
    day.send("GET", "tasks?source=gp&limit=100")
    day.send("POST", f"{path}:claim")
    day.send("POST", f"{path}:park", {"until": "2026-03-10T09:00:00+01:00"})
    day.refuse("POST", f"{path}:park", {"until": "Xyzzytomorrow"})
    day.send("POST", f"{path}:release")
    task = day.send("GET", path)
    day.send("POST", f"{path}:preview", _answer(task, "same"))
    day.refuse("POST", f"{path}:decide", _answer(task, "different") | {"evidence_digest": "xyzzy"})
    day.send("POST", f"{path}:decide", _answer(task, "different"))
    day.refuse("POST", f"{path}:decide", _answer(task, "same"))
    noted = _twins(day, "foe")
    day.send("POST", f"tasks/{noted['task']}:note", {"revision": noted["revision"]})


def _judge(day: Day) -> None:
    """An overlay: what is said of a record is another human's."""
    day.send("PUT", record("fum"), somebody_else("fum"))
    day.send("PUT", record("fum"), somebody_else("foobar", event_at=LATE))
    verdict = {
        "record": f"gp:{LOCAL_ID}fum", "verdict": "correction", "reason": "Xyzzyreason",
    }  # fmt: skip
    day.send("POST", "verdicts:preview", verdict)
    day.send("POST", "verdicts", verdict)
    day.refuse("POST", "verdicts", verdict)


def _decide(day: Day) -> None:
    for name in ("bar", "bazzz"):
        day.send("PUT", record(name), somebody_else(name))
    keys = [f"gp:{LOCAL_ID}{name}" for name in ("bar", "bazzz")]
    decision = {"left": keys[:1], "right": keys[1:], "reason": "Xyzzyreason"}
    day.send("POST", "decisions:preview", decision | {"kind": "same"})
    number = day.send("POST", "decisions", decision | {"kind": "same"})["decision"]
    day.refuse("POST", "decisions", decision | {"kind": "different"})
    day.refuse("POST", "decisions", decision | {"kind": "Xyzzykind"})
    day.send("GET", "decisions?limit=100")
    day.send("GET", f"decisions/{number}")
    day.send("POST", f"decisions/{number}:preview-retraction", {"reason": "Xyzzyreason"})
    day.send("POST", f"decisions/{number}:retract", {"reason": "Xyzzyreason"})
    ids = [day.send("GET", record(name))["person_id"] for name in ("bar", "bazzz")]
    merge = {"person_id": ids[1], "reason": "Xyzzyreason"}
    merged = day.send("POST", f"persons/{ids[0]}:merge", merge)
    day.send("POST", f"decisions/{merged['decision']}:retract", {"reason": "Xyzzyreason"})
    (person,) = {day.send("GET", record(n, s))["person_id"] for n, s in (("1", "gp"),)}
    split = {"records": [f"poole-council:{LOCAL_ID}2"], "reason": "Xyzzyreason"}
    day.send("POST", f"persons/{person}:split", split)


def _state_numbers(day: Day) -> None:
    said = {"nhs_number": PERSON["nhs_number"], "status": "superseded", "successor": OTHER_NUMBER}
    day.send("POST", "nhs-numbers:preview", said)
    day.send("POST", "nhs-numbers:state", said)
    day.refuse("POST", "nhs-numbers:state", said | {"status": "Xyzzystatus"})
    day.refuse("POST", "nhs-numbers:state", {"nhs_number": "999000001Xyzzy", "status": "disputed"})
    day.send("POST", "nhs-numbers:retract", {"nhs_number": PERSON["nhs_number"]})


def _merge_at_source(day: Day) -> None:
    day.send("POST", f"{record('bar')}:merge", {"into": f"{LOCAL_ID}bazzz"})
    day.send("POST", f"{record('bar')}:unmerge")
    day.refuse("POST", f"{record('bar')}:merge", {"into": ""})
    day.send("DELETE", record("bar"))
