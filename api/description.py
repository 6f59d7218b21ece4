"""`/docs`: what the OpenAPI document says, as one page for people.

The pages that FastAPI brings load their scripts from elsewhere; beside people's records nothing
may run that this repository does not hold, and many networks of hospitals reach nothing outside.
So this page has no script at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.errors import PROBLEM_JSON

Schema = Mapping[str, Any]
"""Part of an OpenAPI document: names -> plain JSON values."""

router = APIRouter(include_in_schema=False)

_HEADERS: Final = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-top: 1px solid #999; padding-top: 1rem; margin-top: 2rem }
code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto }
h2 code { font-size: 1.1rem }
table { border-collapse: collapse; margin-bottom: 1rem }
td, th { text-align: left; vertical-align: top; padding: .15rem 1.2rem .15rem 0 }
"""


@router.get("/docs")
def describe(request: Request) -> Response:
    """This page; it needs nothing but itself."""
    page = description_page(request.app.openapi())
    return Response(page, headers=_HEADERS, media_type="text/html; charset=utf-8")


def description_page(document: Schema) -> str:
    """An OpenAPI 3.1 document as one HTML page without scripts or outer addresses.

    Args:
        document: All of it; every text in it is escaped.
    """
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    introduction = document["info"].get("description", "").replace("*", "").strip().split("\n\n")
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        *(f"<p>{escape(each)}</p>" for each in introduction),
        '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>',
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.extend(_operation(method.upper(), path, operation))
    parts.append('<h2 id="values">Values</h2>')
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        parts.extend(_schema(name, schema))
    return "\n".join([*parts, "</body></html>"])


def _operation(method: str, path: str, operation: Schema) -> Iterator[str]:
    yield f"<h2><code>{method} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
    parameters = [
        (
            f"<code>{escape(each['name'])}</code>",
            f"{escape(each['in'])}{'' if each.get('required') else ', optional'}",
            escape(each.get("description", "")),
        )
        for each in operation.get("parameters", ())
    ]
    if parameters:
        yield _table(("parameter", "in", ""), parameters)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<p>Send {_type(content['schema'])}.</p>"
        yield from _fields(content["schema"])
    answers = [
        (escape(status), escape(answer.get("description", "")), _content(answer))
        for status, answer in operation.get("responses", {}).items()
    ]
    yield _table(("status", "", "answer"), answers)


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
    yield from _fields(schema)


def _fields(schema: Schema) -> Iterator[str]:
    """What a value that is described in place consists of; nothing where it only is named."""
    if "description" in schema:
        yield f"<p>{escape(schema['description'])}</p>"
    if "enum" in schema:
        yield f"<p>One of <code>{escape(', '.join(map(str, schema['enum'])))}</code>.</p>"
    rows = [
        (f"<code>{escape(field)}</code>", _type(of), escape(of.get("description", "")))
        for field, of in schema.get("properties", {}).items()
    ]
    if rows:
        yield _table(("field", "", ""), rows)
    for each in schema.get("examples", ()):
        yield f"<pre>{escape(json.dumps(each, indent=2))}</pre>"


def _content(answer: Schema) -> str:
    """What an answer holds; problem details are the same everywhere."""
    types = [
        "problem details" if kind == PROBLEM_JSON else _type(of.get("schema", {}))
        for kind, of in answer.get("content", {}).items()
    ]
    return ", ".join(dict.fromkeys(types))


def _type(schema: Schema) -> str:
    """A value's type in words, with a link if it has a table of its own."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or "any value"))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    names = "".join(f"<th>{name}</th>" for name in head)
    return f"<table><tr>{names}</tr>{''.join(lines)}</table>"
