"""Trying again helps where it can, and ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QuotaError,
    RemoteError,
    RemoteFaultError,
    RemoteTimeoutError,
    UnreachableError,
)
from app.sync.images.stores.glance.api import is_repeatable
from app.sync.images.stores.glance.retry import (
    LONGEST_DELAY_SECONDS,
    LONGEST_PATIENCE_SECONDS,
    Deadline,
    Retrier,
    delay_seconds,
)


@dataclass
class Clock:
    """Time that passes only by sleeping."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def time(self) -> float:
        """Seconds since the beginning."""
        return self.now


def failing(*errors: RemoteError) -> tuple[list[int], object]:
    """A call that raises these errors in turn and then gives ``done``; and the attempts it saw."""
    seen: list[int] = []

    def call(attempt: int) -> str:
        seen.append(attempt)
        if attempt < len(errors):
            raise errors[attempt]
        return "done"

    return seen, call


@pytest.mark.parametrize("error", [UnreachableError("x"), RemoteTimeoutError("x"), RemoteFaultError("x")])
def test_passing_failure_is_tried_again(error: RemoteError) -> None:
    """A call that fails for a moment succeeds in the end."""
    clock = Clock()
    seen, call = failing(error, error)
    assert Retrier(3, clock.sleep).run(call) == "done"  # type: ignore[arg-type]
    assert seen == [0, 1, 2]
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "error",
    [ForbiddenError("x"), NotFoundError("x"), ConflictError("x"), QuotaError("x"), AuthenticationError("x")],
)
def test_lasting_failure_is_not(error: RemoteError) -> None:
    """What a second attempt cannot change is reported at once."""
    clock = Clock()
    seen, call = failing(error)
    with pytest.raises(type(error)):
        Retrier(3, clock.sleep).run(call)  # type: ignore[arg-type]
    assert (seen, clock.slept) == ([0], [])


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_retries_are_those_of_the_target(retries: int) -> None:
    """After so many further attempts the last error is raised."""
    errors = [UnreachableError(str(number)) for number in range(9)]
    seen, call = failing(*errors)
    with pytest.raises(UnreachableError) as caught:
        Retrier(retries, Clock().sleep).run(call)  # type: ignore[arg-type]
    assert caught.value is errors[retries]
    assert seen == list(range(retries + 1))


def test_what_may_not_be_repeated_is_not() -> None:
    """A call that may have been carried out is never blindly made again."""
    seen, call = failing(UnreachableError("x"))
    with pytest.raises(UnreachableError):
        Retrier(5, Clock().sleep).run(call, repeatable=False)  # type: ignore[arg-type]
    assert seen == [0]


def test_retry_after_is_obeyed_within_reason() -> None:
    """A server's wish for patience replaces our pause, but cannot stop a run for an hour."""
    clock = Clock()
    _, call = failing(
        RemoteFaultError("x", retry_after_seconds=7), RemoteFaultError("x", retry_after_seconds=3600)
    )
    assert Retrier(3, clock.sleep).run(call) == "done"  # type: ignore[arg-type]
    assert clock.slept == [7, LONGEST_DELAY_SECONDS]


def test_deadline_ends_the_attempts() -> None:
    """No pause is begun that would outlast the deadline."""
    clock = Clock()
    deadline = Deadline(10, clock.time)
    errors = [RemoteFaultError("x", retry_after_seconds=4)] * 9
    seen, call = failing(*errors)
    with pytest.raises(RemoteFaultError):
        Retrier(9, clock.sleep).run(call, deadline=deadline)  # type: ignore[arg-type]
    assert clock.now == 8
    assert len(seen) == 3
    assert deadline.remaining_seconds == 2


def test_pauses_of_one_call_are_bounded_in_all() -> None:
    """However many retries are configured, one dead server does not hold a run for ever."""
    clock = Clock()
    _, call = failing(*[RemoteFaultError("x", retry_after_seconds=30)] * 1000)
    with pytest.raises(RemoteFaultError):
        Retrier(999, clock.sleep).run(call)  # type: ignore[arg-type]
    assert clock.now <= LONGEST_PATIENCE_SECONDS


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pause_grows_with_jitter_and_has_a_ceiling(attempt: int, draw: float) -> None:
    """Pauses double and never exceed the ceiling; many clients do not return in step."""
    pause = delay_seconds(attempt, None, draw)
    assert 0 < pause <= LONGEST_DELAY_SECONDS
    assert pause <= 2 * delay_seconds(attempt, None, 0)
    assert delay_seconds(attempt + 1, None, draw) >= pause


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v2/images", True),
        ("PATCH", "/v2/images/1", True),
        ("DELETE", "/v2/images/1", True),
        ("POST", "/v2/images", False),
        ("POST", "/v2/images/1/import", False),
        ("PUT", "/v2/images/1/file", False),
        ("PUT", "/v2/images/1/stage", False),
        ("POST", "/v2/images/1/actions/deactivate", True),
        ("POST", "/v2/images/1/actions/reactivate", True),
        ("POST", "/v2/images/1/members", True),
    ],
)
def test_only_calls_that_can_be_repeated_are(method: str, path: str, expected: bool) -> None:
    """Data and imports are never sent twice without the engine's knowledge."""
    assert is_repeatable(method, path) is expected
