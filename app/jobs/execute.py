"""Runs one job and writes down how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from time import sleep
from types import TracebackType

from sqlalchemy.exc import DBAPIError, OperationalError

from app.errors import CancelledError, LeaseLostError, SynclineError
from app.jobs.handlers import JobContext, Registry
from app.jobs.models import JobState
from app.jobs.pulse import Pulse

log = logging.getLogger(__name__)

WRITE_RETRY_SECONDS = 0.2


class Verdict(Enum):
    """What an attempt came to."""

    DONE = auto()
    CALLED_OFF = auto()
    INTERRUPTED = auto()
    OVERTAKEN = auto()
    TRY_AGAIN = auto()
    FAILED = auto()


def judge(error: BaseException | None, *, called_off: bool) -> Verdict:
    """What the handler's exception (None: it returned) says about its job.

    A database that went away is worth another try; an error that nobody foresaw is not, because
    it would only happen again.
    """
    if error is None:
        return Verdict.DONE
    if isinstance(error, LeaseLostError):
        return Verdict.OVERTAKEN
    if isinstance(error, CancelledError):
        return Verdict.CALLED_OFF if called_off else Verdict.INTERRUPTED
    if isinstance(error, SynclineError):
        return Verdict.TRY_AGAIN if error.retryable else Verdict.FAILED
    if isinstance(error, OperationalError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        return Verdict.TRY_AGAIN
    return Verdict.FAILED if isinstance(error, Exception) else Verdict.INTERRUPTED


def error_text(error: BaseException | None) -> str:
    """What is written next to the job: only our own errors are known to hold no secret."""
    if isinstance(error, SynclineError):
        return str(error)
    return f"internal error ({type(error).__name__}); the worker's log has the details"


class _Settlement:
    """Around the handler: writes its end, lets pass on what nobody foresaw.

    An unforeseen exception leaves the process in an unknown state, so it goes on to end the
    process; the supervisor starts a fresh one.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        verdict = judge(error, called_off=self._context.standing.called_off)
        text = error_text(error)
        persist(self._context, lambda: self._write(verdict, text))
        if verdict is not Verdict.DONE:
            job = self._context.job
            log.warning("job %s (%s) attempt %d: %s %s", job.id, job.kind, job.attempt, verdict.name, text)
        return isinstance(error, SynclineError) or verdict is Verdict.TRY_AGAIN

    def _write(self, verdict: Verdict, text: str) -> None:
        leases, job = self._context.leases, self._context.job
        match verdict:
            case Verdict.DONE:
                leases.finish(job)
            case Verdict.CALLED_OFF:
                leases.cancel(job)
            case Verdict.INTERRUPTED:
                leases.release(job)
            case Verdict.TRY_AGAIN | Verdict.FAILED:
                state = leases.fail(job, text, retry=verdict is Verdict.TRY_AGAIN)
                if state is JobState.FAILED:
                    log.error("job %s (%s) has failed: %s", job.id, job.kind, text)
            case Verdict.OVERTAKEN:
                return


def persist(context: JobContext, write: Callable[[], None]) -> None:
    """Write the end of a job, through a database that may be away for a while.

    While it is away nobody else can take the job, and afterwards the fence tells; so trying again
    does no harm, and only the end of this process ends it.
    """
    while True:
        try:
            write()
        except LeaseLostError as error:
            log.warning("%s", error)
            return
        except OperationalError as error:
            if context.standing.stopping:
                log.warning("the end of job %s cannot be written: %s", context.job.id, error.orig)
                return
            sleep(WRITE_RETRY_SECONDS)
        else:
            return


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs claimed jobs one after another in this process."""

    registry: Registry
    pulse: Pulse

    def run(self, context: JobContext) -> None:
        """Do one job. Raises only what its handler was not meant to raise."""
        handler = self.registry.handler(context.job.kind)
        with self.pulse.holding(context), _Settlement(context):
            handler(context, context.job.payload)
