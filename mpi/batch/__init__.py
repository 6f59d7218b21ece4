"""Bulk work: feeds in, a store out, and the measurements around it; Splink and DuckDB live here."""
