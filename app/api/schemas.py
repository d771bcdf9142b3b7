"""What requests hold and answers look like, for checking the former and describing the latter."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from app.api.parsing import MAX_LIMIT, QueryInteger, StrictBoolean, StrictSchema, name_field, query_flag
from app.sync.tasks import Mode, TaskStatus

MAX_NAMES = 1000


def _text(description: str, *, none: bool = False, **kwargs: Any) -> fields.String:  # noqa: ANN401
    return fields.String(required=True, allow_none=none, metadata={"description": description}, **kwargs)


def _number(description: str, *, none: bool = False) -> fields.Integer:
    return fields.Integer(required=True, allow_none=none, metadata={"description": description})


def _time(description: str) -> fields.DateTime:
    return fields.DateTime(required=True, allow_none=True, metadata={"description": description})


def _limit(description: str, default: int | None) -> QueryInteger:
    return QueryInteger(
        load_default=default,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata={"description": description},
    )


_MARKER = "Where the page begins: as in the link `next`."
_STATUS = "`syncing`, then `synced` or `failed`."


class ErrorEnvelopeSchema(Schema):
    """The original's envelope."""

    message = _text("Words for the status.")
    code = _number("The HTTP status.")
    description = fields.String(metadata={"description": "What exactly is wrong."})
    title = fields.String(metadata={"description": "`Unauthorized`, on a 401."})


class FaultSchema(Schema):
    """One place of a request that is wrong."""

    detail = _text("What is wrong.")
    pointer = fields.String(metadata={"description": "JSON pointer into the body."})
    parameter = fields.String(metadata={"description": "Name of the parameter."})


class ProblemSchema(Schema):
    """Every error: the original's envelope and the members of RFC 9457."""

    error = fields.Nested(ErrorEnvelopeSchema, required=True)
    type = _text("URN of the error.")
    title = _text("Phrase of the status.")
    status = _number("The HTTP status.")
    detail = _text("What exactly is wrong.")
    instance = _text("The path that was asked for.")
    code = _text("What programs should look at; docs/errors.md lists all.")
    request_id = _text("The request's id, for the operator's log.")
    errors = fields.List(fields.Nested(FaultSchema))


class LinkSchema(Schema):
    """A link, relative to the service."""

    rel = _text("What it leads to: `next`, `self`, `events`.")
    href = _text("Where it leads.")


class VersionSchema(Schema):
    """One version of the API, as keystoneauth looks for it."""

    id = _text("The version.")
    status = _text("`SUPPORTED`.")
    links = fields.List(fields.Nested(LinkSchema), required=True)
    version = _text("Empty: there are no microversions.")
    min_version = _text("Empty: there are no microversions.")


class ServiceSchema(Schema):
    """What this service is."""

    id = _text("`v` and the version.")
    owner = _text("Who runs it.")
    status = _text("`SUPPORTED`.")
    version = _text("The version.")
    updated = _text("When the API last changed.")
    runningfrom = _text("When the process started, local time.")
    href = _text("Where it is described.")
    versions = fields.List(fields.Nested(VersionSchema), required=True)


class ImageSchema(Schema):
    """One image of a region."""

    id = _text("The image's id in the region; null while it is not there.", none=True)
    name = _text("The name.")
    status = _text("Synchronisation status, or `unmanaged`.")
    message = _text("The last error.", none=True)
    glance_status = _text("What the region's Glance says, for instance `active`.", none=True)
    size = _number("Bytes.", none=True)
    reasons = fields.List(fields.String(), required=True, metadata={"description": "What differs."})
    source_id = _text("The image's id in the master region.", none=True)


class TaskReferenceSchema(Schema):
    """A task in the original's two words."""

    taskId = _text("The id.")  # noqa: N815  # the original's spelling
    status = _text(_STATUS, validate=validate.OneOf([str(status) for status in TaskStatus]))


class RegionSchema(Schema):
    """A region as its last plan saw it."""

    images = fields.List(fields.Nested(ImageSchema), required=True)
    region = _text("The full name.")
    revision = _number("Rises with every change; null before the first plan.", none=True)
    planned_at = _time("When the region was last compared with the master.")
    synced_at = _time("When a task last ended `synced`.")
    error = _text("Why the last look at the region failed.", none=True)
    links = fields.List(fields.Nested(LinkSchema), required=True)
    task = fields.Nested(TaskReferenceSchema, metadata={"description": "The task that plans anew."})


class RunningSchema(TaskReferenceSchema):
    """A task that is under way."""

    mode = _text("What it does.", validate=validate.OneOf([str(mode) for mode in Mode]))


class RegionSummarySchema(Schema):
    """A region in the list of regions."""

    name = _text("The full name.")
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Number of images by status."},
    )
    planned_at = _time("When the region was last compared with the master.")
    synced_at = _time("When a task last ended `synced`.")
    error = _text("Why the last look at the region failed.", none=True)
    task = fields.Nested(RunningSchema, required=True, allow_none=True)


class RegionsSchema(Schema):
    """All regions of all targets."""

    regions = fields.List(fields.Nested(RegionSummarySchema), required=True)
    links = fields.List(fields.Nested(LinkSchema), required=True)


class TaskSchema(TaskReferenceSchema):
    """A task."""

    region = _text("The region's full name.")
    mode = _text("What it does.", validate=validate.OneOf([str(mode) for mode in Mode]))
    requester = _text("Who started it.")
    reason = _text("Why it failed, or what it left undone.", none=True)
    images = fields.List(
        fields.String(), required=True, allow_none=True, metadata={"description": "Only these; null: all."}
    )
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True, allow_none=True)
    items_total = _number("Images in the plan.")
    items_done = _number("Images that are settled.")
    bytes_total = _number("Bytes to bring.")
    bytes_done = _number("Bytes that are there.")
    attempt = _number("How often a worker took it up.")
    created_at = _time("When it was asked for.")
    modified_at = _time("When it last got on.")
    started_at = _time("When a worker took it up.")
    finished_at = _time("When it ended.")
    links = fields.List(fields.Nested(LinkSchema), required=True)


class ItemSchema(Schema):
    """What a task did to one image."""

    position = _number("Place in the plan, from 0.")
    name = _text("The image.")
    before = _text("Its status before.")
    status = _text("Its status afterwards.")
    result = _text("`unchanged`, `done`, `failed`, `skipped` or `cancelled`.")
    sent_bytes = _number("Bytes that were sent.")
    attempts = _number("How often it was tried.")
    transport = _text("How its bytes went.", none=True)
    error = _text("Why it failed.", none=True)


class TaskDetailSchema(TaskSchema):
    """A task and, where asked for, its items."""

    items = fields.List(fields.Nested(ItemSchema))
    items_links = fields.List(fields.Nested(LinkSchema))


class TasksSchema(Schema):
    """A page of tasks, newest first."""

    tasks = fields.List(fields.Nested(TaskSchema), required=True)
    links = fields.List(fields.Nested(LinkSchema), required=True)


class RegionsQuery(StrictSchema):
    """Paging of the list of regions."""

    limit = _limit("Regions per page; all where left out.", None)
    marker = name_field(_MARKER)


class RegionQuery(StrictSchema):
    """How a region is asked for."""

    image = name_field("Only images of exactly this name.")
    all = query_flag("Also images outside the plan, as `unmanaged`.")
    refresh = query_flag("Let a worker look at the region anew; answers 202.")
    limit = _limit("Images per page; all where left out.", None)
    marker = QueryInteger(validate=validate.Range(min=0), metadata={"description": _MARKER})


class StartBody(StrictSchema):
    """What is to be synchronised; all of it may be left out."""

    dry_run = StrictBoolean(load_default=False, metadata={"description": "Only say what would be done."})
    images = fields.List(
        name_field("An image's name."),
        load_default=None,
        validate=validate.Length(min=1, max=MAX_NAMES),
        metadata={"description": "Only these images."},
    )


class RegionTasksQuery(StrictSchema):
    """Which tasks of a region are asked for."""

    status = fields.List(
        fields.String(validate=validate.OneOf([str(status) for status in TaskStatus])),
        load_default=list,
        metadata={"description": "Only tasks of these statuses."},
    )
    mode = fields.String(
        load_default=None,
        validate=validate.OneOf([str(mode) for mode in Mode]),
        metadata={"description": "Only tasks of this mode."},
    )
    limit = _limit("Tasks per page.", 100)
    marker = fields.UUID(load_default=None, metadata={"description": "Id of the last task seen."})


class TasksQuery(RegionTasksQuery):
    """Which tasks are asked for."""

    region = name_field("Only tasks of this region.", load_default=None)


class TaskQuery(StrictSchema):
    """How a task is asked for."""

    items = query_flag("With what it did to each image.")
    limit = _limit("Items per page.", MAX_LIMIT)
    marker = QueryInteger(load_default=-1, validate=validate.Range(min=0), metadata={"description": _MARKER})
