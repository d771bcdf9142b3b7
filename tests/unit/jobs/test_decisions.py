"""The rules of the job table that need no table."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, OperationalError

from app.errors import CancelledError, ConfigurationError, LeaseLostError, UnreachableError, UsageError
from app.jobs.execute import Verdict, error_text, judge
from app.jobs.handlers import JobContext, Registry
from app.jobs.lease import LONGEST_DELAY_SECONDS, Lease, LeaseWatch, backoff_seconds
from app.jobs.models import JobState, region_lane
from app.jobs.schedule import Step, next_step, slot_at, slot_start
from app.settings import Schedule

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEASE = Lease(uuid.UUID(int=1), 1, START, expired=False)


@given(attempt=st.integers(1, 10_000), spread=st.floats(0, 1))
def test_a_retry_waits_but_never_endlessly(attempt: int, spread: float) -> None:
    """The pause before the next try is positive and bounded, whatever the attempt."""
    assert 0 < backoff_seconds(attempt, spread) <= 1.5 * LONGEST_DELAY_SECONDS


@given(attempt=st.integers(1, 20), spread=st.floats(0, 1))
def test_each_retry_waits_at_least_as_long_as_the_one_before(attempt: int, spread: float) -> None:
    """Pauses grow, so that a sick server is left alone."""
    assert backoff_seconds(attempt + 1, spread) >= backoff_seconds(attempt, spread)


def test_jobs_that_failed_together_come_back_apart() -> None:
    """Different spreads give different pauses."""
    assert backoff_seconds(3, 0.0) < backoff_seconds(3, 0.5) < backoff_seconds(3, 1.0)


@given(steps=st.lists(st.tuples(st.floats(0.01, 4.9), st.floats(-1e6, 1e6)), max_size=30))
def test_a_worker_that_renews_in_time_keeps_its_job_whatever_the_clocks_say(
    steps: list[tuple[float, float]],
) -> None:
    """A lease that moves is never lost, though the wall clock jumps and calls it expired."""
    watch = LeaseWatch(lease_seconds=30.0, confirm_seconds=5.0)
    steady, wall = 0.0, START
    for pause, jump in steps:
        steady += pause
        wall += timedelta(seconds=jump, microseconds=1)
        assert watch.lost([replace(LEASE, heartbeat_at=wall, expired=jump > 0)], steady) == []


@given(jump=st.floats(-1e6, 1e6), expired=st.booleans())
def test_a_dead_worker_is_found_whatever_the_clocks_say(jump: float, expired: bool) -> None:
    """A lease that stands still for its length is lost, though the wall clock says it has time."""
    watch = LeaseWatch(lease_seconds=30.0, confirm_seconds=5.0)
    lease = replace(LEASE, heartbeat_at=START + timedelta(seconds=jump), expired=expired)
    assert watch.lost([lease], 0.0) == []
    assert watch.lost([lease], 4.9) == []
    assert watch.lost([lease], 30.0) == [lease]


def test_an_expired_lease_is_lost_after_the_confirmation() -> None:
    """After a restart of everything nobody waits a whole lease again."""
    watch = LeaseWatch(lease_seconds=30.0, confirm_seconds=5.0)
    expired = replace(LEASE, expired=True)
    assert watch.lost([expired], 100.0) == []
    assert watch.lost([expired], 105.0) == [expired]


def test_a_new_attempt_is_watched_afresh() -> None:
    """The stillness of an earlier attempt is not held against the next one."""
    watch = LeaseWatch(lease_seconds=30.0, confirm_seconds=5.0)
    watch.lost([LEASE], 0.0)
    again = replace(LEASE, attempt=2)
    assert watch.lost([again], 31.0) == []
    assert watch.lost([], 40.0) == []
    assert watch.lost([again], 62.0) == []


OPERATIONAL = OperationalError("SELECT 1", {}, ConnectionError())


@pytest.mark.parametrize(
    ("error", "called_off", "verdict"),
    [
        (None, False, Verdict.DONE),
        (None, True, Verdict.DONE),
        (CancelledError("x"), True, Verdict.CALLED_OFF),
        (CancelledError("x"), False, Verdict.INTERRUPTED),
        (LeaseLostError("x"), True, Verdict.OVERTAKEN),
        (UnreachableError("x"), False, Verdict.TRY_AGAIN),
        (UsageError("x"), False, Verdict.FAILED),
        (OPERATIONAL, False, Verdict.TRY_AGAIN),
        (IntegrityError("INSERT", {}, ValueError()), False, Verdict.FAILED),
        (TypeError("x"), False, Verdict.FAILED),
        (KeyboardInterrupt(), False, Verdict.INTERRUPTED),
        (SystemExit(0), False, Verdict.INTERRUPTED),
    ],
    ids=lambda value: getattr(type(value), "__name__", None) if isinstance(value, BaseException) else None,
)
def test_how_an_attempt_ended_is_told_by_its_error(
    error: BaseException | None, called_off: bool, verdict: Verdict
) -> None:
    """Passing failures are retried, lasting ones are final, a stop costs nothing."""
    assert judge(error, called_off=called_off) is verdict


def test_foreign_errors_are_not_written_down_in_full() -> None:
    """Text that may hold a secret goes to the log, not into the table."""
    assert error_text(UnreachableError("no answer", where="Burgos")) == "Burgos: no answer"
    assert "hunter2" not in error_text(ValueError("hunter2"))


def hourly(**more: float) -> Schedule:
    """A schedule that begins its periods at full hours."""
    return Schedule("s", "work", 3600.0, **more)  # type: ignore[arg-type]


@given(now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), every=st.integers(1, 10**6))  # noqa: DTZ001
def test_every_moment_lies_in_one_period(now: datetime, every: int) -> None:
    """A period begins at or before each of its moments and ends after it."""
    moment = now.replace(tzinfo=UTC)
    schedule = replace(hourly(offset_seconds=90.0), every_seconds=float(every))
    slot = slot_at(schedule, moment)
    error = timedelta(milliseconds=1)
    assert slot_start(schedule, slot) <= moment + error
    assert slot_start(schedule, slot + 1) > moment - error


def test_periods_begin_at_the_offset() -> None:
    """Every = 24h at 03:30 means half past three UTC."""
    daily = Schedule("s", "work", 86400.0, offset_seconds=3.5 * 3600)
    assert slot_start(daily, slot_at(daily, START)) == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "present", "step"),
    [
        (None, 7, Step.REMEMBER),
        (6, 7, Step.RUN),
        (1, 7, Step.RUN),
        (7, 7, Step.NOTHING),
        (8, 7, Step.NOTHING),
        (9, 7, Step.REMEMBER),
        (9_999, 7, Step.REMEMBER),
    ],
    ids=["new", "next", "missed-some", "same", "slightly-back", "back", "far-back"],
)
def test_what_a_schedule_does_next(known: int | None, present: int, step: Step) -> None:
    """Once per period, no making up for missed ones, no standstill after a clock was corrected."""
    assert next_step(known, present) is step


def test_two_handlers_for_one_kind_are_refused() -> None:
    """Wiring the same kind twice is a mistake, found at the start."""

    def handler(_context: JobContext, _payload: object) -> None:
        return

    registry = Registry()
    registry.register("work", handler)
    with pytest.raises(ConfigurationError, match="work"):
        registry.register("work", handler)
    assert registry.kinds == ("work",)
    assert registry.handler("work") is handler


def test_final_states_and_lane_names() -> None:
    """What is over is over; a region's lane is named after it, target included."""
    assert {state for state in JobState if state.is_final} == {
        JobState.DONE,
        JobState.FAILED,
        JobState.CANCELLED,
    }
    assert region_lane("other:Burgos") == "region.other:Burgos"
