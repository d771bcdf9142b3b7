"""Answers about regions, rendered once for each state of a region and each way to ask."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

MAX_BYTES = 32 * 1024 * 1024
MAX_BODIES = 512

Key = tuple[object, ...]
"""Region, revision, time of the plan, and the query: everything that the body depends on."""


@dataclass(slots=True, eq=False)
class RegionBodies:
    """The bodies asked for last, bounded in number and size; safe for many threads."""

    max_bytes: int = MAX_BYTES
    max_bodies: int = MAX_BODIES
    _held: OrderedDict[Key, bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def get(self, key: Key, make: Callable[[], dict[str, Any]]) -> bytes:
        """The body for the key, made now if it is not there."""
        with self._lock:
            body = self._held.get(key)
            if body is not None:
                self._held.move_to_end(key)
                return body
        body = rendered(make())
        with self._lock:
            self._keep(key, body)
        return body

    def _keep(self, key: Key, body: bytes) -> None:
        self._bytes += len(body) - len(self._held.get(key, b""))
        self._held[key] = body
        self._held.move_to_end(key)
        while self._bytes > self.max_bytes or len(self._held) > self.max_bodies:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped)

    def __len__(self) -> int:
        return len(self._held)


def rendered(body: dict[str, Any]) -> bytes:
    """JSON with the keys in the order they were given."""
    # A lone surrogate can only come from a request that is being refused.
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def etag(key: Key) -> str:
    """A strong validator: equal keys have equal bodies."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:32]
