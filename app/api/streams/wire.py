"""Server-sent events as bytes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

HEARTBEAT = b": heartbeat\n\n"
RETRY_MILLISECONDS = 2000
OPENING = f"retry: {RETRY_MILLISECONDS}\n\n".encode()
"""What a stream starts with: how soon a client that lost it may come back."""


def event(event_id: int, kind: str, data: Mapping[str, object]) -> bytes:
    """One event; JSON keeps the data on one line."""
    text = json.dumps(data, separators=(",", ":"))
    return f"id: {event_id}\nevent: {kind}\ndata: {text}\n\n".encode()


def response_head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of an HTTP/1.1 answer whose body ends with the connection."""
    left_out = {"connection", "content-length", "transfer-encoding"}
    kept = [(name, value) for name, value in headers if name.lower() not in left_out]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in kept), "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
