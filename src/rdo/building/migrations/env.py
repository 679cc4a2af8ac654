"""How alembic reaches the database: over the connection that it is handed."""

from __future__ import annotations

from alembic import context

from rdo.building.state_model import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
