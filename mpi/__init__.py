"""A master patient index and record-linkage service for an English shared care record."""

__version__ = "0.1.0"
