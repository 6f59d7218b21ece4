"""What Hypothesis draws: comparison records that are nearly alike, and models to compare them by.

Unrelated records teach little, since they fall on the last level of everything; so a pair is a
record and the same record with a few slips, gaps, exchanges and changes of value.
"""

import os
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from mpi.domain.records import COMPARISON_FIELDS, SCALAR_FIELDS, ComparisonRecord
from mpi.linkage.model import Model, model_from_spec

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "50"))
"""Examples of a property test; `MPI_EXAMPLES=5000` looks harder."""

LETTERS = "AEILNORST"
_DIGITS = "0123456789"
NAMES = ("ANN", "ANNA", "ANNE", "A", "LEON", "NOEL", "ELSIE", "LIESE", "ROSE LEE", "TEST|OR")

names = st.one_of(st.sampled_from(NAMES), st.text(LETTERS, min_size=1, max_size=12))
numbers = st.one_of(
    st.sampled_from(("9990000018", "9990000081")), st.text(_DIGITS, min_size=9, max_size=11)
)
dates = st.one_of(
    st.sampled_from(("1980-02-03", "1980-03-02", "1980-02", "1980", "2019-02-30")),
    st.dates().map(lambda date: date.isoformat()),
)


def texts_of(field: str) -> st.SearchStrategy[str]:
    """Values such as the field holds."""
    if field == "sex":
        return st.sampled_from("MF")
    if field == "birth_order":
        return st.sampled_from("12")
    if field in ("birth_month", "birth_day"):
        return st.sampled_from(("01", "02", "03", "12"))
    if field == "birth_year":
        return st.sampled_from(("1980", "1981", "2019"))
    if field == "birth_date":
        return dates
    return numbers if field in ("nhs_number", "trusted_nhs_number", "identifier") else names


def values_of(field: str, *, values_max: int = 3) -> st.SearchStrategy[Any]:
    """A value of a comparison record's field, missing now and then."""
    texts = texts_of(field)
    if field in SCALAR_FIELDS:
        return st.one_of(texts, texts, st.none())
    return st.lists(texts, max_size=values_max, unique=True).map(tuple)


@st.composite
def near_texts(draw: st.DrawFn, text: str) -> str:
    """The text a few slips away: characters dropped, added, replaced or exchanged."""
    characters = list(text)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(characters)))
        if draw(st.booleans()) and at + 1 < len(characters):
            characters[at : at + 2] = characters[at + 1], characters[at]
        else:
            letters = _DIGITS if text[:1].isdigit() else LETTERS
            inserted = draw(st.text(letters, max_size=1))
            characters[at : at + draw(st.integers(0, 1))] = inserted
    return "".join(characters) or text


@st.composite
def near_names(draw: st.DrawFn) -> tuple[str, str]:
    """A name and what became of it."""
    name = draw(names)
    return name, draw(near_texts(name))


def records(*, values_max: int = 3) -> st.SearchStrategy[ComparisonRecord]:
    """Comparison records whose fields need not agree with each other: no comparator may care."""
    fields = {field: values_of(field, values_max=values_max) for field in COMPARISON_FIELDS}
    return st.builds(ComparisonRecord, **fields)


@st.composite
def near_records(draw: st.DrawFn, record: ComparisonRecord) -> ComparisonRecord:
    """The record as another source may hold it."""
    fields = draw(st.lists(st.sampled_from(COMPARISON_FIELDS), max_size=8, unique=True))
    return replace(record, **{field: draw(_near_values(field, record)) for field in fields})


@st.composite
def near_pairs(draw: st.DrawFn) -> tuple[ComparisonRecord, ComparisonRecord]:
    """Two records that may well be one person's."""
    record = draw(records())
    return record, draw(near_records(record))


@st.composite
def _near_values(draw: st.DrawFn, field: str, record: ComparisonRecord) -> Any:
    """The field's value with slips, with values added, or another field's value (exchanges)."""
    value = getattr(record, field)
    if field in SCALAR_FIELDS:
        others = [getattr(record, other) for other in sorted(SCALAR_FIELDS)]
        informed = [other for other in others if other is not None]
        exchanged = st.sampled_from(informed) if informed else st.none()
        slips = near_texts(value) if value else values_of(field)
        return draw(st.one_of(slips, exchanged, st.none()))
    slips = [draw(near_texts(text)) for text in value]
    added = draw(st.lists(texts_of(field), max_size=2))
    return tuple(dict.fromkeys(draw(st.permutations([*slips, *added]))))


_SCALARS = sorted(SCALAR_FIELDS)
_FREQUENCY_FIELDS = ("given_name", "family_name", "full_name", "birth_date", "postcode")
_probabilities = st.floats(1e-9, 0.999)
_shares = st.floats(1e-8, 0.9)


@st.composite
def written_tests(draw: st.DrawFn) -> str:
    """One test in the model's grammar."""
    field, other = draw(st.permutations(COMPARISON_FIELDS))[:2]
    scalar, second, third = draw(st.permutations(_SCALARS))[:3]
    text = draw(
        st.sampled_from(
            (
                f"missing({field})",
                f"equal({scalar})",
                f"shared({field})",
                f"shared({field}, {other})",
                f"crossed({scalar}, {second})",
                f"similarity({field}) >= {draw(st.sampled_from((0.8, 0.88, 0.92, 1)))}",
                f"edits({field}) <= {draw(st.integers(0, 3))}",
                f"initial({field})",
                f"parts({scalar}, {second}, {third}) >= {draw(st.integers(1, 3))}",
                f"either_is_female({scalar})",
            )
        )
    )
    return draw(st.sampled_from(("", "", "not "))) + text


_conditions = st.lists(written_tests(), min_size=1, max_size=3).map(" and ".join)
_alternatives = st.lists(_conditions, min_size=1, max_size=3)


@st.composite
def _levels(draw: st.DrawFn, number: int) -> dict[str, Any]:
    level: dict[str, Any] = {
        "name": f"level_{number}",
        "words": f"level {number}",
        "when": draw(_alternatives),
        "m": draw(_probabilities),
        "u": draw(_probabilities),
    }
    if draw(st.booleans()):
        level["frequency"] = draw(st.sampled_from(_FREQUENCY_FIELDS))
        level["frequency_min"] = draw(st.sampled_from((0.0, 1e-6, 1e-3)))
    return level


@st.composite
def _comparisons(draw: st.DrawFn, number: int) -> dict[str, Any]:
    levels = [draw(_levels(at)) for at in range(draw(st.integers(1, 4)))]
    last = {"name": "else", "words": "else", "when": ["else"]}
    levels.append({**last, "m": draw(_probabilities), "u": draw(_probabilities)})
    missing = draw(st.lists(_conditions, max_size=2))
    return {"name": f"comparison_{number}", "missing": missing, "levels": levels}


@st.composite
def model_specs(draw: st.DrawFn) -> dict[str, Any]:
    """The mapping that a `spec.toml` would parse to; it need not make sense to be scored alike."""
    rules = [draw(_blocking_rules(number)) for number in range(draw(st.integers(1, 3)))]
    return {
        "name": "generated",
        "prior": draw(st.floats(1e-9, 0.5)),
        "thresholds": {
            "link_bits": 9.0,
            "review_bits": 4.0,
            "ambiguity_bits": 3.0,
            "component_records_max": 500,
        },
        "nhs_number": {"trusted_statuses": ["01"], "trusted_sources": []},
        "vetoes": {"given_names_agree": draw(_alternatives)},
        "frequencies": {
            field: {"chance": draw(_shares), "unseen": draw(_shares)} for field in _FREQUENCY_FIELDS
        },
        "comparisons": [draw(_comparisons(number)) for number in range(draw(st.integers(1, 4)))],
        "blocking": {"records_max": 300, "rules": rules},
    }


@st.composite
def _blocking_rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    fields = draw(st.lists(st.sampled_from(COMPARISON_FIELDS), min_size=1, max_size=6, unique=True))
    count = draw(st.integers(1, min(3, len(fields))))
    return {
        "name": f"rule_{number}",
        "fields": fields[:count],
        "tighten": fields[count:],
        "adjacent_by": fields[: draw(st.integers(0, count))],
    }


def models() -> st.SearchStrategy[Model]:
    """Models of any shape that the grammar allows."""
    return model_specs().map(lambda spec: model_from_spec(spec, version="0", digest="0" * 64))


@st.composite
def frequencies(draw: st.DrawFn) -> dict[str, dict[str, float]]:
    """Shares of some of the values that the records hold."""
    return {
        field: draw(st.dictionaries(texts_of(field), _shares, max_size=6))
        for field in _FREQUENCY_FIELDS
    }
