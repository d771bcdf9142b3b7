"""Regions: how they stand, and starting to bring them in line (spec images 9.4, 9.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flask import Response
from flask.views import MethodView
from sqlalchemy.orm import Session

from app.api import region_bodies
from app.api.answers import (
    conditional,
    json_answer,
    next_links,
    region_path,
    task_path,
    unchanged,
    utc,
    validated,
)
from app.api.blueprint import ApiBlueprint
from app.api.parsing import idempotency_key
from app.api.parts import Parts, current_parts
from app.api.region_bodies import rendered
from app.api.regional import in_region
from app.api.schemas import (
    RegionQuery,
    RegionSchema,
    RegionsQuery,
    RegionsSchema,
    StartBody,
    TaskReferenceSchema,
)
from app.auth.guard import current_caller, current_guard, requires
from app.errors import UsageError
from app.sync import region_state, tasks
from app.sync.models import RegionItem, RegionState, Task
from app.sync.tasks import Mode, NewTask, Page, TaskStatus

blueprint = ApiBlueprint("regions", __name__, description="Regions and their images")

_MODES = (Mode.SYNC, Mode.DRY_RUN, Mode.PLAN)
_RUNNING_TASKS = 10_000


def reference(task: Task) -> dict[str, str]:
    """A task in the original's two words."""
    return {"taskId": task.id, "status": task.status}


def image(item: RegionItem) -> dict[str, Any]:
    """One image, the original's members first."""
    return {
        "id": item.destination_id,
        "name": item.name,
        "status": item.status,
        "message": item.error,
        "glance_status": item.source_status,
        "size": item.size_bytes,
        "reasons": item.reasons,
        "source_id": item.source_id,
    }


def page_of(rows: Sequence[Any], limit: int | None) -> tuple[Sequence[Any], Any | None]:
    """The page of rows of which one more than ``limit`` was asked for, and its last row if others follow."""
    if limit is None or len(rows) <= limit:
        return rows, None
    return rows[:limit], rows[limit - 1]


def region_body(
    session: Session, region: str, state: RegionState | None, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A region as its last plan saw it."""
    limit = query.get("limit")
    rows = region_state.items(
        session,
        region,
        after=query.get("marker", -1),
        limit=None if limit is None else limit + 1,
        name=query.get("image"),
        unmanaged=query["all"],
    )
    page, last = page_of(rows, limit)
    return {
        "images": [image(item) for item in page],
        "region": region,
        "revision": state.revision if state else None,
        "planned_at": utc(state.planned_at) if state else None,
        "synced_at": utc(state.synced_at) if state else None,
        "error": state.error if state else None,
        "links": next_links(last.position if last else None),
    }


def summary(name: str, state: RegionState | None, task: Task | None) -> dict[str, Any]:
    """A region in the list of regions."""
    return {
        "name": name,
        "counts": state.counts if state else {},
        "planned_at": utc(state.planned_at) if state else None,
        "synced_at": utc(state.synced_at) if state else None,
        "error": state.error if state else None,
        "task": {**reference(task), "mode": task.mode} if task else None,
    }


def foremost(running: Iterable[Task]) -> dict[str, Task]:
    """The task to show for each region: one that changes something before one that only looks."""
    found: dict[str, Task] = {}
    for task in running:
        known = found.get(task.region)
        if known is None or _MODES.index(Mode(task.mode)) < _MODES.index(Mode(known.mode)):
            found[task.region] = task
    return found


def window(names: Sequence[str], limit: int | None, marker: str | None) -> tuple[Sequence[str], str | None]:
    """The names after the marker, and the marker of the next page if there is one.

    Raises:
        UsageError: the marker is none of the names.

    """
    if marker is not None and marker not in names:
        raise UsageError(f"marker {marker} is not a region")
    start = 0 if marker is None else names.index(marker) + 1
    stop = None if limit is None else start + limit + 1
    return page_of(names[start:stop], limit)


def request_hash(region: str, mode: Mode, names: Sequence[str] | None) -> str:
    """What a repeated request is recognised by."""
    facts = rendered({"region": region, "mode": mode.value, "images": names})
    return hashlib.sha256(facts).hexdigest()


def new_task(
    parts: Parts, region: str, mode: Mode, names: Sequence[str] | None = None, key: str | None = None
) -> NewTask:
    """What the present request asks for, in its caller's name."""
    caller = current_caller()
    return NewTask(
        region=region,
        requester=(caller.user_name or caller.user_id)[:128],
        role=current_guard().foremost_role(caller),
        mode=mode,
        names=None if names is None else tuple(names),
        # A key belongs to one user; names of users are unique in their domain only.
        idempotency_key=None if key is None else f"{caller.user_id}/{key}",
        request_hash=None if key is None else request_hash(region, mode, names),
        once=parts.settings.api.legacy_tasks and mode is not Mode.PLAN,
    )


@blueprint.route("/regions")
class Regions(MethodView):
    """All regions."""

    @requires("sync:get")
    @blueprint.arguments(RegionsQuery, location="query")
    @blueprint.response(200, RegionsSchema)
    @blueprint.alt_response(304, description="As it was: `If-None-Match` names the present state.")
    def get(self, query: Mapping[str, Any]) -> Response:
        """Every region of every target: images by status, last sync, running task."""
        parts = current_parts()
        names, following = window(parts.regions.names(), query.get("limit"), query.get("marker"))
        with parts.database.read() as session:
            states = region_state.states(session)
            running = tasks.listed(session, Page(_RUNNING_TASKS), statuses=[TaskStatus.SYNCING.value])
        shown = foremost(running)
        body = [summary(name, states.get(name), shown.get(name)) for name in names]
        return conditional({"regions": body, "links": next_links(following)})


@blueprint.route("/regions/<region>")
class Region(MethodView):
    """One region."""

    @requires("sync:get")
    @in_region
    @blueprint.arguments(RegionQuery, location="query")
    @blueprint.response(200, RegionSchema)
    @blueprint.alt_response(202, schema=RegionSchema, description="A worker looks at the region anew.")
    @blueprint.alt_response(304, description="As it was: `If-None-Match` names the present state.")
    def get(self, query: Mapping[str, Any], region: str) -> Response:
        """The images of a region and their synchronisation status, as its last plan saw them."""
        parts = current_parts()
        if query["refresh"]:
            return _refreshed(parts, region, query)
        with parts.database.read() as session:
            state = region_state.state(session, region)
            key = _key(region, state, query)
            tag = region_bodies.etag(key)
            make: Callable[[], dict[str, Any]] = lambda: region_body(session, region, state, query)  # noqa: E731
            return unchanged(tag) or validated(parts.bodies.get(key, make), tag)

    @requires("sync:post")
    @in_region
    @blueprint.arguments(StartBody, required=False)
    @blueprint.response(200, TaskReferenceSchema, headers={"Location": {"schema": {"type": "string"}}})
    def post(self, body: Mapping[str, Any], region: str) -> Response:
        """Synchronise a region; while a task for it is running, that one is the answer.

        With the header `Idempotency-Key` a repeated request finds the task of the first one.
        """
        parts = current_parts()
        mode = Mode.DRY_RUN if body["dry_run"] else Mode.SYNC
        task, _ = parts.tasks.start(new_task(parts, region, mode, body["images"], idempotency_key()))
        return json_answer(reference(task), headers={"Location": task_path(task.region, task.id)})


def _key(region: str, state: RegionState | None, query: Mapping[str, Any]) -> region_bodies.Key:
    version = (state.revision, state.planned_at, state.synced_at) if state else ()
    return (region, version, tuple(sorted(query.items())))


def _refreshed(parts: Parts, region: str, query: Mapping[str, Any]) -> Response:
    current_guard().require("sync:refresh", current_caller())
    task, _ = parts.tasks.start(new_task(parts, region, Mode.PLAN))
    with parts.database.read() as session:
        body = region_body(session, region, region_state.state(session, region), query)
    headers = {"Location": task_path(task.region, task.id), "Content-Location": region_path(region)}
    return json_answer({**body, "task": reference(task)}, 202, headers)
