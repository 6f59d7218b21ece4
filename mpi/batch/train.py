"""`mpi train`: feeds to an immutable model release with its card."""

from __future__ import annotations

import copy
import math
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import duckdb

from mpi.batch.engines import open_engine
from mpi.batch.estimate import Training, estimate_model
from mpi.batch.estimate_unlabelled import estimate_without_numbers
from mpi.batch.extract import build_record_tables, empty_store_table, extract_feeds
from mpi.batch.feeds import list_feeds
from mpi.batch.model_card import write_card
from mpi.batch.progress import Progress
from mpi.batch.report import write_report
from mpi.batch.thresholds import ChosenThresholds, choose_thresholds
from mpi.batch.training_report import training_report
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, read_source_systems
from mpi.errors import Conflict, InvalidModel
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.vetoes import compile_name_rule
from mpi.storage.releases import write_release

DISTINCT_NUMBERS_MIN: Final = 2
CHARTS_FILE: Final = "charts.html"
"""Beside the card, and like it no part of the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What was written."""

    folder: Path
    digest: str
    records: int
    thresholds: ChosenThresholds
    is_labelled: bool

    def summary(self) -> str:
        """A few lines for a terminal."""
        labels = "NHS numbers as labels" if self.is_labelled else "no labels (no number is shared)"
        return (
            f"Trained on {self.records:,} records, with {labels}.\n"
            f"Release {self.folder} written, digest {self.digest[:12]}; "
            f"links from {self.thresholds.link_bits:+.1f} bits, "
            f"questions from {self.thresholds.review_bits:+.1f}.\n"
            f"Read {self.folder / 'MODEL_CARD.md'} before anyone uses it, and look at "
            f"{self.folder / CHARTS_FILE}."
        )


def train(
    folder: Path,
    *,
    spec: Path,
    out: Path,
    version: str,
    progress: Progress,
    clock: Clock | None = None,
) -> TrainReport:
    """Estimate the spec's parameters from a folder of feeds and write release `out/version`.

    Where records share trusted NHS numbers, these are the labels; else m and u come from
    expectation and maximisation, as in `mpi link`.

    Raises:
        InvalidInput: If a feed as a whole cannot be read, or too few records are alike.
        InvalidModel: If the spec is wrong.
        Conflict: If the release exists: releases never change.
        StorageUnavailable: If memory or disk runs out, or the release cannot be written.
    """
    if (out / version).exists():
        raise Conflict(f"model release {version}: exists already, and releases never change")
    tables = _read_spec(spec)
    start = model_from_spec(tables, version=version, digest="")
    with feeds_standardised(folder, start, progress=progress) as connection:
        estimated = estimate_model if _has_labels(connection) else estimate_without_numbers
        training = estimated(connection, start, progress=progress)
    chosen, at = _thresholds(training), (clock or SystemClock()).now()
    model = replace(
        training.model,
        thresholds=replace(
            start.thresholds, link_bits=chosen.link_bits, review_bits=chosen.review_bits
        ),
    )
    digest = write_release(
        out / version,
        spec=spec_with_parameters(tables, model),
        frequencies=training.frequencies,
        stop_list=training.stop_list,
        card=write_card(model, training, chosen),
    )
    page = training_report(replace(model, digest=digest), training, chosen, at=at)
    write_report(out / version / CHARTS_FILE, data=page)
    return TrainReport(
        folder=out / version,
        digest=digest,
        records=training.records,
        thresholds=chosen,
        is_labelled=training.is_labelled,
    )


@contextmanager
def feeds_standardised(
    folder: Path, model: Model, *, progress: Progress
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables `records` (a row for each live record) of a folder of feeds.

    Beside it lie the tables of `mpi.batch.extract.build_record_tables`; there is no store.

    Raises:
        InvalidInput: If a feed as a whole cannot be read.
        StorageUnavailable: If memory or disk runs out.
    """
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="mpi-") as work, open_engine(settings) as connection:
        extract_feeds(
            list_feeds(folder, read_source_systems()),
            work_folder=Path(work),
            progress=progress,
        )
        empty_store_table(connection)
        build_record_tables(
            connection,
            parts=Path(work),
            trust=model.number_trust,
            name_rule=compile_name_rule(model.given_names_agree),
        )
        yield connection


def _has_labels(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether records share trusted numbers, and others differ: then the numbers teach."""
    ((repeated, distinct),) = connection.execute(
        """select count(trusted_nhs_number) - count(distinct trusted_nhs_number),
            count(distinct trusted_nhs_number) from records"""
    ).fetchall()
    return bool(repeated) and distinct >= DISTINCT_NUMBERS_MIN


def _read_spec(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidModel(f"{path}: cannot be read as TOML") from error


def _thresholds(training: Training) -> ChosenThresholds:
    prior = training.prior
    offset = math.log2(prior / (1 - prior)) - training.model.prior_bits
    return choose_thresholds(
        training.weights,
        training.labels,
        spec=training.model.thresholds,
        prior_offset_bits=offset,
    )


def spec_with_parameters(tables: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """The spec's tables with the model's values: what a release's `parameters.json` holds."""
    spec = copy.deepcopy(dict(tables))
    for table, comparison in zip(spec["comparisons"], model.comparisons, strict=True):
        for entry, level in zip(table["levels"], comparison.levels, strict=True):
            entry["m"], entry["u"] = level.m, level.u
    spec["frequencies"] = {
        field: {"chance": model.chance_agreement[field], "unseen": unseen}
        for field, unseen in model.unseen_frequency.items()
    }
    spec["thresholds"] |= {
        "link_bits": model.thresholds.link_bits,
        "review_bits": model.thresholds.review_bits,
    }
    return spec
