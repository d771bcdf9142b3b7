"""Tasks with their items and events, and what is known of each region."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SYNCING = sa.text("status = 'syncing'")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind(), server_default="0", nullable=False)


def _task_tables() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("region", sa.String(255), nullable=False),
        sa.Column("content", sa.String(32), server_default="images", nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("requester", sa.String(128), nullable=False),
        sa.Column("role", sa.String(128), server_default="", nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("names", JSON, nullable=True),
        sa.Column("counts", JSON, nullable=True),
        _number("items_total"),
        _number("items_done"),
        _number("bytes_total", sa.BigInteger),
        _number("bytes_done", sa.BigInteger),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        _number("attempt"),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("request_hash", sa.String(64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("modified_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_table(
        "task_items",
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("before", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        _number("sent_bytes", sa.BigInteger),
        _number("attempts"),
        sa.Column("transport", sa.String(32), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_task_items_task_id_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "position", name="pk_task_items"),
    )
    op.create_table(
        "task_events",
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_task_events_task_id_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_task_events"),
    )


def _task_indexes() -> None:
    op.create_index(
        "uq_tasks_active_region",
        "tasks",
        ["region", "content", "mode"],
        unique=True,
        sqlite_where=SYNCING,
        postgresql_where=SYNCING,
    )
    op.create_index("uq_tasks_idempotency_key", "tasks", ["requester", "idempotency_key"], unique=True)
    op.create_index("ix_tasks_region_created_at", "tasks", ["region", "created_at"])
    op.create_index("ix_tasks_created_at", "tasks", ["created_at", "id"])
    op.create_index("ix_tasks_finished_at", "tasks", ["finished_at"])
    op.create_index("ix_task_events_task_id", "task_events", ["task_id", "id"])


def _region_tables() -> None:
    op.create_table(
        "region_states",
        sa.Column("region", sa.String(255), nullable=False),
        sa.Column("content", sa.String(32), nullable=False),
        _number("revision", sa.BigInteger),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("planned_at", TIME, nullable=True),
        sa.Column("synced_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("region", "content", name="pk_region_states"),
    )
    op.create_table(
        "region_items",
        sa.Column("region", sa.String(255), nullable=False),
        sa.Column("content", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("source_status", sa.String(32), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("source_id", sa.String(255), nullable=True),
        sa.Column("destination_id", sa.String(255), nullable=True),
        sa.PrimaryKeyConstraint("region", "content", "position", name="pk_region_items"),
    )
    op.create_index("ix_region_items_name", "region_items", ["region", "content", "name"])


def upgrade() -> None:
    """Apply."""
    _task_tables()
    _task_indexes()
    _region_tables()


def downgrade() -> None:
    """Take back."""
    for table in ("region_items", "region_states", "task_events", "task_items", "tasks"):
        op.drop_table(table)
