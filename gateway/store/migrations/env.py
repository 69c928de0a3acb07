"""Alembic's environment: runs on the connection, and so in the transaction, that `database.migrate` hands in."""

from alembic import context

from gateway.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
