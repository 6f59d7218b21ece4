"""The charts of a training: weights of labelled pairs, m and u by level, calibration."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from mpi.batch.quality.calibration import calibration_table
from mpi.batch.quality.report_data import ReportData, WeightBin
from mpi.batch.training.estimate import Training
from mpi.batch.training.thresholds import ChosenThresholds
from mpi.linkage.model import Model


def training_report(
    model: Model, training: Training, chosen: ChosenThresholds, *, at: datetime
) -> ReportData:
    """What `mpi.batch.quality.report` draws of a training; counts only.

    Weights are those of labelled pairs, without the NHS number, under the training's own prior.
    """
    weights = training.weights + chosen.prior_offset_bits
    bits, counts = np.unique(np.floor(weights).astype(int), return_counts=True)
    return ReportData(
        created_at=at,
        model=model,
        records_count=training.records,
        persons_count=0,
        tasks_count=0,
        weights=tuple(
            WeightBin(from_bits=bit, pairs_count=count)
            for bit, count in zip(bits.tolist(), counts.tolist(), strict=True)
        ),
        completeness=(),
        group_sizes={},
        calibration=calibration_table(weights, training.labels),
        calibration_labels="trusted NHS numbers",
        is_training=True,
    )
