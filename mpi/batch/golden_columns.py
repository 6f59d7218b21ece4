"""Golden records of many persons at once: `mpi.domain.golden.survivorship`, by columns.

`survivorship` is the reference and what the live service runs. A region has millions of values to
choose between, so here each field's winners are found for all persons together: what decides is
made one number for each record, texts are places in their sorted order, and the JSON is put
together from pieces. A property test holds both to the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mpi.domain.demographics import (
    TEXT_FIELDS,
    PreviousAddress,
    PreviousName,
    RelatedPerson,
)
from mpi.domain.golden import FIELD_GROUPS, LISTS, RULES, VERIFIED_STATUS
from mpi.domain.records import content_json

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Trust = Mapping[str, Mapping[str, int]]
"""Source -> field -> 0..100."""
Uninformative = Mapping[str, Set[str]]
"""Field -> its texts that say nothing (see `mpi.standardise.informative`)."""

_PARTS: Final[Mapping[str, Callable[..., object]]] = {
    "previous_names": PreviousName,
    "previous_addresses": PreviousAddress,
    "related_people": RelatedPerson,
}
# One number holds what decides, the weightiest first: informative, trust, verified, recency.
_INFORMATIVE: Final = 1 << 60
_TRUST: Final = 1 << 50
_VERIFIED: Final = 1 << 49
_RECENCY: Final = _VERIFIED - 1
_RULE_TEXTS: Final = ("only", "agreed", *RULES)
_LAST: Final = np.iinfo(np.int64).max


def golden_json(records: pa.Table, trust: Trust, uninformative: Uninformative) -> list[str]:
    """The golden records of persons, in their order, as canonical JSON.

    Args:
        records: Sorted by `person` (numbers from 0 without gaps), source and local id, with
            `source`, `local_id`, `event_at`, `digest` of the live version and, for each field of
            `Demographics`, its JSON (of a list: a list of JSON); no field holds an empty text.
        trust: How far each source is believed.
        uninformative: What never hides another text.
    """
    people = _People.read(records, trust, uninformative)
    pieces: dict[str, pa.Array] = {}
    for names, _ in FIELD_GROUPS:
        pieces |= _settle(names, [_texts(records[name]) for name in names], people)
    for name in LISTS:
        pieces[name] = _entries(name, records[name].combine_chunks(), people)
    ordered = [pieces[name] for name in sorted(pieces)]
    # Each piece begins with a comma. (Arrow can skip nulls, but drops rows that are null alone.)
    joined = pc.binary_join_element_wise(*ordered, "", null_handling="replace", null_replacement="")
    trimmed = pc.ascii_ltrim(joined, characters=",")
    whole: list[str] = pc.binary_join_element_wise("{", trimmed, "}", "").to_pylist()
    return whole


@dataclass(frozen=True, slots=True)
class _People:
    """What every field asks of the records; arrays are by record unless they say otherwise."""

    person: Numbers
    starts: Numbers
    """By person: place of its first record."""
    source: Numbers
    sources: Sequence[str]
    recency: Numbers
    """Place of the event time among all."""
    before: pa.Array
    """The JSON of a value up to its rule."""
    after: pa.Array
    """The JSON of a value after it."""
    trust: Trust
    uninformative: Uninformative

    @classmethod
    def read(cls, records: pa.Table, trust: Trust, uninformative: Uninformative) -> _People:
        person = records["person"].to_numpy()
        sources = records["source"].combine_chunks().dictionary_encode()
        times = records["event_at"].cast(pa.int64()).to_numpy()
        _, recency = np.unique(times, return_inverse=True)
        keys = pc.binary_join_element_wise(records["source"], records["local_id"], ":")
        keys = _encoded(keys.combine_chunks())
        return cls(
            person,
            np.flatnonzero(np.diff(person, prepend=-1)),
            sources.indices.to_numpy().astype(np.int64),
            sources.dictionary.to_pylist(),
            recency.astype(np.int64),
            pc.binary_join_element_wise('{"record":', keys, ',"rule":"', ""),
            pc.binary_join_element_wise(
                ',"version":"', records["digest"].combine_chunks(), '"}', ""
            ),
            trust,
            uninformative,
        )

    def trust_in(self, field: str) -> Numbers:
        by_source = [self.trust.get(source, {}).get(field, 0) for source in self.sources]
        return np.array(by_source, dtype=np.int64)[self.source]

    def largest(self, values: Numbers) -> Numbers:
        """By person."""
        return np.maximum.reduceat(values, self.starts)

    def first(self, chosen: Flags) -> Numbers:
        """By person: place of the first record chosen; meaningless where none is."""
        places = np.where(chosen, np.arange(len(chosen)), _LAST)
        return np.minimum.reduceat(places, self.starts)


@dataclass(frozen=True, slots=True)
class _Texts:
    """One field of all records: places of texts in their sorted order, counted from 1."""

    place: Numbers
    """0 where the field is missing, as an empty text sorts."""
    json: pa.Array
    """By place: the text as JSON; null for a missing one."""
    texts: Sequence[str]
    """By place: the text; empty for a missing one."""


def _texts(column: pa.ChunkedArray) -> _Texts:
    coded = column.combine_chunks().dictionary_encode()
    pieces: list[str] = coded.dictionary.to_pylist()
    texts = [orjson.loads(piece) for piece in pieces]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place_of = np.zeros(len(texts) + 1, dtype=np.int64)
    place_of[order] = np.arange(1, len(texts) + 1)
    indices = coded.indices.fill_null(len(texts)).to_numpy()
    return _Texts(
        place_of[indices],
        pa.array([None, *(_canonical(pieces[at]) for at in order)], pa.string()),
        ["", *(texts[at] for at in order)],
    )


def _canonical(piece: str) -> str:
    """As `content_json` writes it; the bulk engine escapes control characters in another way."""
    return content_json(orjson.loads(piece)) if "\\" in piece else piece


def _encoded(texts: pa.Array) -> pa.Array:
    """Texts as JSON."""
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    odd = pc.match_substring_regex(texts, r'["\\]')
    if not pc.any(odd).as_py():
        return quoted
    kept = pc.if_else(odd, texts, None).to_pylist()
    mended = [None if text is None else json.dumps(text, ensure_ascii=False) for text in kept]
    return pc.coalesce(pa.array(mended, pa.string()), quoted)


def _settle(
    names: Sequence[str], columns: Sequence[_Texts], people: _People
) -> dict[str, pa.Array]:
    """The winners of fields that win together, as JSON by person."""
    joint, is_told = _joint(columns)
    told_count = np.add.reduceat(is_told.astype(np.int64), people.starts)
    most = people.largest(joint)
    least = np.minimum.reduceat(np.where(is_told, joint, _LAST), people.starts)
    agree = (most == least)[people.person]
    standing = people.trust_in(names[0]) * _TRUST + people.recency
    differing = is_told & ~agree
    informative = _informative(names, columns, people.uninformative) & differing
    verified = _verified(names, columns) & differing
    standing += informative * _INFORMATIVE + verified * _VERIFIED
    winner, best = _winners(is_told, standing, joint, agree, people)
    rule = np.where(told_count == 1, 0, 1)
    rivals = differing & (joint != joint[np.minimum(winner, len(joint) - 1)][people.person])
    rule = np.where(most == least, rule, _rules(best, standing, rivals, people))
    return _values(names, columns, winner, rule, told_count > 0, people)


def _joint(columns: Sequence[_Texts]) -> tuple[Numbers, Flags]:
    """One number for the texts of all these fields, in the order of their tuples."""
    joint = columns[0].place
    is_told = columns[0].place > 0
    for column in columns[1:]:
        joint = joint * len(column.texts) + column.place
        is_told = is_told | (column.place > 0)
    return joint, is_told


def _informative(
    names: Sequence[str], columns: Sequence[_Texts], uninformative: Uninformative
) -> Flags:
    """Whether any of the fields says something."""
    found = np.zeros(len(columns[0].place), dtype=bool)
    for name, column in zip(names, columns, strict=True):
        nothing = {"", *uninformative.get(name, ())}
        says = np.array([text not in nothing for text in column.texts])
        found |= says[column.place]
    return found


def _verified(names: Sequence[str], columns: Sequence[_Texts]) -> Flags:
    if names[0] != "nhs_number":
        return np.zeros(len(columns[0].place), dtype=bool)
    status = columns[1]
    return np.array([text == VERIFIED_STATUS for text in status.texts])[status.place]


def _winners(
    is_told: Flags, standing: Numbers, joint: Numbers, agree: Flags, people: _People
) -> tuple[Numbers, Numbers]:
    """By person: place of the winning record and its standing; the larger text settles a tie."""
    best = people.largest(np.where(is_told, standing, -1))
    is_best = is_told & (standing == best[people.person])
    text = people.largest(np.where(is_best, joint, -1))
    return people.first(is_best & (agree | (joint == text[people.person]))), best


def _rules(best: Numbers, standing: Numbers, rivals: Flags, people: _People) -> Numbers:
    """By person: what told the winner from the best of the other values; a place in the texts."""
    rival = people.largest(np.where(rivals, standing, -1))
    differs = best ^ np.maximum(rival, 0)
    by_bits = [
        (differs & _INFORMATIVE) != 0,
        (differs & (_INFORMATIVE - _TRUST)) != 0,
        (differs & _VERIFIED) != 0,
        (differs & _RECENCY) != 0,
    ]
    first = len(_RULE_TEXTS) - len(RULES)
    return np.select(by_bits, range(first, first + 4), default=first + 4)


def _values(
    names: Sequence[str],
    columns: Sequence[_Texts],
    winner: Numbers,
    rule: Numbers,
    is_known: Flags,
    people: _People,
) -> dict[str, pa.Array]:
    chosen = pa.array(np.where(is_known, winner, 0), mask=~is_known)
    before, after = people.before.take(chosen), people.after.take(chosen)
    rules = pa.array(_RULE_TEXTS).take(pa.array(rule))
    found = {}
    for name, column in zip(names, columns, strict=True):
        value = column.json.take(pa.array(column.place[np.where(is_known, winner, 0)]))
        found[name] = pc.binary_join_element_wise(
            f',"{name}":', before, rules, '","value":', value, after, ""
        )
    return found


def _entries(name: str, column: pa.ListArray, people: _People) -> pa.Array:
    """Every distinct entry, told by the most recent record that has it, the most recent first."""
    record = pc.list_parent_indices(column).to_numpy().astype(np.int64)
    coded = column.flatten().dictionary_encode()
    pieces: list[str] = coded.dictionary.to_pylist()
    order = sorted(range(len(pieces)), key=[_shown(name, piece) for piece in pieces].__getitem__)
    place_of = np.zeros(len(pieces), dtype=np.int64)
    place_of[order] = np.arange(len(pieces))
    entry = place_of[coded.indices.to_numpy()] if len(pieces) else record
    person, recency = people.person[record], people.recency[record]
    by_entry = np.lexsort((record, -recency, entry, person))
    same = (np.diff(person[by_entry]) == 0) & (np.diff(entry[by_entry]) == 0)
    kept = by_entry[np.concatenate(([True], ~same))[: len(by_entry)]]
    kept = kept[np.lexsort((entry[kept], -recency[kept], person[kept]))]
    entries = pa.array([_canonical(pieces[at]) for at in order], pa.string())
    told = pa.array(record[kept])
    texts = pc.binary_join_element_wise(
        people.before.take(told),
        'listed","value":',
        entries.take(pa.array(entry[kept])),
        people.after.take(told),
        "",
    )
    counts = np.bincount(person[kept], minlength=len(people.starts))
    offsets = np.concatenate(([0], np.cumsum(counts)))
    lists = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts), ",")
    whole = pc.binary_join_element_wise(f',"{name}":[', lists, "]", "")
    return pc.if_else(pa.array(counts > 0), whole, None)


def _shown(name: str, piece: str) -> str:
    """What entries of one time are sorted by (see `mpi.domain.golden`)."""
    entry: Any = orjson.loads(piece)
    return repr(_PARTS[name](**entry) if name in _PARTS else entry)


assert set(TEXT_FIELDS) == {name for names, _ in FIELD_GROUPS for name in names}
