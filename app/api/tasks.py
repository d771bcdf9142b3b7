"""Tasks: lists, one task with its items, its end (spec images 9.4, 9.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask.views import MethodView
from sqlalchemy.orm import Session

from app.api.answers import JSON_TYPE, conditional, json_answer, next_links, task_path, utc
from app.api.blueprint import ApiBlueprint
from app.api.parts import current_parts
from app.api.regional import in_region
from app.api.regions import page_of, reference
from app.api.schemas import (
    RegionTasksQuery,
    TaskDetailSchema,
    TaskQuery,
    TaskReferenceSchema,
    TasksQuery,
    TasksSchema,
)
from app.api.task_ids import is_task_id
from app.auth.guard import requires
from app.errors import BusyError, NotFoundError
from app.sync import tasks
from app.sync.models import Task, TaskItem
from app.sync.tasks import Page

blueprint = ApiBlueprint("tasks", __name__, description="Tasks and what they did")


def task_body(task: Task) -> dict[str, Any]:
    """A task, the original's members first."""
    path = task_path(task.region, task.id)
    return {
        **reference(task),
        "region": task.region,
        "mode": task.mode,
        "requester": task.requester,
        "reason": task.reason,
        "images": task.names,
        "counts": task.counts,
        "items_total": task.items_total,
        "items_done": task.items_done,
        "bytes_total": task.bytes_total,
        "bytes_done": task.bytes_done,
        "attempt": task.attempt,
        "created_at": utc(task.created_at),
        "modified_at": utc(task.modified_at),
        "started_at": utc(task.started_at),
        "finished_at": utc(task.finished_at),
        "links": [{"rel": "self", "href": path}, {"rel": "events", "href": f"{path}/events"}],
    }


def item_body(item: TaskItem) -> dict[str, Any]:
    """What a task did to one image."""
    return {
        "position": item.position,
        "name": item.name,
        "before": item.before,
        "status": item.status,
        "result": item.result,
        "sent_bytes": item.sent_bytes,
        "attempts": item.attempts,
        "transport": item.transport,
        "error": item.error,
    }


def found(session: Session, task_id: str, region: str | None) -> Task:
    """The task.

    Raises:
        NotFoundError: there is none, or it is another region's.

    """
    if not is_task_id(task_id):
        raise NotFoundError(f"task {task_id} does not exist", where=region or "")
    return tasks.find(session, task_id, region)


def _listed(query: Mapping[str, Any], region: str | None) -> Response:
    limit, marker = query["limit"], query["marker"]
    with current_parts().database.read() as session:
        rows = tasks.listed(
            session,
            Page(limit + 1, None if marker is None else str(marker)),
            region=region,
            statuses=query["status"],
            mode=query["mode"],
        )
    page, last = page_of(rows, limit)
    links = next_links(last.id if last else None)
    return conditional({"tasks": [task_body(task) for task in page], "links": links})


@blueprint.route("/tasks")
class Tasks(MethodView):
    """Tasks of all regions."""

    @requires("sync:get")
    @blueprint.arguments(TasksQuery, location="query")
    @blueprint.response(200, TasksSchema)
    @blueprint.alt_response(304, description="As it was: `If-None-Match` names the present state.")
    def get(self, query: Mapping[str, Any]) -> Response:
        """Tasks of all regions, newest first."""
        return _listed(query, query["region"])


@blueprint.route("/regions/<region>/tasks")
class RegionTasks(MethodView):
    """Tasks of one region."""

    @requires("sync:get")
    @in_region
    @blueprint.arguments(RegionTasksQuery, location="query")
    @blueprint.response(200, TasksSchema)
    @blueprint.alt_response(304, description="As it was: `If-None-Match` names the present state.")
    def get(self, query: Mapping[str, Any], region: str) -> Response:
        """Tasks of a region, newest first."""
        return _listed(query, region)


@blueprint.route("/regions/<region>/tasks/<task_id>")
class RegionTask(MethodView):
    """One task."""

    @requires("sync:get")
    @in_region
    @blueprint.arguments(TaskQuery, location="query")
    @blueprint.response(200, TaskDetailSchema)
    def get(self, query: Mapping[str, Any], region: str, task_id: str) -> Response:
        """A task: how far it is, what it came to, and with `items=true` what it did to each image."""
        parts = current_parts()
        # The original shows a task under any region's name (spec images 9.4 [C]).
        owner = None if parts.settings.api.legacy_status_codes else region
        with parts.database.read() as session:
            body = task_body(found(session, task_id, owner))
            if query["items"]:
                rows = tasks.items(session, task_id, after=query["marker"], limit=query["limit"] + 1)
                page, last = page_of(rows, query["limit"])
                body["items"] = [item_body(item) for item in page]
                body["items_links"] = next_links(last.position if last else None)
        return json_answer(body)

    @requires("sync:delete")
    @in_region
    @blueprint.response(200, description="It is gone. The body is empty, as the original's.")
    def delete(self, region: str, task_id: str) -> Response:
        """Remove a task that has ended from the history."""
        parts = current_parts()
        with parts.database.write() as session:
            task = found(session, task_id, None)
            if task.region != region:
                _refuse_other_region(task, legacy=parts.settings.api.legacy_status_codes)
            tasks.remove(session, task_id)
        return Response(status=200, mimetype=JSON_TYPE)


def _refuse_other_region(task: Task, *, legacy: bool) -> None:
    """The original gives a wrong reason here, which its clients may look at (spec images 9.4 [C])."""
    if legacy:
        raise BusyError("Task status is syncing. Unable to delete it.")
    raise NotFoundError(f"task {task.id} is not one of this region")


@blueprint.route("/regions/<region>/tasks/<task_id>/cancel")
class RegionTaskCancel(MethodView):
    """Calling a task off."""

    @requires("sync:cancel")
    @in_region
    @blueprint.response(202, TaskReferenceSchema)
    def post(self, region: str, task_id: str) -> Response:
        """Call a task off: at once if no worker has it, else at its next step. What is done stays done."""
        parts = current_parts()
        with parts.database.read() as session:
            found(session, task_id, region)
        task = parts.tasks.cancel(task_id)
        return json_answer(reference(task), 202, {"Location": task_path(task.region, task.id)})
