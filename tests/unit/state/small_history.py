"""A history of three migrations over the code's own first one: tables are added, remade and filled."""

from __future__ import annotations

import shutil
from pathlib import Path

from rdo.state.history import History

_SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("runs") as batch:
        batch.add_column(sa.Column("reason", sa.String(), nullable=False, server_default="none"))
        batch.alter_column("total", new_column_name="steps", existing_type=sa.Integer(), nullable=False)
"""

_THIRD = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    columns = sa.Column("id", sa.Integer(), primary_key=True), sa.Column("text", sa.String())
    table = op.create_table("notes", *columns)
    op.bulk_insert(table, [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}])
    op.execute("UPDATE runs SET reason = 'migrated'")
"""


def small_history(folder: Path) -> History:
    """Write the history and return it."""
    shutil.copytree(History().folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "versions").glob("v*.py"):
        if not file.name.startswith("v0001"):
            file.unlink()
    (folder / "versions" / "v0002_runs_have_reasons.py").write_text(_SECOND)
    (folder / "versions" / "v0003_notes.py").write_text(_THIRD)
    return History(folder)
