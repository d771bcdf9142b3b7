"""What is known of a region without asking it: the items of its last plan, kept up to date by tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db import DatabaseTime
from app.sync.models import RegionItem, RegionState
from app.sync.status import Item
from app.sync.tasks import IMAGES

UNMANAGED = "unmanaged"
"""Status of an image that the plan has nothing to do with (spec images 9.4)."""


@dataclass(frozen=True, slots=True)
class KnownItem:
    """One row of a region's state.

    Attributes:
        status: a value of ``Status``, or ``unmanaged``.
        source_status: what the region's own server says of it, e.g. Glance's ``active``; None if absent.

    """

    name: str
    status: str
    source_status: str | None = None
    size_bytes: int | None = None
    reasons: tuple[str, ...] = ()
    error: str | None = None
    source_id: str | None = None
    destination_id: str | None = None


def replace_items(session: Session, region: str, items: Sequence[KnownItem], content: str = IMAGES) -> None:
    """A fresh plan: what was known is replaced, in the plan's order. Unchanged items cost no write."""
    state = _lock_state(session, region, content)
    if _known(session, region, content) != list(items):
        session.execute(delete(RegionItem).where(RegionItem.region == region, RegionItem.content == content))
        rows = [
            {"region": region, "content": content, "position": position, **asdict(item)}
            for position, item in enumerate(items)
        ]
        if rows:
            session.execute(insert(RegionItem), rows)
        state.revision += 1
    state.counts = dict(Counter(item.status for item in items if item.status != UNMANAGED))
    state.planned_at = session.scalar(select(DatabaseTime()))
    state.error = None


def update_items(session: Session, region: str, items: Iterable[Item], content: str = IMAGES) -> None:
    """Items that a task has just settled."""
    changed = list(items)
    if not changed:
        return
    state = _lock_state(session, region, content)
    for item in changed:
        session.execute(
            update(RegionItem)
            .where(
                RegionItem.region == region,
                RegionItem.content == content,
                RegionItem.name == item.name,
                RegionItem.status != UNMANAGED,
            )
            .values(
                status=str(item.status),
                error=item.error,
                reasons=list(item.reasons),
                destination_id=item.destination_id,
                source_status=func.coalesce(
                    RegionItem.source_status, "active" if item.destination_id else None
                ),
            )
            .execution_options(synchronize_session=False)
        )
    state.revision += 1
    rows = session.execute(
        select(RegionItem.status, func.count())
        .where(RegionItem.region == region, RegionItem.content == content, RegionItem.status != UNMANAGED)
        .group_by(RegionItem.status)
    )
    state.counts = {row[0]: row[1] for row in rows}


def note_synced(session: Session, region: str, content: str = IMAGES) -> None:
    """A task brought the region in line just now."""
    state = _lock_state(session, region, content)
    state.synced_at = session.scalar(select(DatabaseTime()))
    state.revision += 1


def note_failure(session: Session, region: str, error: str, content: str = IMAGES) -> None:
    """The region could not be looked at; what was known stays, with its age."""
    state = _lock_state(session, region, content)
    state.error = error
    state.revision += 1


def states(session: Session, content: str = IMAGES) -> dict[str, RegionState]:
    """All regions of which anything is known, by full name."""
    rows = session.scalars(select(RegionState).where(RegionState.content == content))
    return {state.region: state for state in rows}


def state(session: Session, region: str, content: str = IMAGES) -> RegionState | None:
    """What is known of one region as a whole."""
    return session.get(RegionState, (region, content))


def items(
    session: Session,
    region: str,
    *,
    after: int = -1,
    limit: int | None = None,
    name: str | None = None,
    unmanaged: bool = False,
    content: str = IMAGES,
) -> Sequence[RegionItem]:
    """The region's items in the order of the plan, from the position behind ``after`` on."""
    query = (
        select(RegionItem)
        .where(RegionItem.region == region, RegionItem.content == content, RegionItem.position > after)
        .order_by(RegionItem.position)
    )
    if name is not None:
        query = query.where(RegionItem.name == name)
    if not unmanaged:
        query = query.where(RegionItem.status != UNMANAGED)
    return session.scalars(query.limit(limit) if limit is not None else query).all()


def _known(session: Session, region: str, content: str) -> list[KnownItem]:
    rows = items(session, region, unmanaged=True, content=content)
    return [
        KnownItem(
            row.name,
            row.status,
            row.source_status,
            row.size_bytes,
            tuple(row.reasons),
            row.error,
            row.source_id,
            row.destination_id,
        )
        for row in rows
    ]


def _lock_state(session: Session, region: str, content: str) -> RegionState:
    """The region's row, made if need be, held until the transaction ends."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    dialect_insert = sqlite.insert(RegionState) if is_sqlite else postgresql.insert(RegionState)
    session.execute(dialect_insert.values(region=region, content=content, counts={}).on_conflict_do_nothing())
    return session.scalars(
        select(RegionState)
        .where(RegionState.region == region, RegionState.content == content)
        .with_for_update()
    ).one()
