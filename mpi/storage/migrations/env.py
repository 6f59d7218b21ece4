"""Alembic's entry: migrates over the connection that `mpi.storage.engine` hands it."""

from alembic import context

from mpi.storage.engine import REVISION_TABLE
from mpi.storage.trust_tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    version_table=REVISION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
