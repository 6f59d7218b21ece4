"""`mpi train`: feeds to an immutable model release with its card."""

from __future__ import annotations

import copy
import math
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from mpi.batch.engines import open_engine
from mpi.batch.estimate import Training, estimate_model
from mpi.batch.extract import build_record_tables, empty_store_table, extract_feeds
from mpi.batch.feeds import list_feeds
from mpi.batch.model_card import write_card
from mpi.batch.progress import Progress
from mpi.batch.thresholds import ChosenThresholds, choose_thresholds
from mpi.config import Settings, read_source_systems
from mpi.errors import Conflict, InvalidInput, InvalidModel
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.vetoes import compile_name_rule
from mpi.storage.releases import write_release


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What was written."""

    folder: Path
    digest: str
    records: int
    thresholds: ChosenThresholds

    def summary(self) -> str:
        """A few lines for a terminal."""
        return (
            f"Trained on {self.records:,} records.\n"
            f"Release {self.folder} written, digest {self.digest[:12]}; "
            f"links from {self.thresholds.link_bits:+.1f} bits, "
            f"questions from {self.thresholds.review_bits:+.1f}.\n"
            f"Read {self.folder / 'MODEL_CARD.md'} before anyone uses it."
        )


def train(folder: Path, *, spec: Path, out: Path, version: str, progress: Progress) -> TrainReport:
    """Estimate the spec's parameters from a folder of feeds and write release `out/version`.

    Raises:
        InvalidInput: If a feed as a whole cannot be read, or the spec is wrong.
        Conflict: If the release exists: releases never change.
    """
    if (out / version).exists():
        raise Conflict(f"model release {version}: exists already, and releases never change")
    tables = _read_spec(spec)
    start = model_from_spec(tables, version=version, digest="")
    sources = read_source_systems()
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="mpi-") as work, open_engine(settings) as connection:
        extract_feeds(
            list_feeds(folder, sources),
            work_folder=Path(work),
            progress=progress,
        )
        empty_store_table(connection)
        build_record_tables(
            connection,
            parts=Path(work),
            trust=start.number_trust,
            name_rule=compile_name_rule(start.given_names_agree),
        )
        _check_numbers(connection, folder)
        training = estimate_model(connection, start, progress=progress)
    chosen = _thresholds(training)
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
    return TrainReport(
        folder=out / version, digest=digest, records=training.records, thresholds=chosen
    )


def _check_numbers(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Without numbers on both sides there is nothing to learn from, matching pairs or others."""
    ((repeated, distinct),) = connection.execute(
        """select count(trusted_nhs_number) - count(distinct trusted_nhs_number),
            count(distinct trusted_nhs_number) from records"""
    ).fetchall()
    if not repeated or distinct < 2:
        raise InvalidInput(
            f"{folder}: too few records share a trusted NHS number to train a model from them"
        )


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
