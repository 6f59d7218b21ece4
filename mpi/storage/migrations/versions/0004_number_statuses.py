"""Several decisions may say the same of a number, so that each can be retracted alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAME = "uq_nhs_number_status_in_force"
_IN_FORCE = sa.text("retracted_at IS NULL")


def upgrade() -> None:
    _replace_index("nhs_number", "decision")


def downgrade() -> None:
    # One statement is enough for the program of the schema before, which knows of no other.
    op.execute(
        "UPDATE nhs_number_status SET retracted_at = recorded_at WHERE retracted_at IS NULL "
        "AND EXISTS (SELECT 1 FROM nhs_number_status AS said WHERE said.retracted_at IS NULL "
        "AND said.nhs_number = nhs_number_status.nhs_number "
        "AND said.number < nhs_number_status.number)"
    )
    _replace_index("nhs_number")


def _replace_index(*columns: str) -> None:
    op.drop_index(_NAME, "nhs_number_status")
    op.create_index(
        _NAME,
        "nhs_number_status",
        list(columns),
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    )
