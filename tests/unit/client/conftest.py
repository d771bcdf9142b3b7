"""The client under test never waits for real."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syncline_client import Client, Limits
from syncline_client.following import Patience

from tests.unit.client.scripted import Scripted

ClientFactory = Callable[..., Client]


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_seconds = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_seconds

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.pauses.append(seconds)
        self.now_seconds += seconds


@pytest.fixture
def clock() -> Clock:
    """The clock of ``client_of``."""
    return Clock()


@pytest.fixture
def client_of(clock: Clock) -> ClientFactory:
    """Makes a client of a scripted server."""

    def make(server: Scripted | str, **limits: float) -> Client:
        url = server if isinstance(server, str) else server.url
        patience = Patience(max_failures=4, sleep=clock.sleep, clock=clock)
        return Client.noauth(url, limits=Limits(**limits), patience=patience)  # type: ignore[arg-type]

    return make
