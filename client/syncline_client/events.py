"""Server-sent events: bytes in, events out. No I/O here.

The format is that of the HTML standard (section "Server-sent events"): fields ``event``, ``data`` and
``id``, lines ended by LF, CR or CRLF, an empty line after each event, comments as signs of life.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncline_client.errors import AnswerError

EVENT_BYTES = 1024 * 1024
"""Longest event that is read; the service's own are some hundred bytes."""

ENDED = "ended"
"""Kind of the last event of a task."""

_RETRY_DIGITS = 9
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a task.

    Attributes:
        kind: ``started``, ``notice``, ``item_started``, ``progress``, ``item_finished``, ``ended``; and
            ``task`` while the task is polled because the service has no stream to spare.
        data: what the kind calls for, see docs/client.md; for ``task`` the task as the API shows it.
        id: rises with time; empty for an event that was polled.

    """

    kind: str
    data: Mapping[str, Any]
    id: str = ""

    @property
    def is_last(self) -> bool:
        """Whether the task has ended."""
        return self.kind == ENDED


@dataclass(slots=True)
class EventParser:
    """Puts events together from pieces of a stream, wherever the pieces were cut.

    Attributes:
        retry_seconds: how long the stream asks a client to wait before it comes back.

    Raises:
        AnswerError: from ``feed``: an event is longer than ``limit_bytes``, or its data is no JSON object.

    """

    limit_bytes: int = EVENT_BYTES
    retry_seconds: float = 0.0
    _pending: bytes = b""
    _data: list[bytes] = field(default_factory=list)
    _data_bytes: int = 0
    _kind: str = ""
    _id: str = ""
    _begun: bool = False
    _after_cr: bool = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete with this piece."""
        taken = (self._take(line) for line in self._lines(piece))
        events = [event for event in taken if event is not None]
        if len(self._pending) + self._data_bytes > self.limit_bytes:
            raise AnswerError(f"an event is longer than {self.limit_bytes} bytes")
        return events

    def _lines(self, piece: bytes) -> list[bytes]:
        """The lines that are complete with this piece; the rest waits for the next one."""
        if self._after_cr and piece:
            # The CR has ended its line already: an LF right behind it belongs to it.
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if not piece:
            return []
        self._after_cr = piece.endswith(b"\r")
        whole = (self._pending + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._pending = whole.split(b"\n")
        return [self._without_bom(line) for line in lines]

    def _without_bom(self, line: bytes) -> bytes:
        first, self._begun = not self._begun, True
        return line.removeprefix(_BOM) if first else line

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > self.limit_bytes:
                raise AnswerError(f"an event is longer than {self.limit_bytes} bytes")
        elif name == b"event":
            self._kind = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry_seconds = int(value[:_RETRY_DIGITS]) / 1000
        return None

    def _dispatch(self) -> Event | None:
        text, kind = b"\n".join(self._data), self._kind or "message"
        seen = bool(self._data)
        self._data, self._data_bytes, self._kind = [], 0, ""
        return Event(kind, _decoded(text), self._id) if seen else None


def _decoded(text: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError("an event's data is not JSON") from error
    if not isinstance(data, dict):
        raise AnswerError("an event's data is not a JSON object")
    return data
