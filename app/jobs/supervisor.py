"""Starts worker processes, replaces those that die, and ends all in good order.

The supervisor itself opens no client and starts no thread, so that forking is safe at any time.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import ForkProcess
from time import monotonic
from types import FrameType

from app.jobs.stop import StopFlag

log = logging.getLogger(__name__)

QUICK_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 10.0
KILL_AFTER_GRACE_SECONDS = 10.0
_WATCH_SECONDS = 0.2
_MINDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Program:
    """What one child process does until its flag is set."""

    name: str
    run: Callable[[StopFlag], None]


@dataclass(slots=True)
class _Child:
    program: Program
    process: ForkProcess
    started_at: float
    quick_deaths: int = 0


@contextmanager
def _signals_held() -> Iterator[None]:
    """No signal is handled meanwhile; one that comes is handled afterwards."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _MINDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _MINDED)


def _child_main(program: Program, parent: int) -> None:
    """A child's first steps: its own answers to signals, then its program."""
    stop = StopFlag(parent)
    stop.on([signal.SIGTERM])
    # A terminal sends Ctrl-C to all; only the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _MINDED)
    program.run(stop)


class Supervisor:
    """Keeps one child alive for each program.

    Args:
        programs: tells what is to run; asked again on SIGHUP. What it raises then is the caller's
            to have handled: it must return the old programs where the new settings are wrong.
        grace_seconds: what children are given to end; then they are killed, and their jobs are
            taken up by others when the leases run out.

    """

    def __init__(self, programs: Callable[[], list[Program]], grace_seconds: float) -> None:
        self._programs = programs
        self._grace_seconds = grace_seconds
        self._children: list[_Child] = []
        self._retiring: list[_Child] = []
        self._waiting: list[tuple[float, Program, int]] = []
        self._stop = StopFlag()
        self._impatient = False
        self._reload = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second one ends all at once. SIGHUP replaces the children."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        self._start_all()
        while not self._stop.is_set():
            self._watch(_WATCH_SECONDS)
            if self._reload:
                self._reload = False
                self._replace_all()
        self._end_all()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._impatient = self._stop.is_set()
        self._stop.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True

    def _start_all(self) -> None:
        for program in self._programs():
            self._start(program, 0)

    def _start(self, program: Program, quick_deaths: int) -> None:
        process = _fork.Process(target=_child_main, args=(program, os.getpid()), name=program.name)
        with _signals_held():
            process.start()
        log.info("%s: process %s started", program.name, process.pid)
        self._children.append(_Child(program, process, monotonic(), quick_deaths))

    def _replace_all(self) -> None:
        log.info("reload: children are replaced as they end their jobs")
        self._waiting.clear()
        old, self._children = self._children, []
        self._retiring += old
        for child in old:
            child.process.terminate()
        self._start_all()

    def _watch(self, seconds: float) -> None:
        """Wait for a death, a signal or the time; then see who is gone and who may come back."""
        wait_for([child.process.sentinel for child in self._children + self._retiring], seconds)
        self._retiring = [child for child in self._retiring if child.process.is_alive()]
        dead = [child for child in self._children if not child.process.is_alive()]
        self._children = [child for child in self._children if child not in dead]
        if self._stop.is_set():
            return
        for child in dead:
            self._mourn(child)
        due = [entry for entry in self._waiting if entry[0] <= monotonic()]
        self._waiting = [entry for entry in self._waiting if entry not in due]
        for _, program, quick_deaths in due:
            self._start(program, quick_deaths)

    def _mourn(self, child: _Child) -> None:
        log.warning(
            "%s: process %s ended with %s", child.program.name, child.process.pid, child.process.exitcode
        )
        quick = monotonic() - child.started_at < QUICK_SECONDS
        deaths = child.quick_deaths + 1 if quick else 0
        # The first death is answered at once; one after the other in quick succession is not.
        pause = 0.0 if deaths <= 1 else min(LONGEST_PAUSE_SECONDS, 0.25 * 2.0 ** min(deaths, 10))
        self._waiting.append((monotonic() + pause, child.program, deaths))

    def _end_all(self) -> None:
        for child in self._children:
            child.process.terminate()
        deadline = monotonic() + self._grace_seconds + KILL_AFTER_GRACE_SECONDS
        while self._children + self._retiring:
            self._watch(_WATCH_SECONDS)
            if self._impatient or monotonic() > deadline:
                for child in self._children + self._retiring:
                    child.process.kill()
        log.info("all processes have ended")
