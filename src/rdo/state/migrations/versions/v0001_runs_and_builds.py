"""Runs and builds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("finished", sa.DateTime()),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.String(), nullable=False),
    )
    op.create_table(
        "run_asked",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
    )
    op.create_table(
        "builds",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("package", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("input_hash", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("hint", sa.String()),
        sa.Column("log", sa.String()),
        sa.UniqueConstraint("run_id", "package", "stage", name="uq_builds_step"),
    )
    op.create_index("ix_builds_package", "builds", ["package"])
    op.create_table(
        "build_blocked_by",
        sa.Column("build_id", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("package", sa.String(), primary_key=True),
    )
    op.create_table(
        "artifacts",
        sa.Column("build_id", sa.Integer(), sa.ForeignKey("builds.id"), primary_key=True),
        sa.Column("filename", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Drop the first tables."""
    for name in ("artifacts", "build_blocked_by", "builds", "run_asked", "runs"):
        op.drop_table(name)
