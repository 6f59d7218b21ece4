"""How common a value is, and what that adds to the weight of agreeing on it.

Two records that share a rare family name are more likely one person than two that share SMITH. On
a level with a frequency, u (the share of non-matches that fall there) is multiplied by
`frequency / chance`, where chance is the probability that two random records agree on the field:

    adjusted u = u * max(frequency, frequency_min) / chance
    adjustment = log2(u) - log2(adjusted u)                       (bits, added to the weight)

If the two sides hold different values, the more common one counts; if one is missing, the other.
A value that training did not see has the field's `unseen` frequency. A full name that is not
listed has the product of its parts' frequencies: names are nearly independent, and nobody can
list every combination. Splink gets the adjusted u as a `tf_` column, written by the SQL here.

Sources: Fellegi & Sunter 1969, DOI 10.1080/01621459.1969.10501049; Winkler 2000, Frequency-based
matching in Fellegi-Sunter model of record linkage (US Census RR2000/06).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from mpi.domain.records import ComparisonRecord
from mpi.linkage.comparators import double_sql
from mpi.linkage.model import Comparison, Level, Model

Frequencies = Mapping[str, Mapping[str, float]]
"""Field -> value -> share of the region's records (among those informed) that hold it, 0..1."""

_FULL_NAME: Final = "full_name"
_FULL_NAME_PARTS: Final = ("given_name", "family_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyColumn:
    """The adjusted u of one level, for each record: the column `tf_<name>` of Splink's input.

    `u`, `frequency_min` and `chance` are probabilities (see above).
    """

    name: str
    """`<comparison>__<level>`."""
    field: str
    u: float
    frequency_min: float
    chance: float

    def adjusted_u(self, frequency: float) -> float:
        """u, a probability, if the agreed value has this frequency.

        The same operations in the same order as the SQL, so that it is the same double.
        """
        return self.u * max(frequency, self.frequency_min) / self.chance

    def adjustment_bits(self, frequency: float) -> float:
        """What the frequency adds to the level's weight; negative for common values."""
        return math.log2(self.u) - math.log2(self.adjusted_u(frequency))


def frequency_column(model: Model, comparison: Comparison, level: Level) -> FrequencyColumn | None:
    """The column of a level, or None if its weight depends on no frequency."""
    if level.frequency is None:
        return None
    return FrequencyColumn(
        name=f"{comparison.name}__{level.name}",
        field=level.frequency,
        u=level.u,
        frequency_min=level.frequency_min,
        chance=model.chance_agreement[level.frequency],
    )


def frequency_columns(model: Model) -> tuple[FrequencyColumn, ...]:
    """All columns of a model, in the order of its comparisons and levels."""
    columns = (
        frequency_column(model, comparison, level)
        for comparison in model.comparisons
        for level in comparison.levels
    )
    return tuple(column for column in columns if column)


class FrequencyReader(NamedTuple):
    """How the frequency of a field's value is found."""

    fields: tuple[str, ...]
    """What is read of a record."""
    read: Callable[..., float | None]
    """Takes the values of those fields; None if the record has no value."""

    def of(self, record: ComparisonRecord) -> float | None:
        """The frequency of a record's value, 0..1; None if the record has no value."""
        return self.read(*[getattr(record, field) for field in self.fields])


def frequency_reader(model: Model, frequencies: Frequencies, field: str) -> FrequencyReader:
    """The reader of a field of the model's, `full_name` included.

    Args:
        model: Its `unseen_frequency` is what values that are not listed have.
        frequencies: Field -> value -> share of people, 0..1.
        field: One of `model.frequency_fields`; any other raises KeyError.
    """
    table = frequencies.get(field, {})
    unseen = model.unseen_frequency[field]
    if field == _FULL_NAME and _has_parts(model):
        return _full_name_reader(model, frequencies, table)

    def read(value: str | None) -> float | None:
        return None if value is None else table.get(value, unseen)

    return FrequencyReader((field,), read)


def _full_name_reader(
    model: Model, frequencies: Frequencies, table: Mapping[str, float]
) -> FrequencyReader:
    given, family = (frequencies.get(part, {}) for part in _FULL_NAME_PARTS)
    given_unseen, family_unseen = (model.unseen_frequency[part] for part in _FULL_NAME_PARTS)
    unseen = model.unseen_frequency[_FULL_NAME]

    def read(
        full_name: str | None, given_name: str | None, family_name: str | None
    ) -> float | None:
        if full_name is None:
            return None
        listed = table.get(full_name)
        if listed is not None:
            return listed
        if given_name is None or family_name is None:
            return unseen
        return given.get(given_name, given_unseen) * family.get(family_name, family_unseen)

    return FrequencyReader((_FULL_NAME, *_FULL_NAME_PARTS), read)


def records_with_frequencies_sql(
    model: Model,
    *,
    records: str = "records",
    frequencies: str = "frequencies",
    columns: str = "records.*",
) -> str:
    """The query that adds every `tf_` column to a table of comparison records.

    Args:
        model: Its levels name the fields.
        records: Table with the comparison fields as columns.
        frequencies: Table `field, value, frequency`, each value listed once.
        columns: What else to select; the table goes by the name `records`.

    Returns:
        A query of a row for each record: `columns`, then a `tf_` column for each frequency column.
    """
    joins = "".join(
        f"\nleft join {frequencies} as of_{field}"
        f" on of_{field}.field = '{field}' and of_{field}.value = records.{field}"
        for field in _joined_fields(model)
    )
    selected = "".join(
        f",\n  {_adjusted_u_sql(model, column)} as tf_{column.name}"
        for column in frequency_columns(model)
    )
    return f"select {columns}{selected}\nfrom {records} as records{joins}"


def _joined_fields(model: Model) -> tuple[str, ...]:
    fields = dict.fromkeys(model.frequency_fields)
    if _FULL_NAME in fields and _has_parts(model):
        fields.update(dict.fromkeys(_FULL_NAME_PARTS))
    return tuple(fields)


def _has_parts(model: Model) -> bool:
    return all(part in model.unseen_frequency for part in _FULL_NAME_PARTS)


def _adjusted_u_sql(model: Model, column: FrequencyColumn) -> str:
    frequency = (
        f"greatest({_frequency_sql(model, column.field)}, {double_sql(column.frequency_min)})"
    )
    adjusted = f"{double_sql(column.u)} * {frequency} / {double_sql(column.chance)}"
    return f"case when records.{column.field} is not null then {adjusted} end"


def _frequency_sql(model: Model, field: str) -> str:
    unseen = double_sql(model.unseen_frequency[field])
    if field != _FULL_NAME or not _has_parts(model):
        return f"coalesce(of_{field}.frequency, {unseen})"
    product = " * ".join(_frequency_sql(model, part) for part in _FULL_NAME_PARTS)
    informed = " and ".join(f"records.{part} is not null" for part in _FULL_NAME_PARTS)
    return f"coalesce(of_{field}.frequency, case when {informed} then {product} else {unseen} end)"
