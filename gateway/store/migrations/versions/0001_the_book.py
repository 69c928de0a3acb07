"""The book's first tables. Until the first release this revision follows `schema.py`; from then on every change is a revision of its own."""

from alembic import op

from gateway.store import audit
from gateway.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind())
    audit.protect(op.get_bind())
