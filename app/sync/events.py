"""What a run tells while it goes on. Bars, log lines, rows and streams all listen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.sync.status import Notice, Outcome, RegionReport, Status


@dataclass(frozen=True, slots=True)
class RegionStarted:
    """A region's plan is made: so many items, so many bytes to bring (None: unknown)."""

    region: str
    items: int
    pending_bytes: int


@dataclass(frozen=True, slots=True)
class Noticed:
    """A line for a person."""

    region: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class ItemStarted:
    """Work on one item begins."""

    region: str
    name: str
    status: Status
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class ItemProgressed:
    """So many bytes of the item have been sent in the present attempt."""

    region: str
    name: str
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class ItemFinished:
    """One item is settled for this run."""

    region: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RegionFinished:
    """A region is settled for this run."""

    report: RegionReport


Event = RegionStarted | Noticed | ItemStarted | ItemProgressed | ItemFinished | RegionFinished
Listener = Callable[[Event], None]
"""Called from worker threads, one call at a time per region; must not block or raise."""
