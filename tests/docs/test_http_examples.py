"""The examples of docs/interfaces/http.md, asked of a real server: it answers as the page says.

`PYTHONPATH=. python tests/docs/test_http_examples.py` writes the answers of a run into the page.
What differs between runs (person ids, instants) is compared by its form only; weights and the
digest of evidence follow from the model, so they must be the page's, or its reader is refused.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from mpi.storage.engine import create_store
from tests.serving import serving

PAGE: Final = Path(__file__).parents[2] / "docs" / "interfaces" / "http.md"
_BLOCK: Final = re.compile(r"```\n(curl .*?)```(?:\n```json\n(.*?)```)?", re.DOTALL)
_VOLATILE: Final = (
    (re.compile(r'"P[0-9A-Z]{13}"'), '"P"'),
    (re.compile(r'"20\d\d-\d\d-\d\dT[0-9:.]+Z"'), '"T"'),
)
_PERSON: Final = re.compile(r'"(P[0-9A-Z]{13})"')
_EVIDENCE: Final = re.compile(r'"evidence_digest": "([0-9a-f]{32})"')
_WIDTH: Final = 112


@dataclass(frozen=True, slots=True)
class Example:
    """A command of the page, and what the page says that it prints."""

    words: tuple[str, ...]
    printed: str | None


def examples(page: str) -> Iterator[Example]:
    """Every command, one after the other; a continued line is one line."""
    for block, printed in _BLOCK.findall(page):
        commands = re.split(r"\n(?=curl )", block.replace("\\\n", " ").strip())
        for command in commands:
            last = printed if command is commands[-1] else None
            yield Example(tuple(shlex.split(command)), last or None)


def answers(page: str, address: str, headers: dict[str, str]) -> Iterator[tuple[Example, str]]:
    """What a server answers to each; evidence and ids of an example are those of this run."""
    known: dict[str, str] = {}
    with httpx2.Client(base_url=address, headers=headers, timeout=30) as client:
        for example in examples(page):
            response = _sent(client, example.words, known)
            assert response.status_code == 200, f"{example.words}: {response.text}"
            known |= _named(example.printed or "", response.text)
            if "/tasks?" in example.words[-1]:
                task = client.get("/v1/tasks/1").json()
                known[_EVIDENCE.findall(page)[0]] = task["evidence_digest"]
            yield example, response.text


def _named(printed: str, answered: str) -> dict[str, str]:
    """Which id of this run stands for which id of the page."""
    return dict(zip(_PERSON.findall(printed), _PERSON.findall(answered), strict=False))


def _sent(client: Any, words: tuple[str, ...], known: dict[str, str]) -> Any:
    method, address, body = None, "", None
    rest = iter(words[1:])
    for word in rest:
        if word in ("-X", "-d", "-H"):
            value = next(rest)
            method, body = (value, body) if word == "-X" else (method, body)
            body = value if word == "-d" else body
        else:
            address = word.replace("$H", "/v1")
    for ours, theirs in known.items():
        body = body.replace(ours, theirs) if body else body
    given = {"content": body, "headers": {"Content-Type": "application/json"}} if body else {}
    return client.request(method or ("POST" if body else "GET"), address, **given)


def form(text: str) -> Any:
    """An answer without what differs between runs."""
    compact = json.dumps(
        json.loads("".join(map(str.strip, text.splitlines()))), separators=(",", ":")
    )
    for pattern, name in _VOLATILE:
        compact = pattern.sub(name, compact)
    return json.loads(compact, object_pairs_hook=sorted)


def wrapped(text: str) -> str:
    """An answer in lines that can be read, broken where a text can not be torn."""
    compact = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    lines = [""]
    for part in re.split(r'(?<=,)(?=["{])', compact):
        if lines[-1].strip() and len(lines[-1]) + len(part) > _WIDTH:
            lines.append(" ")
        lines[-1] += part
    return "\n".join(lines)


def run(folder: Path) -> list[tuple[Example, str]]:
    """The page's commands and what a server over an empty store answers."""
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    create_store(url).close()
    with serving({"MPI_DATABASE_URL": url}) as (_, address, headers):
        return list(answers(PAGE.read_text("utf-8"), address, headers))


def test_the_server_answers_as_the_page_says(tmp_path: Path) -> None:
    shown = [(example, answer) for example, answer in run(tmp_path) if example.printed]
    assert len(shown) >= 6
    for example, answer in shown:
        assert form(answer) == form(example.printed or ""), " ".join(example.words)


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for example, answer in run(Path(folder)):
            if example.printed:
                page = page.replace(example.printed, wrapped(answer) + "\n", 1)
            if "/tasks/" in example.words[1]:
                digest = json.loads(answer)["evidence_digest"]
                page = _EVIDENCE.sub(f'"evidence_digest": "{digest}"', page)
    PAGE.write_text(page, "utf-8")
