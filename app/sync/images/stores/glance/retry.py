"""Trying again: how often, how long apart, and for how long in all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.errors import RemoteError, RemoteFaultError

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
LONGEST_PATIENCE_SECONDS = 120.0
"""Sum of the pauses of one call: with it one dead service cannot hold a run for ever."""

T = TypeVar("T")


class Deadline:
    """A moment after which an answer is of no use. ``clock`` counts seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.seconds = seconds

    @property
    def remaining_seconds(self) -> float:
        """What is left, zero when it has passed."""
        return max(0.0, self._end - self._clock())


def delay_seconds(attempt: int, retry_after_seconds: float | None, draw: float) -> float:
    """The pause before attempt number ``attempt + 1``.

    Doubles with each attempt, with jitter (``draw`` in 0..1) so that many clients do not return in
    step; a server's Retry-After is obeyed up to ``LONGEST_DELAY_SECONDS``.
    """
    if retry_after_seconds is not None:
        return min(retry_after_seconds, LONGEST_DELAY_SECONDS)
    ceiling = min(FIRST_DELAY_SECONDS * float(2 ** min(attempt, 16)), LONGEST_DELAY_SECONDS)
    return ceiling * (0.5 + draw / 2)


@dataclass(frozen=True)
class Retrier:
    """Repeats a call while its error says that this can help.

    Args:
        retries: further attempts after the first.
        sleep: pauses for a number of seconds.
        draw: a random number in 0..1.

    """

    retries: int
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = field(default=random.random)

    def run(
        self, call: Callable[[int], T], *, repeatable: bool = True, deadline: Deadline | None = None
    ) -> T:
        """Result of ``call(attempt)``, attempts counted from 0.

        Raises the last error: no pause is begun that would outlast ``deadline``.
        """
        patience = LONGEST_PATIENCE_SECONDS
        attempt = 0
        while True:
            try:
                return call(attempt)
            except RemoteError as error:
                pause = delay_seconds(attempt, _asked(error), self.draw())
                left = patience if deadline is None else min(patience, deadline.remaining_seconds)
                last = not repeatable or attempt >= self.retries
                if last or not error.retryable or pause > left:
                    raise
            patience -= pause
            attempt += 1
            self.sleep(pause)


def _asked(error: RemoteError) -> float | None:
    return error.retry_after_seconds if isinstance(error, RemoteFaultError) else None
