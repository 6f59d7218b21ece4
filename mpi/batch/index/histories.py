"""Records that are more than one version: what counts of them, and what their history adds.

A version that contradicts the ones before it does not count until a steward says so
(`mpi.linkage.overlay`); most versions bring an address and contradict nothing, which shows at once
for all of them together. What has counted before stays evidence: its values stand behind those of
the live version, as in `mpi.standardise.record`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from mpi.batch.bulk_tables import insert_rows
from mpi.batch.feeds.version_rows import version_from_row
from mpi.batch.index.compared import COMPARED_COLUMNS, compared_sql
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import DELETION, TUPLE_FIELDS, RecordVersion
from mpi.limits import HISTORY_VALUES_MAX
from mpi.linkage.overlay import AcceptedVersions, accept_versions
from mpi.linkage.vetoes import NameRule

ENTERED_IN_ERROR: Final = "entered_in_error"
"""Why a version does not count that its source withdrew; the other reasons are vetoes."""
LIVE_LISTS: Final = frozenset({"given_forms"})
"""Lists that come from the live version alone."""
_HISTORY_FIELDS: Final = sorted(TUPLE_FIELDS - LIVE_LISTS)


def fold_histories(
    connection: duckdb.DuckDBPyConnection, trust: NumberTrust, name_rule: NameRule
) -> None:
    """Add to `records` those of the table `history`.

    Leaves the tables `left_out` (place, reason), the versions that are held or entered in error,
    and `live` (record, place), the live version of every live record.

    Args:
        connection: Holds `version`, `history`, `records` and what `read_told` made.
        trust: Which NHS numbers are trusted.
        name_rule: Of the model; tells a correction from another human.
    """
    connection.execute(_ALONE_SQL)
    connection.execute(_QUIET_SQL)
    _judge_others(connection, trust, name_rule)
    connection.execute(_LIVE_SQL)
    for macro in _MACROS:
        connection.execute(macro)
    connection.execute(_WITH_HISTORY_SQL)
    connection.execute("drop table alone")


_IN_HISTORY: Final = (
    "place in (select place from version join history on history.record = survivor)"
)
_ALONE_SQL: Final = f"""
create table alone as
select version.survivor as record, version.record as told_by, event_at, sequence, digest, is_error,
    verdict, compared.*
from ({compared_sql(_IN_HISTORY)})
    as compared
join version using (place)
"""

# Where nothing that a veto reads ever changed, no version can speak against another.
_QUIET_SQL: Final = f"""
create table accepted as
with quiet as (
    select record from alone group by record
    having count(distinct row(birth_date, given_name, birth_order)) = 1 and count(verdict) = 0
        and not bool_or(is_error or digest = '{DELETION}'))
select record, place from alone semi join quiet using (record)
"""

_JUDGED_SQL: Final = """
select version.place, version.survivor as record, version.source, event_at, sequence, digest,
    content, is_error, verdict
from version join history on history.record = survivor
where survivor not in (select record from accepted)
order by survivor
"""


def _judge_others(
    connection: duckdb.DuckDBPyConnection, trust: NumberTrust, name_rule: NameRule
) -> None:
    """Adds to `accepted`; makes `left_out`."""
    # Through Arrow: DuckDB's own instants in Python would need a further package.
    rows = connection.sql(_JUDGED_SQL).to_arrow_table().to_pylist()
    histories: dict[int, list[tuple[int, RecordVersion]]] = {}
    for row in rows:
        place, record = row.pop("place"), row.pop("record")
        version = version_from_row(local_id=str(record), **row)
        histories.setdefault(record, []).append((place, version))
    accepted: list[tuple[int, int]] = []
    left_out: list[tuple[int, str]] = []
    for record, placed in histories.items():
        judged = accept_versions([version for _, version in placed], trust, name_rule)
        left_out.extend(_left_out(placed, judged))
        if judged.record is not None:
            counted = {version.order for version in judged.record.versions}
            accepted.extend((record, place) for place, told in placed if told.order in counted)
    _insert(connection, "accepted", accepted, (pa.int64(), pa.int64()))
    connection.execute("create table left_out (place bigint, reason varchar)")
    _insert(connection, "left_out", left_out, (pa.int64(), pa.string()))


def _left_out(
    placed: Sequence[tuple[int, RecordVersion]], judged: AcceptedVersions
) -> Iterator[tuple[int, str]]:
    """The versions that are held or entered in error, by their place, and why."""
    held = {each.version.order: str(each.reason) for each in judged.held}
    record = judged.record
    accepted = {each.order for each in record.versions} if record else set()
    for place, version in placed:
        if version.order in held:
            yield place, held[version.order]
        elif version.order in accepted:
            continue
        elif version.is_entered_in_error or not (record is None or version.is_deletion):
            yield place, ENTERED_IN_ERROR


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[tuple[Any, ...]],
    types: Sequence[pa.DataType],
) -> None:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    insert_rows(connection, table, pa.table(arrays, names=[str(n) for n in range(len(types))]))


# Of equal versions that of the record registered first, as `mpi.services.restate` has it.
_LIVE_SQL: Final = """
create table live as
select record, arg_max(place, (event_at, sequence, digest, -told_by)) as place
from accepted join alone using (record, place) group by record
union all
select survivor, place from version anti join history on history.record = survivor
"""

_MACROS: Final = (
    # As `mpi.standardise.record` adds earlier values to the live version's own.
    f"""create or replace macro mpi_with_earlier(own, every) as (
        case when len(every) = len(own) then own
        else list_concat(every[1:least(len(own), 1)],
            list_sort(every[least(len(own), 1) + 1:{HISTORY_VALUES_MAX}])) end)""",
)
# One sorted list of structures, not a sorted list of each field.
_VERSIONS: Final = ", ".join(f"'{name}': coalesce({name}, [])" for name in _HISTORY_FIELDS)
_LISTS: Final = ", ".join(
    f"flatten(list_transform(versions, lambda each: each.{name})) as {name}"
    for name in _HISTORY_FIELDS
)


def _with_earlier(name: str) -> str:
    if name not in _HISTORY_FIELDS:
        return f"alone.{name}"
    own = f"coalesce(alone.{name}, [])"
    return f"mpi_filled(mpi_with_earlier({own}, mpi_distinct(every.{name}))) as {name}"


_WITH_HISTORY_SQL: Final = f"""
insert into records by name
with told as (
    select record,
        list({{{_VERSIONS}}} order by event_at desc, sequence desc, digest desc) as versions
    from accepted join alone using (record, place) group by record),
every as (select record, {_LISTS} from told)
select record, {", ".join(map(_with_earlier, COMPARED_COLUMNS))}
from every join live using (record) join alone using (record, place)
"""
