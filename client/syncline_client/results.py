"""What the service answers, as records. Members that this version does not know are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncline_client.errors import AnswerError

SYNCING = "syncing"
SYNCED = "synced"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Version:
    """Which service answers. All texts are the operator's, from the service's settings."""

    id: str
    version: str
    status: str = ""
    owner: str = ""
    updated: str = ""
    running_from: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One run over one region.

    Attributes:
        status: ``syncing``, then ``synced`` or ``failed``.
        mode: ``sync``, ``dry_run`` or ``plan``; empty in the short form that a start answers with.
        reason: why it failed, or what it left undone.
        counts: number of images by status at the end; None before.
        images: names of the only images that it is about; None: all.
        bytes_total: bytes that the plan brings; ``bytes_done`` of them are there.

    """

    id: str
    status: str
    region: str = ""
    mode: str = ""
    reason: str | None = None
    requester: str = ""
    images: tuple[str, ...] | None = None
    counts: Mapping[str, int] | None = None
    items_total: int = 0
    items_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen in it any more."""
        return self.status != SYNCING

    @property
    def has_failed(self) -> bool:
        """Whether it ended without bringing the region in line."""
        return self.status == FAILED


@dataclass(frozen=True, slots=True)
class TaskItem:
    """What a task did to one image.

    Attributes:
        before: the status that it was planned with; ``status`` is the one afterwards.
        result: ``unchanged``, ``done``, ``failed``, ``skipped`` or ``cancelled``.

    """

    name: str
    before: str
    status: str
    result: str
    sent_bytes: int = 0
    attempts: int = 0
    transport: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RegionSummary:
    """One region as a whole.

    Attributes:
        counts: number of images by status, as of ``planned_at``.
        planned_at: when it was last compared with the master; None if never.
        synced_at: when a task last brought it in line.
        error: why the last look at it failed.
        task_id: the task that is under way.

    """

    name: str
    counts: Mapping[str, int] = field(default_factory=dict)
    planned_at: datetime | None = None
    synced_at: datetime | None = None
    error: str | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a region.

    Attributes:
        id: None for an image that is still to be uploaded.
        status: of the synchronisation, or ``unmanaged``; ``glance_status`` is what Glance says.
        message: the last error.
        reasons: what differs from the master, e.g. ``property:nid``.

    """

    name: str
    status: str
    id: str | None = None
    message: str | None = None
    glance_status: str | None = None
    size_bytes: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """The images of a region as of ``planned_at``.

    Attributes:
        error: why the last look at the region failed.
        task_id: the task that looks at the region anew, after ``refresh=True``.

    """

    name: str
    images: tuple[Image, ...] = ()
    planned_at: datetime | None = None
    synced_at: datetime | None = None
    error: str | None = None
    task_id: str | None = None


class Members:
    """Reads the members of one JSON object, and says which one is not as promised.

    Args:
        value: the decoded object; ``AnswerError`` if it is none.
        what: what the object stands for, for messages.

    """

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, Mapping):
            raise AnswerError(f"{what} is not a JSON object")
        self._members: Mapping[str, Any] = value
        self._what = what

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def required(self, name: str) -> str:
        """A text that has to be there."""
        found = self.text(name)
        if found is None:
            raise self._wrong(name)
        return found

    def text(self, name: str) -> str | None:
        """A text; None if it is absent or null."""
        found = self._members.get(name)
        if found is not None and not isinstance(found, str):
            raise self._wrong(name)
        return found

    def number(self, name: str) -> int | None:
        """A whole number; None if it is absent or null."""
        found = self._members.get(name)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool):
            raise self._wrong(name)
        return found

    def time(self, name: str) -> datetime | None:
        """A point in time; one without an offset is taken for UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(name) from error
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty if it is absent or null."""
        found = self.array(name)
        if not all(isinstance(entry, str) for entry in found):
            raise self._wrong(name)
        return tuple(found)

    def array(self, name: str) -> list[Any]:
        """A list; empty if it is absent or null."""
        found = self._members.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self._wrong(name)
        return found

    def counts(self, name: str) -> dict[str, int] | None:
        """Whole numbers by name; None if they are absent or null."""
        found = self._members.get(name)
        if found is None:
            return None
        inner = Members(found, f"{name} of {self._what}")
        return {str(key): inner.number(key) or 0 for key in found}

    def inner(self, name: str) -> Members | None:
        """An object inside this one; None if it is absent or null."""
        found = self._members.get(name)
        return None if found is None else Members(found, f"{name} of {self._what}")

    def _wrong(self, name: str) -> AnswerError:
        return AnswerError(f"{self._what}: {name!r} is missing or of a wrong type")


def read_version(body: object) -> Version:
    """The version document of ``GET /``."""
    members = Members(body, "the version document")
    return Version(
        id=members.required("id"),
        version=members.text("version") or "",
        status=members.text("status") or "",
        owner=members.text("owner") or "",
        updated=members.text("updated") or "",
        running_from=members.text("runningfrom") or "",
        href=members.text("href") or "",
    )


def read_task(body: object, region: str = "") -> Task:
    """A task in its long or short form; the short one does not name its region, so the caller does."""
    members = Members(body, "a task")
    return Task(
        id=members.required("taskId"),
        status=members.required("status"),
        region=members.text("region") or region,
        mode=members.text("mode") or "",
        reason=members.text("reason"),
        requester=members.text("requester") or "",
        images=members.texts("images") if "images" in members else None,
        counts=members.counts("counts"),
        items_total=members.number("items_total") or 0,
        items_done=members.number("items_done") or 0,
        bytes_total=members.number("bytes_total") or 0,
        bytes_done=members.number("bytes_done") or 0,
        created_at=members.time("created_at"),
        started_at=members.time("started_at"),
        finished_at=members.time("finished_at"),
    )


def read_task_item(body: object) -> TaskItem:
    """One row of a task's items."""
    members = Members(body, "an item of a task")
    return TaskItem(
        name=members.required("name"),
        before=members.required("before"),
        status=members.required("status"),
        result=members.required("result"),
        sent_bytes=members.number("sent_bytes") or 0,
        attempts=members.number("attempts") or 0,
        transport=members.text("transport"),
        error=members.text("error"),
    )


def read_summary(body: object) -> RegionSummary:
    """One row of ``GET /regions``."""
    members = Members(body, "a region")
    task = members.inner("task")
    return RegionSummary(
        name=members.required("name"),
        counts=members.counts("counts") or {},
        planned_at=members.time("planned_at"),
        synced_at=members.time("synced_at"),
        error=members.text("error"),
        task_id=task.required("taskId") if task else None,
    )


def read_image(body: object) -> Image:
    """One image of ``GET /regions/{region}``."""
    members = Members(body, "an image")
    return Image(
        name=members.text("name") or "",
        status=members.required("status"),
        id=members.text("id"),
        message=members.text("message"),
        glance_status=members.text("glance_status"),
        size_bytes=members.number("size"),
        reasons=members.texts("reasons"),
    )
