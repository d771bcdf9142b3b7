"""Who made a half-finished image, and whether that process still works on it (spec images 14.6).

A writer is named by machine, process namespace, process id and its start time, so that neither a
reboot, nor a reused process id, nor a container beside us is mistaken for a living (or dead) one.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

FOREIGN_GRACE = timedelta(hours=24)
"""How long the marks of a writer that we cannot see (another machine) are respected."""

_STAT_START_FIELD = 19
"""Position of the start time in /proc/PID/stat, counted after the command name."""


class Writer(StrEnum):
    """What is known of the process that left a mark."""

    SELF = "self"
    ALIVE = "alive"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    namespace = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(")")[2].split()[_STAT_START_FIELD]


LEASED = ":leased"
"""Ending of the name of a writer that holds the region's lease in the service's database."""


def this_writer(*, leased: bool = False) -> str:
    """The name of the present process.

    Args:
        leased: whether it holds the region's lease. Whoever holds the lease next then knows that this
            writer has lost it, wherever it runs and even if it is still alive.

    """
    return f"{_machine()}:{os.getpid()}:{_start_time(os.getpid())}{LEASED if leased else ''}"


def has_lost_its_lease(writer: str, *, leased: bool) -> bool:
    """Whether the mark is of a writer that worked under the lease which we hold now."""
    return leased and writer.endswith(LEASED)


def look_up(writer: str) -> Writer:
    """What became of a writer. A mark that cannot be read counts as gone."""
    writer = writer.removesuffix(LEASED)
    if writer == this_writer():
        return Writer.SELF
    machine, _, rest = writer.partition(":")
    pid, _, start = rest.partition(":")
    if not (machine and pid.isdigit() and start):
        return Writer.GONE
    if machine != _machine():
        return Writer.ELSEWHERE
    return Writer.ALIVE if _start_time(int(pid)) == start else Writer.GONE


def is_abandoned(writer: Writer, created_at: str | None, now: datetime) -> bool:
    """Whether an image in the making may be taken over or removed. Pure.

    Args:
        created_at: ISO 8601 time of the image's creation; unknown counts as old.
        now: the present time with time zone.

    """
    if writer in (Writer.SELF, Writer.GONE):
        return True
    if writer is Writer.ALIVE:
        return False
    try:
        created = datetime.fromisoformat(created_at or "")
    except ValueError:
        return True
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return now - created > FOREIGN_GRACE
