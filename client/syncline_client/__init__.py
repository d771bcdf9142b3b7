"""Python client of Syncline's REST API (docs/client.md)."""

from __future__ import annotations

from syncline_client.api import Client
from syncline_client.errors import (
    AnswerError,
    ConflictError,
    EndpointError,
    ForbiddenError,
    NotFoundError,
    RequestError,
    ServerError,
    StatusError,
    SyncClientError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)
from syncline_client.events import Event
from syncline_client.results import Image, Region, RegionSummary, Task, TaskItem, Version
from syncline_client.transport import Limits

__all__ = [
    "AnswerError",
    "Client",
    "ConflictError",
    "EndpointError",
    "Event",
    "ForbiddenError",
    "Image",
    "Limits",
    "NotFoundError",
    "Region",
    "RegionSummary",
    "RequestError",
    "ServerError",
    "StatusError",
    "SyncClientError",
    "Task",
    "TaskItem",
    "TimedOutError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnreachableError",
    "Version",
]
