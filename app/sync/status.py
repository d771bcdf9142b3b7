"""The status vocabulary shared by every kind of content (design: Vocabulary)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Where one item of one region stands (spec images 4.6, 14.9)."""

    OK = "ok"
    OK_STALLED_CHECKSUM = "ok_stalled_checksum"
    ERROR_CHECKSUM = "error_checksum"
    ERROR_AMI = "error_ami"
    ERROR_CONDITION = "error_condition"
    ERROR_FORMAT = "error_format"
    PENDING_METADATA = "pending_metadata"
    PENDING_UPLOAD = "pending_upload"
    PENDING_REPLACE = "pending_replace"
    PENDING_RENAME = "pending_rename"
    PENDING_AMI = "pending_ami"

    @property
    def is_error(self) -> bool:
        """Whether a person has to decide before the item can converge."""
        return self.value.startswith("error_")

    @property
    def is_pending(self) -> bool:
        """Whether the next run will work on the item."""
        return self.value.startswith("pending_")

    @property
    def needs_content(self) -> bool:
        """Whether the item's bytes must be brought to the region."""
        return self in (Status.PENDING_UPLOAD, Status.PENDING_REPLACE, Status.PENDING_RENAME)


class Level(StrEnum):
    """Severity of a notice, as the command line prints it."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for a person. ``message`` already names the region where it matters."""

    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in one region, with exactly one status.

    Attributes:
        reasons: what differs, machine-readable (spec images 14.9), e.g. ``property:nid``.
        error: text of the last failure; a failed copy keeps its pending status.

    """

    region: str
    name: str
    status: Status
    size_bytes: int | None = None
    reasons: tuple[str, ...] = ()
    error: str | None = None
    source_id: str | None = None
    destination_id: str | None = None


class Result(StrEnum):
    """What applying one item came to."""

    UNCHANGED = "unchanged"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one item: ``item`` is its state afterwards, ``before`` its planned status."""

    item: Item
    before: Status
    result: Result
    sent_bytes: int = 0
    attempts: int = 0
    transport: str | None = None


class RegionState(StrEnum):
    """Result of one region's run."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RegionReport:
    """Everything one run over one region came to."""

    region: str
    state: RegionState
    outcomes: tuple[Outcome, ...] = ()
    notices: tuple[Notice, ...] = ()
    sent_bytes: int = 0
    duration_seconds: float = 0.0
    error: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
