"""How alembic reaches the database: over the connection that it is handed."""

from __future__ import annotations

from alembic import context

# The connection's owner has begun a transaction, and ends it: all migrations hold together or not at all.
context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
