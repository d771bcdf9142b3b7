"""Small records for the tests of the command line."""

from __future__ import annotations

from app.sync.events import (
    Event,
    ItemFinished,
    ItemProgressed,
    ItemStarted,
    Noticed,
)
from app.sync.images.model import Changes, Image
from app.sync.images.plan import MetadataChange, PlannedImage, RegionPlan
from app.sync.status import Item, Level, Notice, Outcome, RegionReport, RegionState, Result, Status


def item(
    name: str = "debian", status: Status = Status.PENDING_UPLOAD, size: int | None = 100, **more: object
) -> Item:
    """An item of Burgos."""
    region = str(more.pop("region", "Burgos"))
    return Item(region, name, status, size, **more)  # type: ignore[arg-type]


def outcome(
    name: str = "debian",
    *,
    before: Status = Status.PENDING_UPLOAD,
    after: Status = Status.OK,
    result: Result = Result.DONE,
    size: int | None = 100,
) -> Outcome:
    """An outcome: a debian image uploaded, unless told otherwise."""
    return Outcome(
        item(name, after, size), before, result, sent_bytes=size or 0, attempts=1, transport="stream"
    )


def report(*outcomes: Outcome, region: str = "Burgos", state: RegionState = RegionState.OK) -> RegionReport:
    """The report of a region."""
    return RegionReport(region, state, outcomes, duration_seconds=1.23456)


def notice(message: str, level: Level = Level.INFO) -> Notice:
    """A line for a person."""
    return Notice(level, message)


def noticed(region: str, message: str, level: Level = Level.INFO) -> Event:
    """The event of a line for a person."""
    return Noticed(region, Notice(level, message))


def image(name: str | None = "debian", image_id: str = "1", **more: object) -> Image:
    """An image of Burgos."""
    region = str(more.pop("region", "Burgos"))
    return Image(region, image_id, name, **more)  # type: ignore[arg-type]


def plan(*items: Item, region: str = "Burgos", notices: tuple[Notice, ...] = ()) -> RegionPlan:
    """A plan with these items and one image to retire."""
    planned = tuple(PlannedImage(one, image(one.name)) for one in items)
    retired = MetadataChange(image("old", "9"), Changes(name="old_obsolete"), "old_obsolete")
    return RegionPlan(region, planned, obsolete=(retired,), notices=notices)


def transfer_events(
    region: str, name: str, size: int, sent: tuple[int, ...], result: Result = Result.DONE
) -> list[Event]:
    """An image's way from start to end, with the byte counts told on the way."""
    done = outcome(name, result=result, size=size)
    return [
        ItemStarted(region, name, Status.PENDING_UPLOAD, size),
        *(ItemProgressed(region, name, count) for count in sent),
        ItemFinished(region, done),
    ]
