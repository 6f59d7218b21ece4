"""`mpi label`: a sample of pairs for people to judge, and what their answers say of the index.

A region without trusted numbers, or one that does not believe in them, has no labels but those that
people give. The sample is stratified by weight, because nearly all pairs are plain and the few in
between decide; it is blind, because a clerk who sees the weight agrees with it. Two readers judge
the same pairs, and kappa says how far they agree beyond chance.

Sources: Cohen 1960, DOI 10.1177/001316446002000104; stratified estimates: Cochran 1977, chapter 5.
"""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from mpi.batch.link_output import check_outputs, write_whole
from mpi.errors import InvalidInput
from mpi.linkage.model import Thresholds
from mpi.storage.bulk import read_table
from mpi.storage.engine import Store

BAND_BITS: Final = 4
"""Width of a stratum."""
BANDS_MAX: Final = 3
"""Past so many bands above the link threshold all pairs are one stratum: they are plain."""
BLOCK_RECORDS_MAX: Final = 2_000
"""A key that more records share tells no pair apart."""
SHOWN: Final = (
    "given_name", "middle_name", "family_name", "date_of_birth", "sex", "address", "town",
    "postcode", "phone", "email", "nhs_number",
)  # fmt: skip
"""What a reader sees of each record."""
ANSWERS: Final = {"yes": True, "y": True, "no": False, "n": False}
UNSURE: Final = frozenset({"", "unsure", "?"})
Z_95: Final = 1.959963984540054
"""Standard deviations to either side of a two-sided 95 % interval (normal)."""
PAIR, ANSWER = "pair", "answer"
KEY_COLUMNS: Final = ("pair", "stratum", "stratum_pairs", "is_linked")


@dataclass(frozen=True, slots=True)
class _Pair:
    left: int
    right: int
    stratum: str
    is_linked: bool


def export_sample(
    store: Store, *, thresholds: Thresholds, out: Path, key: Path, pairs: int, seed: int
) -> int:
    """Write pairs to be judged, and the key that tells what they stand for.

    Args:
        store: Pairs are drawn from those that share a blocking key.
        thresholds: Of the model in force; strata do not cross them.
        out: CSV for the readers: `pair`, each record's fields, and an empty `answer`.
        key: CSV to keep from them: `pair`, `stratum`, `stratum_pairs`, `is_linked`.
        pairs: How many to draw, as evenly from all strata as they allow; at least 1.
        seed: Decides the sample.

    Returns:
        The number of pairs written.

    Raises:
        InvalidInput: If a file cannot be written, or the store has no pairs.
    """
    if pairs < 1:
        raise InvalidInput("pairs: must be at least 1")
    check_outputs(key, [out])
    check_outputs(out, [key])
    strata = _strata(store, thresholds)
    if not strata:
        raise InvalidInput("store: no two records share a blocking key, so there are no pairs")
    chance = random.Random(seed)
    chosen = _draw(strata, pairs, chance)
    chance.shuffle(chosen)
    sizes = {name: len(members) for name, members in strata.items()}
    write_whole([(out, _shown_table(store, chosen, chance)), (key, _key_table(chosen, sizes))])
    return len(chosen)


def _strata(store: Store, thresholds: Thresholds) -> dict[str, list[_Pair]]:
    """All pairs that share a blocking key, by band of weight and whether they share a person."""
    with duckdb.connect() as connection:
        for table, columns, where in (
            ("blocking_key", ("record", "key"), None),
            ("edge", ("left_record", "right_record", "match_weight_bits"), None),
            ("link", ("record", "person_id"), "valid_to IS NULL"),
        ):
            rows = (
                read_table(store, table, columns, where)
                if where
                else read_table(store, table, columns)
            )
            connection.register(f"stored_{table}", rows)
        rows = connection.execute(
            _STRATA_SQL,
            {
                "link": thresholds.link_bits,
                "band": BAND_BITS,
                "bands": BANDS_MAX,
                "block": BLOCK_RECORDS_MAX,
            },
        ).fetchall()
    strata: dict[str, list[_Pair]] = defaultdict(list)
    for left, right, band, is_linked in rows:
        name = f"{band}, {'linked' if is_linked else 'apart'}"
        strata[name].append(_Pair(left, right, name, is_linked))
    return strata


_STRATA_SQL: Final = """
with shared as (
    select distinct l.record as l, r.record as r from stored_blocking_key as l
    join stored_blocking_key as r on l.key = r.key and l.record < r.record
    where l.key not in (
        select key from stored_blocking_key group by key having count(*) > $block))
select l, r,
    case when match_weight_bits is null then 'below review'
        when match_weight_bits < $link then 'review'
        else 'link + ' || cast(
            least(floor((match_weight_bits - $link) / $band), $bands) * $band as int)
        end as band,
    coalesce(one.person_id = other.person_id, false) as is_linked
from shared
left join stored_edge as e
    on e.left_record = shared.l and e.right_record = shared.r
left join stored_link as one on one.record = l
left join stored_link as other on other.record = r
order by l, r
"""


def _draw(strata: Mapping[str, Sequence[_Pair]], pairs: int, chance: random.Random) -> list[_Pair]:
    """As many of each stratum; what a small one cannot give, the larger ones do."""
    chosen: list[_Pair] = []
    left = sorted(strata.values(), key=len)
    for place, members in enumerate(left):
        share = (pairs - len(chosen)) // (len(left) - place)
        chosen += chance.sample(members, min(share, len(members)))
    return chosen


def _shown_table(store: Store, pairs: Sequence[_Pair], chance: random.Random) -> pa.Table:
    contents = _contents(store)
    columns: dict[str, list[Any]] = {PAIR: list(range(1, len(pairs) + 1))}
    sides = [chance.sample((pair.left, pair.right), 2) for pair in pairs]
    for side, name in enumerate(("first", "second")):
        for field in SHOWN:
            cells = [contents[records[side]].get(field) or "" for records in sides]
            columns[f"{name}_{field}"] = cells
    columns[ANSWER] = [""] * len(pairs)
    return pa.table(columns)


def _contents(store: Store) -> dict[int, dict[str, Any]]:
    """Live version of each record, by record number."""
    records = read_table(store, "source_record", ("number", "live_version"), "state = 'live'")
    versions = read_table(store, "record_version", ("number", "content"))
    texts = dict(zip(*(versions[name].to_pylist() for name in ("number", "content")), strict=True))
    pairs = zip(*(records[name].to_pylist() for name in ("number", "live_version")), strict=True)
    return {record: orjson.loads(texts[version]) for record, version in pairs}


def _key_table(pairs: Sequence[_Pair], sizes: Mapping[str, int]) -> pa.Table:
    return pa.table(
        {
            "pair": list(range(1, len(pairs) + 1)),
            "stratum": [pair.stratum for pair in pairs],
            "stratum_pairs": [sizes[pair.stratum] for pair in pairs],
            "is_linked": ["yes" if pair.is_linked else "no" for pair in pairs],
        }
    )


@dataclass(frozen=True, slots=True)
class Share:
    """An estimate with its two-sided 95 % interval, all 0..1; None if nothing was judged."""

    value: float | None
    low: float = 0.0
    high: float = 1.0

    def __str__(self) -> str:
        if self.value is None:
            return "nothing was judged"
        return f"{self.value:.4f} (95 % interval {self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What the readers' answers say."""

    judged: int
    unsure: int
    """Pairs on which a reader was unsure, or the two disagree; they count in no rate."""
    kappa: float | None
    """Agreement beyond chance, of two readers; None if there is one."""
    precision: Share
    recall: Share
    """Of the true pairs that share a blocking key."""

    def summary(self) -> str:
        """For a terminal."""
        agreement = "one reader" if self.kappa is None else f"two readers, kappa {self.kappa:.3f}"
        return (
            f"{self.judged:,} pairs judged ({agreement}); {self.unsure:,} left out as unsure or "
            f"disputed.\nPrecision of links: {self.precision}.\n"
            f"Recall of links, among pairs that share a blocking key: {self.recall}."
        )


def import_answers(answers: Sequence[Path], key: Path) -> LabelReport:
    """Precision and recall of the index, by what one or two readers say of a sample.

    Args:
        answers: One or two CSV files as exported, with `answer` filled: yes, no, or unsure.
        key: The file that was exported with them.

    Raises:
        InvalidInput: If a file cannot be read, lacks a column, has an answer of another kind, or
            does not belong to the key.
    """
    if not 1 <= len(answers) <= 2:
        raise InvalidInput("answers: one or two files, one a reader")
    drawn = {row[PAIR]: row for row in _read(key, KEY_COLUMNS)}
    readers = [_answers(path, drawn) for path in answers]
    agreed = _agreed(drawn, readers)
    strata = _tally(drawn, agreed)
    return LabelReport(
        judged=len(agreed),
        unsure=len(drawn) - len(agreed),
        kappa=cohen_kappa(*readers) if len(readers) == 2 else None,
        precision=_ratio(strata, whole=lambda tally: tally.is_linked),
        recall=_ratio(strata, whole=lambda _: True, of_true=True),
    )


def _agreed(
    drawn: Mapping[str, object], readers: Sequence[Mapping[str, bool | None]]
) -> dict[str, bool]:
    """Pairs on which every reader says the same."""
    agreed: dict[str, bool] = {}
    for pair in drawn:
        verdicts = {reader.get(pair) for reader in readers}
        if len(verdicts) == 1 and None not in verdicts:
            agreed[pair] = True in verdicts
    return agreed


def cohen_kappa(one: Mapping[str, bool | None], other: Mapping[str, bool | None]) -> float:
    """Agreement beyond chance on the pairs that both judged, -1..1 (Cohen's kappa).

    Args:
        one: Pair -> same person, or None if the reader was unsure.
        other: Of the other reader, likewise.

    Returns:
        1 if they could not disagree, 0 if they judged no pair in common.

    Source: Cohen 1960, DOI 10.1177/001316446002000104.
    """
    both = [
        (verdict, other[pair])
        for pair, verdict in one.items()
        if verdict is not None and other.get(pair) is not None
    ]
    if not both:
        return 0.0
    seen = sum(left == right for left, right in both) / len(both)
    yes = [sum(bool(verdicts[side]) for verdicts in both) / len(both) for side in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    return 1.0 if chance == 1 else (seen - chance) / (1 - chance)


@dataclass(frozen=True, slots=True)
class _Tally:
    is_linked: bool
    pairs: int
    """In the whole index."""
    judged: int
    true: int


def _tally(drawn: Mapping[str, Mapping[str, str]], agreed: Mapping[str, bool]) -> list[_Tally]:
    members: dict[str, list[bool]] = defaultdict(list)
    facts: dict[str, tuple[bool, int]] = {}
    for pair, row in drawn.items():
        facts[row["stratum"]] = (row["is_linked"] == "yes", int(row["stratum_pairs"]))
        if pair in agreed:
            members[row["stratum"]].append(agreed[pair])
    return [
        _Tally(is_linked, pairs, len(members[name]), sum(members[name]))
        for name, (is_linked, pairs) in facts.items()
    ]


def _ratio(strata: Sequence[_Tally], *, whole: Any, of_true: bool = False) -> Share:
    """Linked true pairs over linked pairs, or over all true ones, from a stratified sample.

    The variance is the sum of the strata's, each share drawn a little towards one half so that a
    stratum without a single error is not taken for certain.
    """
    known = [tally for tally in strata if tally.judged and whole(tally)]
    true = {id(t): t.pairs * t.true / t.judged for t in known}
    linked = sum(true[id(t)] for t in known if t.is_linked)
    total = sum(true.values()) if of_true else float(sum(t.pairs for t in known))
    if not total:
        return Share(None)
    value = linked / total
    variance = sum(
        (t.pairs * ((t.is_linked - value) if of_true else 1.0) / total) ** 2 * _variance(t)
        for t in known
    )
    margin = Z_95 * math.sqrt(variance)
    return Share(value, max(value - margin, 0.0), min(value + margin, 1.0))


def _variance(tally: _Tally) -> float:
    share = (tally.true + 0.5) / (tally.judged + 1)
    unseen = 1 - tally.judged / tally.pairs
    return share * (1 - share) / tally.judged * unseen


def _answers(path: Path, drawn: Mapping[str, object]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for row in _read(path, (PAIR, ANSWER)):
        pair, answer = row[PAIR], row[ANSWER].strip().casefold()
        if pair not in drawn:
            raise InvalidInput(f"{path}: column pair: holds a pair that the key does not have")
        if answer not in ANSWERS and answer not in UNSURE:
            raise InvalidInput(f"{path}: column answer: must be yes, no or unsure")
        found[pair] = ANSWERS.get(answer)
    return found


def _read(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in columns if name not in (rows.fieldnames or ())]
            if missing:
                raise InvalidInput(f"{path}: has no column {', '.join(missing)}")
            yield from ({name: row[name] or "" for name in columns} for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path}: cannot be read as CSV in UTF-8") from error
