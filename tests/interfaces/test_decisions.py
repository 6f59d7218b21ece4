"""Stewards decide over HTTP: previewed, refused when it contradicts, taken back without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mpi.storage.engine import Store
from tests.live_api import LiveApi, live_api, somebody

LATER = "2026-02-05T09:00:00Z"
GP = "sources/gp/records"
BAD = (somebody(), somebody())
TRUSTED = [{"nhs_number": n, "nhs_number_status": "01"} for n in ("9990000018", "9990000026")]


@pytest.fixture(scope="module")
def api(module_store: Store) -> Iterator[LiveApi]:
    with live_api(module_store) as served:
        yield served


def two(api: LiveApi, name: str, **changes: Any) -> tuple[str, str]:
    """The ids of two persons who have nothing in common; records gp:<name>-1 and gp:<name>-2."""
    left = api.put(f"gp/{name}-1", somebody())["person_id"]
    return left, api.put(f"gp/{name}-2", somebody())["person_id"]


def same(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "same", "left": [f"gp:{name}-1"], "right": [f"gp:{name}-2"], "reason": "-"} | (
        more
    )


def test_a_decision_is_previewed_taken_read_and_taken_back(api: LiveApi) -> None:
    left, right = two(api, "walk")
    would = api.post("decisions:preview", same("walk"))
    assert (would["decision"], len(would["after"])) == (0, 1)
    assert api.get(f"persons/{right}")["person_id"] == right
    decided = api.post("decisions", same("walk", evidence_digest=would["evidence_digest"]))
    assert decided["after"] == {left: ["gp:walk-1", "gp:walk-2"]}
    assert decided["merged"] == {right: left}
    assert api.get(f"persons/{right}")["asked_id"] == right
    number = decided["decision"]
    read = api.get(f"decisions/{number}")
    assert (read["left"], read["right"], read["person_ids"]) == (
        ["gp:walk-1"],
        ["gp:walk-2"],
        [left],
    )
    back = api.post(f"decisions/{number}:preview-retraction", {"reason": "-"})
    assert set(back["after"]) == {left, right}
    api.post(f"decisions/{number}:retract", {"reason": "mistaken"})
    assert api.get(f"persons/{right}")["asked_id"] is None
    assert api.get(f"decisions/{number}")["retraction_reason"] == "mistaken"
    status, detail = api.refusal("POST", f"decisions/{number}:retract", {"reason": "-"})
    assert (status, "retracted before" in detail) == (409, True)


def test_persons_are_merged_and_split(api: LiveApi) -> None:
    left, right = two(api, "persons")
    merged = api.post(f"persons/{left}:merge", {"person_id": right, "reason": "-"})
    assert list(merged["after"]) == [left]
    parted = {"records": ["gp:persons-2"], "reason": "-"}
    status, detail = api.refusal("POST", f"persons/{left}:split", parted)
    assert (status, "the same person" in detail) == (409, True)
    api.post(f"decisions/{merged['decision']}:retract", {"reason": "-"})
    status, detail = api.refusal("POST", f"persons/{left}:split", parted)
    assert (status, detail) == (422, "records: must all belong to the person")
    told = somebody()
    person = api.put("gp/split-1", told)["person_id"]
    api.put("poole-council/split-2", told)
    split = api.post(
        f"persons/{person}:split", {"records": ["poole-council:split-2"], "reason": "-"}
    )
    assert sorted(map(len, split["after"].values())) == [1, 1]


def test_a_person_id_that_is_out_of_use_is_refused(api: LiveApi) -> None:
    left, right = two(api, "stale")
    api.post("decisions", same("stale"))
    status, detail = api.refusal(
        "POST", f"persons/{right}:merge", {"person_id": left, "reason": "-"}
    )
    assert (status, "no longer in use" in detail) == (409, True)


def test_changed_evidence_is_refused_with_what_changed(api: LiveApi) -> None:
    two(api, "changed")
    seen = api.post("decisions:preview", same("changed"))["evidence_digest"]
    content = api.get(f"{GP}/changed-2")["content"]
    api.put("gp/changed-2", content | {"event_at": LATER, "phone": "01305 251150"})
    status, detail = api.refusal("POST", "decisions", same("changed", evidence_digest=seen))
    assert status == 409
    assert detail.endswith("since it was shown: what the right records say")


def test_two_numbers_need_a_word(api: LiveApi) -> None:
    for n, number in enumerate(TRUSTED, 1):
        api.put(f"gp/numbers-{n}", somebody(**number))
    status, detail = api.refusal("POST", "decisions", same("numbers"))
    assert (status, "supersedes" in detail) == (422, True)
    successions = {TRUSTED[1]["nhs_number"]: TRUSTED[0]["nhs_number"]}
    decided = api.post("decisions", same("numbers", supersedes=successions))
    assert api.get(f"decisions/{decided['decision']}")["supersedes"] == successions
    api.post(f"decisions/{decided['decision']}:retract", {"reason": "-"})
    api.post("decisions", same("numbers", wrong_numbers=["gp:numbers-2"]))


def test_a_held_version_is_judged(api: LiveApi) -> None:
    api.put("gp/verdict", somebody())
    other = somebody(event_at=LATER)
    api.put("gp/verdict", other)
    verdict = {"record": "gp:verdict", "verdict": "another_human", "reason": "A reused number."}
    assert api.post("verdicts:preview", verdict)["decision"] == 0
    decided = api.post("verdicts", verdict)
    assert api.get(f"{GP}/verdict")["content"]["family_name"] == other["family_name"]
    assert api.get(f"decisions/{decided['decision']}")["record"] == "gp:verdict"
    status, detail = api.refusal("POST", "verdicts", verdict)
    assert (status, "not held" in detail) == (409, True)


def test_decisions_are_paged(api: LiveApi) -> None:
    for name in ("page-a", "page-b"):
        two(api, name)
        api.post("decisions", same(name))
    first = api.get("decisions", limit=1)
    second = api.get("decisions", limit=1, after=first["next_after"])
    assert second["decisions"][0]["decision"] > first["decisions"][0]["decision"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param("decisions", {}, 422, "body.kind: is missing", id="empty"),
        pytest.param("decisions", same("x", kind="CANARY"), 422, "body.kind", id="kind"),
        pytest.param("decisions", same("x", reason=" "), 422, "body.reason", id="no reason"),
        pytest.param("decisions", same("x", reason="a\0b"), 422, "body.reason", id="NUL"),
        pytest.param("decisions", same("x", reason="\ud800"), 422, "body.reason", id="surrogate"),
        pytest.param("decisions", same("x", left=["CANARY"]), 422, "person_id", id="bad id"),
        pytest.param("decisions", same("never"), 404, "record", id="unknown record"),
        pytest.param("decisions", same("bad", right=["gp:bad-1"]), 422, "both sides", id="overlap"),
        pytest.param("decisions", same("bad", left=[]), 422, "left, right", id="no side"),
        pytest.param("decisions", same("bad", surprise=1), 422, "not known here", id="unknown"),
        pytest.param(
            "decisions",
            same("bad", supersedes={"CANARY": "1"}),
            422,
            "supersedes",
            id="no NHS number",
        ),
        pytest.param(
            "decisions", same("bad", evidence_digest="CANARY"), 422, "evidence_digest", id="digest"
        ),
        pytest.param(
            "decisions", same("bad", answers={"task": 10**6, "revision": 1}), 404, "task", id="task"
        ),
        pytest.param("decisions/0:retract", {"reason": "-"}, 422, "number", id="no number"),
        pytest.param("decisions/999999:retract", {"reason": "-"}, 404, "decision", id="unknown no"),
        pytest.param(
            "verdicts",
            {"record": "gp:bad-1", "version": "CANARY", "verdict": "correction", "reason": "-"},
            404,
            "version",
            id="unknown version",
        ),
        pytest.param(
            "verdicts",
            {"record": "gp:bad-1", "verdict": "correction", "reason": "-"},
            409,
            "not held",
            id="nothing held",
        ),
    ],
)
def test_bad_decisions_are_refused(
    api: LiveApi, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    for n, told in enumerate(BAD, 1):
        api.put(f"gp/bad-{n}", told)
    refused, detail = api.refusal("POST", path, body)
    assert (refused, words in detail) == (status, True), detail
    assert "CANARY" not in detail
