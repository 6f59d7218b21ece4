"""From records to an immutable model release, its thresholds and its card."""
