"""A bounded place for what Keystone said about tokens, in the process's own memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from time import monotonic

MAX_TOKENS = 5000


class TokenStore:
    """Validated tokens for ``keystonemiddleware``, by the digest it makes of them.

    Its own in-process cache looks at every entry on every request and forgets none but the expired.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._held: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """What is known under the key, unless its time is over."""
        with self._lock:
            until, data = self._held.get(key, (0.0, b""))
            if monotonic() < until:
                return data
            self._held.pop(key, None)
            return None

    def set(self, key: str, value: bytes, time: float = 0) -> None:
        """Keep a value for ``time`` seconds; not at all if that is not more than 0."""
        if time <= 0:
            return
        with self._lock:
            self._held[key] = (monotonic() + time, value)
            self._held.move_to_end(key)
            while len(self._held) > self._max_tokens:
                self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)

    def __bool__(self) -> bool:
        # The middleware takes an empty store for none at all otherwise.
        return True
