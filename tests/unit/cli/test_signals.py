"""The first signal asks, the second one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from app.cli.signals import SIGNALS, stop_on_signals

STUBBORN = """
import sys, threading, signal
from app.cli.signals import stop_on_signals
stop = threading.Event()
with stop_on_signals(stop):
    print("ready", flush=True)
    stop.wait()
    print("asked", flush=True)
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_first_signal_sets_the_stop_event(number: signal.Signals) -> None:
    """SIGINT and SIGTERM ask for an orderly end, and the exit code tells which one came."""
    stop = threading.Event()
    with stop_on_signals(stop) as interruption:
        assert interruption.exit_code is None
        os.kill(os.getpid(), number)
        assert stop.wait(10)
    assert interruption.exit_code == 128 + number


def test_handlers_are_put_back() -> None:
    """After the run signals mean what they meant before."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signals(threading.Event()):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_second_signal_ends_at_once(number: signal.Signals) -> None:
    """A program that does not come to its end is ended by the second signal."""
    program = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(number)
        assert program.stdout.readline() == "asked\n"
        program.send_signal(number)
        assert program.wait(20) == -number
    finally:
        program.kill()
        program.communicate()


def test_other_threads_leave_signals_alone() -> None:
    """A run inside a service's thread does not take over the service's signals."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def run() -> None:
        with stop_on_signals(threading.Event()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
