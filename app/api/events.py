"""``GET …/events``: what happens in a task, live (docs/adr/0003-event-streams.md)."""

from __future__ import annotations

import re

from flask import Response, request
from flask.views import MethodView

from app.api.blueprint import ApiBlueprint
from app.api.parts import current_parts
from app.api.regional import in_region
from app.api.streams.delivery import EVENT_STREAM, StreamResponse
from app.api.tasks import found
from app.auth.guard import requires
from app.errors import UsageError
from app.sync import tasks
from app.sync.tasks import TaskStatus

blueprint = ApiBlueprint("events", __name__, description="Tasks, live")

LAST_EVENT_ID = "Last-Event-ID"
_DIGITS = re.compile(r"[0-9]{1,18}")
_HEADER = {
    "in": "header",
    "name": LAST_EVENT_ID,
    "description": "Id of the last event seen; only later ones are sent.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}


def last_event_id() -> int:
    """The id of the last event that the client has seen; 0 where it names none.

    Raises:
        UsageError: it is no number.

    """
    text = request.headers.get(LAST_EVENT_ID, "")
    if text and not _DIGITS.fullmatch(text):
        raise UsageError(f"{LAST_EVENT_ID} is not a number")
    return int(text or 0)


@blueprint.route("/regions/<region>/tasks/<task_id>/events")
class RegionTaskEvents(MethodView):
    """A task, live."""

    @requires("sync:get")
    @in_region
    @blueprint.response(200, {"type": "string"}, content_type=EVENT_STREAM)
    @blueprint.alt_response(204, description="The task has ended and the client has seen everything.")
    @blueprint.doc(parameters=[_HEADER])
    def get(self, region: str, task_id: str) -> Response:
        """What happens in a task, as server-sent events, from the event after `Last-Event-ID` on.

        Ends with the event `ended`, or after five minutes; an EventSource then comes back by itself.
        """
        parts, seen = current_parts(), last_event_id()
        with parts.database.read() as session:
            task = found(session, task_id, region)
            ended = task.status != TaskStatus.SYNCING
            if ended and not tasks.events_after(session, task_id, seen, 1):
                return Response(status=204)
        if request.method == "HEAD":
            return Response(mimetype=EVENT_STREAM)
        server = parts.settings.api.server_header
        return StreamResponse(parts.streams, parts.relays, server, request.environ, task_id, seen)
