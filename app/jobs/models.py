"""The tables of this part, and what a worker knows of the job it holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    false,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, DatabaseTime, UtcDateTime

DEFAULT_LANE = "default"
REGION_PREFIX = "region."


class JobState(StrEnum):
    """Where a job stands; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Job(Base):
    """One piece of work.

    Attributes:
        lane: who may take it: ``default``, or ``region.<name>`` for workers that stand there.
        due_at: not before this time; empty: at once, whatever the clock does.
        attempt: how often it was taken; with the id it is what fences writes, so it never falls.
        max_attempts: the attempt that is the last one when it fails.
        lease_until: when the holder's word runs out unless it is renewed.
        dedupe_key: among waiting and running jobs no two carry the same one.
        error: why the last attempt failed; stays for a person to read while it is tried again.
        woken_at: when workers were last told of it; empty: they still have to be.

    """

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    lane: Mapped[str] = mapped_column(String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    max_attempts: Mapped[int] = mapped_column(Integer)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(255))
    dedupe_key: Mapped[str | None] = mapped_column(String(255))
    cancel_requested: Mapped[bool] = mapped_column(Boolean, server_default=false())
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=DatabaseTime())
    woken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


JOBS = cast("Table", Job.__table__)

# Written out, not bound: a database uses a partial index only where it can see the same words.
IS_QUEUED = Job.state == literal_column("'queued'")
IS_RUNNING = Job.state == literal_column("'running'")
IS_ACTIVE = Job.state.in_([literal_column("'queued'"), literal_column("'running'")])
IS_REGIONAL = Job.lane.like(literal_column(f"'{REGION_PREFIX}%'"))

Index(
    "ix_jobs_ready",
    Job.priority.desc(),
    Job.created_at,
    sqlite_where=IS_QUEUED,
    postgresql_where=IS_QUEUED,
)
Index("ix_jobs_running", Job.lane, sqlite_where=IS_RUNNING, postgresql_where=IS_RUNNING)
Index(
    "uq_jobs_active_dedupe_key",
    Job.dedupe_key,
    unique=True,
    sqlite_where=IS_ACTIVE,
    postgresql_where=IS_ACTIVE,
)
Index("ix_jobs_finished_at", Job.finished_at)


class WorkerLane(Base):
    """A sign of life of one worker process in one lane."""

    __tablename__ = "worker_lanes"

    worker: Mapped[str] = mapped_column(String(255), primary_key=True)
    lane: Mapped[str] = mapped_column(String(255), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ScheduleSlot(Base):
    """The last period for which a schedule has put its job into the table."""

    __tablename__ = "schedule_slots"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is asked for.

    Attributes:
        due: not before this time (aware); None: at once.
        priority: higher goes first.
        max_attempts: None: as the settings say.

    """

    kind: str
    payload: Mapping[str, Any]
    lane: str = DEFAULT_LANE
    dedupe_key: str | None = None
    due: datetime | None = None
    priority: int = 0
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job as its worker holds it; (id, attempt) is the proof that it still does."""

    id: uuid.UUID
    kind: str
    lane: str
    payload: Mapping[str, Any]
    attempt: int
    max_attempts: int


@dataclass(frozen=True, slots=True)
class SettledJob:
    """How a job ended. ``error`` starts with ``lost`` where its workers vanished."""

    id: uuid.UUID
    kind: str
    lane: str
    payload: Mapping[str, Any]
    state: JobState
    error: str | None


def region_lane(region: str) -> str:
    """The lane of one region, by its full name."""
    return f"{REGION_PREFIX}{region}"
