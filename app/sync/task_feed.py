"""What happened in many tasks at once, for those who follow them live."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    FromClause,
    Integer,
    Row,
    String,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.orm import Session

from app.sync.models import Json, Task, TaskEvent

NewEvent = Row[int, str, str, dict[str, Any]]
"""``id``, ``task_id``, ``kind``, ``data``."""


def events_since(session: Session, seen: Mapping[str, int], limit: int) -> Sequence[NewEvent]:
    """The next events of the tasks, oldest first, ``limit`` at most.

    One statement for any number of tasks, each with the id of the last event that is known of it.
    Events of one task become visible in the order of their ids, because whoever writes them holds
    the task's job; those of different tasks may not, which is why each task has a mark of its own.

    Args:
        seen: id of the last known event by task id; 0 for none.

    """
    watched = _watched(session)
    query = (
        select(TaskEvent.id, TaskEvent.task_id, TaskEvent.kind, TaskEvent.data)
        .select_from(watched)
        .join(
            TaskEvent,
            and_(TaskEvent.task_id == watched.c.key, TaskEvent.id > cast(watched.c.value, BigInteger)),
        )
        .order_by(TaskEvent.id)
        .limit(limit)
    )
    return session.execute(query, {"seen": json.dumps(dict(seen))}).all()


def _watched(session: Session) -> FromClause:
    """The marks as a table with the columns ``key`` and ``value``."""
    if session.get_bind().dialect.name == "sqlite":
        marks = func.json_each(bindparam("seen", type_=Text()))
        return marks.table_valued(column("key", String), column("value", Integer)).alias("watched")
    marks = func.jsonb_each_text(cast(bindparam("seen", type_=Text()), Json))
    return marks.table_valued(column("key", String), column("value", String)).alias("watched")


def still_there(session: Session, task_ids: Collection[str]) -> set[str]:
    """Which of the tasks have not been deleted."""
    return set(session.scalars(select(Task.id).where(Task.id.in_(task_ids))))
