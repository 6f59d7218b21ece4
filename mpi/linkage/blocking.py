"""Which records become pairs: two that share a blocking key, the same key on every path.

A rule's key is a hash of its name and one value of each of its fields; a record with several
values (its history) has a key for each combination. Keys on the frozen stop list belong to values
that too many records share: they are replaced by tighter keys, which carry further fields, and
dropped where those are missing or are themselves on the list.

The keys of one record would lie all over a store's index, and each costs a page to read and to
write. So a rule may say by which of its first values its keys are adjacent: the upper half of the
number is a hash of these alone, the same for every rule that begins with these fields.

The key function and its SQL stand side by side, and `tests/parity` holds them together. MD5 (RFC
1321) is used because DuckDB has it too; nothing depends on it being hard to reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import md5
from itertools import product
from operator import attrgetter
from typing import Any, Final

from mpi.domain.records import SCALAR_FIELDS, ComparisonRecord
from mpi.limits import BLOCKING_KEYS_MAX, HISTORY_VALUES_MAX
from mpi.linkage.model import BlockingRule

_SEPARATOR: Final = "\x1f"
"""No value holds it: values are `A-Z0-9`, spaces and a little punctuation."""

_LOWER: Final = (1 << 31) - 1
"""The bits that tell apart keys that are adjacent, of which there are hundreds."""
_UPPER: Final = ((1 << 63) - 1) ^ _LOWER
_ANCHORS_MAX: Final = 65_536
NO_STOP_LIST: Final[frozenset[int]] = frozenset()

BlockingKeys = Callable[[ComparisonRecord], frozenset[int]]


def blocking_keys(
    record: ComparisonRecord,
    rules: Iterable[BlockingRule],
    stop_list: Collection[int] = NO_STOP_LIST,
) -> frozenset[int]:
    """All keys of one record: 63-bit numbers, never negative. See `compile_blocking`."""
    return compile_blocking(rules, stop_list)(record)


def compile_blocking(
    rules: Iterable[BlockingRule], stop_list: Collection[int] = NO_STOP_LIST
) -> BlockingKeys:
    """The function that gives a record's keys, for callers with many records.

    Args:
        rules: The model's blocking rules.
        stop_list: The release's stop-listed keys, a set.

    Returns:
        Record -> its keys of all rules, as `blocking_keys` gives them; empty if no rule applies.
    """
    anchor = lru_cache(_ANCHORS_MAX)(_anchor)
    compiled = [_compile_rule(rule, stop_list, anchor) for rule in rules]

    def keys_of(record: ComparisonRecord) -> frozenset[int]:
        keys: list[int] = []
        for add_keys in compiled:
            add_keys(record, keys)
        return frozenset(keys)

    return keys_of


def values_max(fields: Sequence[str]) -> int:
    """Values of each history field that enter a key's combinations, the first of them.

    The largest number whose combinations stay within `BLOCKING_KEYS_MAX`.
    """
    histories = len(fields) - len(SCALAR_FIELDS.intersection(fields))
    most = HISTORY_VALUES_MAX
    while most**histories > BLOCKING_KEYS_MAX:
        most -= 1
    return most


def _compile_rule(
    rule: BlockingRule, stop_list: Collection[int], anchor: Callable[[str], int]
) -> Callable[[ComparisonRecord, list[int]], None]:
    combine = _combiner(rule.fields)
    tighten = _combiner(rule.tighten) if rule.tighten else None
    prefix = rule.name + _SEPARATOR
    key_of = _adjacent(rule, anchor) if rule.adjacent_by else _hash

    def add_keys(record: ComparisonRecord, keys: list[int]) -> None:
        for values in combine(record):
            text = prefix + values
            key = key_of(text)
            if key not in stop_list:
                keys.append(key)
            elif tighten:
                tighter = (key_of(text + _SEPARATOR + more) for more in tighten(record))
                keys.extend(key for key in tighter if key not in stop_list)

    return add_keys


def _adjacent(rule: BlockingRule, anchor: Callable[[str], int]) -> Callable[[str], int]:
    """The key of a text that begins with the rule's name and the values by which it is adjacent."""
    count = len(rule.adjacent_by)
    names = _SEPARATOR.join(rule.adjacent_by)

    def key_of(text: str) -> int:
        values = text.split(_SEPARATOR, count + 1)[1 : count + 1]
        return anchor(_SEPARATOR.join((names, *values))) | _hash(text) & _LOWER

    return key_of


def _anchor(text: str) -> int:
    return _hash(text) & _UPPER


def _combiner(fields: tuple[str, ...]) -> Callable[[ComparisonRecord], Iterable[str]]:
    """The function that gives the combinations of a record's values, each as one text."""
    most = values_max(fields)
    if len(fields) == 1 and fields[0] in SCALAR_FIELDS:
        return lambda record: _texts(getattr(record, fields[0]))
    if len(fields) == 1:
        return lambda record: getattr(record, fields[0])[:most]
    values_of = attrgetter(*fields)

    def combine(record: ComparisonRecord) -> Iterable[str]:
        columns: list[Any] = []
        for value in values_of(record):
            if not value:
                return ()
            columns.append((value,) if isinstance(value, str) else value[:most])
        return map(_SEPARATOR.join, product(*columns))

    return combine


def _texts(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _hash(text: str) -> int:
    """The last 63 bits of MD5, so that the number is positive in a signed column."""
    digest = md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> 1


def blocking_sql(
    rule: BlockingRule, *, records: str = "records", stop_list: str | None = None
) -> str:
    """The query that gives the rows `record, rule, key` of one rule, the same keys as Python's.

    Args:
        rule: One blocking rule.
        records: Table with the integer column `record` and the comparison fields.
        stop_list: Table with the column `key`; None if nothing is stop-listed.
    """
    base = _exploded_sql(
        f"select record, {_columns(rule, rule.fields)} from {records}", rule.fields
    )
    text = f"'{rule.name}' || chr(31) || " + _joined_sql(rule.fields)
    keyed = f"select *, {text} as key_text, {_key_sql(rule, 'key_text')} as key from ({base})"
    selected = f"select record, '{rule.name}' as rule, key"
    if stop_list is None:
        return f"{selected} from ({keyed})"
    listed = f"(select key from {stop_list})"
    kept = f"{selected} from keyed where key not in {listed}"
    if rule.tighten:
        kept += (
            f"\nunion all {selected} from ({_tighter_sql(rule, listed)}) where key not in {listed}"
        )
    return f"with keyed as materialized ({keyed})\n{kept}"


def _columns(rule: BlockingRule, fields: tuple[str, ...]) -> str:
    """The rule's fields, histories cut to their first values; those to tighten by renamed."""
    columns = [_cut(field, fields, field) for field in fields]
    columns += [_cut(field, rule.tighten, f"tighten_{field}") for field in rule.tighten]
    return ", ".join(columns)


def _cut(field: str, fields: tuple[str, ...], name: str) -> str:
    value = field if field in SCALAR_FIELDS else f"{field}[1:{values_max(fields)}]"
    return f"{value} as {name}"


def _exploded_sql(query: str, fields: tuple[str, ...], prefix: str = "") -> str:
    """The query with a row for each combination; unnesting two lists at once would pair them."""
    for field in fields:
        name = prefix + field
        if field in SCALAR_FIELDS:
            query = f"select * from ({query}) where {name} is not null"
        else:
            query = f"select * replace (unnest({name}) as {name}) from ({query})"
    return query


def _tighter_sql(rule: BlockingRule, listed: str) -> str:
    base = _exploded_sql(
        f"select * exclude (key) from keyed where key in {listed}", rule.tighten, "tighten_"
    )
    text = "key_text || chr(31) || " + _joined_sql([f"tighten_{field}" for field in rule.tighten])
    return f"select record, {_key_sql(rule, text)} as key from ({base})"


def _joined_sql(columns: Iterable[str]) -> str:
    return " || chr(31) || ".join(columns)


def _key_sql(rule: BlockingRule, text: str) -> str:
    if not rule.adjacent_by:
        return _hash_sql(text)
    anchor = _joined_sql([*(f"'{field}'" for field in rule.adjacent_by), *rule.adjacent_by])
    return f"(({_hash_sql(anchor)} & {_UPPER}) | ({_hash_sql(text)} & {_LOWER}))"


def _hash_sql(text: str) -> str:
    # Not md5_number_upper, which takes five times as long.
    return f"(md5_number({text}) >> 65)::bigint"


def pairs_sql(*, keys: str = "blocking_keys") -> str:
    """The query that gives each pair of records with a key in common once, the smaller left.

    Args:
        keys: Table with the columns `record` and `key`.

    Returns:
        A query of the columns `join_key_l, join_key_r, match_key` that Splink expects.
    """
    return f"""select distinct l.record as join_key_l, r.record as join_key_r, '0' as match_key
from {keys} as l join {keys} as r on l.key = r.key and l.record < r.record"""


def crowded_keys_sql(*, keys: str = "blocking_keys", records_max: int) -> str:
    """The query of the columns `key, records_count` for keys that too many records hold.

    Args:
        keys: Table with the columns `record` and `key`.
        records_max: Keys held by more rows than this are given.
    """
    return f"""select key, count(*) as records_count
from {keys} group by key having count(*) > {records_max}"""
