"""The tables of synchronisation: tasks with their items and events, and each region's last known state."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, Uuid, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, DatabaseTime, UtcDateTime

Json = JSON().with_variant(JSONB(), "postgresql")
RowNumber = BigInteger().with_variant(Integer, "sqlite")
NAME_CHARACTERS = 255


class Task(Base):
    """One run over one region, started over REST, the command line or a schedule (spec images 9.5).

    Attributes:
        id: time-based UUID, as clients of the original expect it.
        mode: ``sync``, ``dry_run`` or ``plan`` (only look what is there).
        status: ``syncing``, then ``synced`` or ``failed``.
        reason: why it failed, or what it left undone; empty when all is well.
        names: only these images; None for all.
        counts: number of items by status at the end.
        bytes_total: bytes that the plan brings; ``bytes_done`` of them are there.
        idempotency_key: given by the caller; with ``request_hash`` it makes a POST repeatable.

    """

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    region: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    content: Mapped[str] = mapped_column(String(32), server_default="images")
    mode: Mapped[str] = mapped_column(String(16))
    requester: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(128), server_default="")
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    names: Mapped[list[str] | None] = mapped_column(Json)
    counts: Mapped[dict[str, int] | None] = mapped_column(Json)
    items_total: Mapped[int] = mapped_column(Integer, server_default="0")
    items_done: Mapped[int] = mapped_column(Integer, server_default="0")
    bytes_total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    bytes_done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    job_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    idempotency_key: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))
    request_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=DatabaseTime())
    modified_at: Mapped[datetime] = mapped_column(UtcDateTime, default=DatabaseTime())
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# Written out, not bound: a database uses a partial index only where it can see the same words.
IS_SYNCING = Task.status == literal_column("'syncing'")

Index(
    "uq_tasks_active_region",
    Task.region,
    Task.content,
    Task.mode,
    unique=True,
    sqlite_where=IS_SYNCING,
    postgresql_where=IS_SYNCING,
)
Index("uq_tasks_idempotency_key", Task.requester, Task.idempotency_key, unique=True)
Index("ix_tasks_region_created_at", Task.region, Task.created_at)
Index("ix_tasks_created_at", Task.created_at, Task.id)
Index("ix_tasks_finished_at", Task.finished_at)


class TaskItem(Base):
    """What a task did to one item: the status before and after, and what it took."""

    __tablename__ = "task_items"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    before: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(32))
    result: Mapped[str] = mapped_column(String(16))
    sent_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    transport: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)


class TaskEvent(Base):
    """One thing that happened in a task, for those who follow it live; ``id`` rises with time."""

    __tablename__ = "task_events"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=DatabaseTime())


Index("ix_task_events_task_id", TaskEvent.task_id, TaskEvent.id)


class RegionState(Base):
    """What is known of a region and one kind of content.

    Attributes:
        revision: rises with every change of the region's items; what ETags are made of.
        planned_at: when the items were last compared with the master.
        synced_at: when a task last ended ``synced``.
        error: why the last look at the region failed.

    """

    __tablename__ = "region_states"

    region: Mapped[str] = mapped_column(String(NAME_CHARACTERS), primary_key=True)
    content: Mapped[str] = mapped_column(String(32), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")
    counts: Mapped[dict[str, int]] = mapped_column(Json)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)


class RegionItem(Base):
    """One item of a region as the last plan saw it; ``managed`` is false for images outside the plan."""

    __tablename__ = "region_items"

    region: Mapped[str] = mapped_column(String(NAME_CHARACTERS), primary_key=True)
    content: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(32))
    source_status: Mapped[str | None] = mapped_column(String(32))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    reasons: Mapped[list[str]] = mapped_column(Json)
    error: Mapped[str | None] = mapped_column(Text)
    source_id: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))
    destination_id: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))


Index("ix_region_items_name", RegionItem.region, RegionItem.content, RegionItem.name)
