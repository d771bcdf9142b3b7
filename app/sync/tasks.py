"""The life of a task: started once, followed, ended once, kept for a while (spec images 9.5 [P]).

Functions work inside the caller's transaction. Whoever writes on behalf of a running task has guarded
the transaction with its job (``app.jobs.lease.guard``) before.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from app.db import DatabaseTime
from app.errors import BusyError, IdempotencyError, NotFoundError, UsageError
from app.sync.models import IS_SYNCING, Task, TaskEvent, TaskItem
from app.sync.status import Outcome

IMAGES = "images"
PURGE_ROWS = 500
_START_TRIES = 5


class Mode(StrEnum):
    """What a task does: make it so, say what would be done, or only look."""

    SYNC = "sync"
    DRY_RUN = "dry_run"
    PLAN = "plan"


class TaskStatus(StrEnum):
    """The three words that clients of the original know."""

    SYNCING = "syncing"
    SYNCED = "synced"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewTask:
    """What is asked for, and by whom.

    Attributes:
        request_hash: digest of the request, to tell a repeated one from another under the same key.
        once: refuse to start while an ended task of the region is kept (``legacy_tasks``).

    """

    region: str
    requester: str
    role: str = ""
    mode: Mode = Mode.SYNC
    names: tuple[str, ...] | None = None
    content: str = IMAGES
    idempotency_key: str | None = None
    request_hash: str | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A window on a list, newest first: ``limit`` rows after the one with id ``marker``."""

    limit: int = 100
    marker: str | None = None


def start(session: Session, new: NewTask) -> tuple[Task, bool]:
    """The task that does the work, and whether it was made for this request.

    A region has at most one active task of a mode, whoever started it; asking again finds it.

    Raises:
        IdempotencyError: the key was used for another request.
        BusyError: ``once`` is set and an ended task of the region is still there.

    """
    for _ in range(_START_TRIES):
        if known := _repeated(session, new):
            return known, False
        if running := session.scalars(_active(new)).first():
            return running, False
        if new.once:
            _refuse_ended(session, new)
        task_id = session.execute(_insert(session, new)).scalar()
        if task_id is not None:
            return session.get_one(Task, task_id), True
    raise BusyError(f"the task of {new.region} cannot be started", remedy="try again")


def _active(new: NewTask) -> Select[Task]:
    return select(Task).where(
        Task.region == new.region, Task.content == new.content, Task.mode == new.mode.value, IS_SYNCING
    )


def _repeated(session: Session, new: NewTask) -> Task | None:
    if new.idempotency_key is None:
        return None
    known = session.scalars(
        select(Task).where(Task.requester == new.requester, Task.idempotency_key == new.idempotency_key)
    ).first()
    if known is not None and known.request_hash != new.request_hash:
        raise IdempotencyError(f"Idempotency-Key was used for another request (task {known.id})")
    return known


def _refuse_ended(session: Session, new: NewTask) -> None:
    kept = session.scalars(
        select(Task.id).where(
            Task.region == new.region, Task.content == new.content, Task.mode == new.mode.value
        )
    ).first()
    if kept is not None:
        raise BusyError(f"Already exist some task for this region: {kept}", remedy="delete it first")


def _insert(session: Session, new: NewTask) -> ReturningInsert[str]:
    values = {
        "id": str(uuid.uuid1()),
        "region": new.region,
        "content": new.content,
        "mode": new.mode.value,
        "requester": new.requester,
        "role": new.role,
        "status": TaskStatus.SYNCING.value,
        "names": list(new.names) if new.names is not None else None,
        "idempotency_key": new.idempotency_key,
        "request_hash": new.request_hash,
    }
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    dialect_insert = sqlite.insert(Task) if is_sqlite else postgresql.insert(Task)
    return dialect_insert.values(values).on_conflict_do_nothing().returning(Task.id)


def begin(session: Session, task_id: str, attempt: int) -> Task | None:
    """A worker takes the task up; None if it has ended or was deleted meanwhile."""
    started = session.execute(
        update(Task)
        .where(Task.id == task_id, IS_SYNCING)
        .values(attempt=attempt, started_at=DatabaseTime(), modified_at=DatabaseTime())
        .execution_options(synchronize_session=False)
        .returning(Task.id)
    ).scalar()
    return session.get(Task, task_id, populate_existing=True) if started else None


def attach_job(session: Session, task_id: str, job_id: uuid.UUID) -> None:
    """Remember which job does the task's work."""
    session.execute(update(Task).where(Task.id == task_id).values(job_id=job_id))


def progress(session: Session, task_id: str, values: Mapping[str, int]) -> None:
    """Write how far the task is: ``items_total``, ``items_done``, ``bytes_total``, ``bytes_done``."""
    session.execute(
        update(Task)
        .where(Task.id == task_id, IS_SYNCING)
        .values(**values, modified_at=DatabaseTime())
        .execution_options(synchronize_session=False)
    )


def end(
    session: Session, task_id: str, status: TaskStatus, reason: str | None, counts: Mapping[str, int] | None
) -> bool:
    """End the task, once; False if it had ended before."""
    ended = session.execute(
        update(Task)
        .where(Task.id == task_id, IS_SYNCING)
        .values(
            status=status.value,
            reason=reason,
            counts=dict(counts) if counts is not None else None,
            modified_at=DatabaseTime(),
            finished_at=DatabaseTime(),
        )
        .execution_options(synchronize_session=False)
        .returning(Task.id)
    ).scalar()
    if ended is None:
        return False
    tell(session, task_id, [("ended", {"status": status.value, "reason": reason, "counts": counts or {}})])
    return True


def record_outcomes(session: Session, task_id: str, outcomes: Iterable[tuple[int, Outcome]]) -> None:
    """Keep what happened to items; a later attempt of the task overwrites an earlier one's."""
    rows = [_item_row(task_id, position, outcome) for position, outcome in outcomes]
    if not rows:
        return
    session.execute(
        delete(TaskItem).where(
            TaskItem.task_id == task_id, TaskItem.position.in_([row["position"] for row in rows])
        )
    )
    session.execute(insert(TaskItem), rows)


def _item_row(task_id: str, position: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "position": position,
        "name": outcome.item.name,
        "before": str(outcome.before),
        "status": str(outcome.item.status),
        "result": str(outcome.result),
        "sent_bytes": outcome.sent_bytes,
        "attempts": outcome.attempts,
        "transport": outcome.transport,
        "error": outcome.item.error,
    }


def tell(session: Session, task_id: str, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Append to what those who follow the task live are shown."""
    if events:
        rows = [{"task_id": task_id, "kind": kind, "data": dict(data)} for kind, data in events]
        session.execute(insert(TaskEvent), rows)


def events_after(session: Session, task_id: str, last_id: int, limit: int) -> Sequence[TaskEvent]:
    """What happened in the task after the event ``last_id``."""
    return session.scalars(
        select(TaskEvent)
        .where(TaskEvent.task_id == task_id, TaskEvent.id > last_id)
        .order_by(TaskEvent.id)
        .limit(limit)
    ).all()


def find(session: Session, task_id: str, region: str | None = None) -> Task:
    """The task, of that region if one is named.

    Raises:
        NotFoundError: there is none.

    """
    task = session.get(Task, task_id)
    if task is None or (region is not None and task.region != region):
        raise NotFoundError(f"task {task_id} does not exist", where=region or "")
    return task


def listed(
    session: Session,
    page: Page,
    *,
    region: str | None = None,
    statuses: Collection[str] = (),
    mode: str | None = None,
) -> Sequence[Task]:
    """Tasks, newest first.

    Raises:
        UsageError: the marker names no task.

    """
    query = select(Task).order_by(Task.created_at.desc(), Task.id.desc()).limit(page.limit)
    if region is not None:
        query = query.where(Task.region == region)
    if statuses:
        query = query.where(Task.status.in_(list(statuses)))
    if mode is not None:
        query = query.where(Task.mode == mode)
    if page.marker is not None:
        last = session.get(Task, page.marker)
        if last is None:
            raise UsageError(f"marker {page.marker} is not a task")
        older = and_(Task.created_at == last.created_at, Task.id < last.id)
        query = query.where(or_(Task.created_at < last.created_at, older))
    return session.scalars(query).all()


def items(session: Session, task_id: str, *, after: int = -1, limit: int | None = None) -> Sequence[TaskItem]:
    """What the task did, in the order of its plan, from the position behind ``after`` on."""
    query = (
        select(TaskItem)
        .where(TaskItem.task_id == task_id, TaskItem.position > after)
        .order_by(TaskItem.position)
    )
    return session.scalars(query.limit(limit) if limit is not None else query).all()


def remove(session: Session, task_id: str) -> None:
    """Delete an ended task.

    Raises:
        BusyError: it is still syncing.

    """
    gone = session.execute(
        delete(Task)
        .where(Task.id == task_id, Task.status != TaskStatus.SYNCING.value)
        .execution_options(synchronize_session=False)
        .returning(Task.id)
    ).scalar()
    if gone is None and session.get(Task, task_id) is not None:
        raise BusyError("Task status is syncing. Unable to delete it.", remedy="cancel it first")


def purge(session: Session, retention_days: float) -> int:
    """Delete tasks that ended longer ago; returns how many (a batch at most)."""
    if not retention_days:
        return 0
    old = (
        select(Task.id)
        .where(Task.finished_at < DatabaseTime(-retention_days * 86400.0))
        .limit(PURGE_ROWS)
        .correlate(None)
    )
    gone = session.scalars(
        delete(Task).where(Task.id.in_(old)).execution_options(synchronize_session=False).returning(Task.id)
    ).all()
    return len(gone)
