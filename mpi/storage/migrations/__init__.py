"""Alembic migrations of the schema, applied by `mpi store upgrade`."""
