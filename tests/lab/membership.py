"""Joining a lab: start it if nobody has, hold it while in use, let it end with its last user."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.lab.description import Description
from tests.lab.places import ROOT, LabError, lab_venv
from tests.lab.prepare import HOST
from tests.lab.supervisor import DESCRIPTION_FILE
from tests.lab.template import file_lock

STOP_LIMIT_SECONDS = 30


@contextmanager
def membership(directory: Path) -> Iterator[Description]:
    """Use the lab of ``directory``, with other processes that use it at the same time.

    It is started by the first to come and has ended when the last one leaves this context. A process that is
    killed leaves too: the kernel closes its connection.
    """
    lab_venv()
    home = directory / "home"
    with file_lock(directory / "lab.lock"):
        joined = _join(home)
        if joined is None:
            _start(home)
            joined = _join(home)
    if joined is None:
        raise LabError(f"the lab in {home} ended as soon as it had started; see the logs there")
    description, connection = joined
    try:
        yield description
    finally:
        _leave(connection)


def _join(home: Path) -> tuple[Description, socket.socket] | None:
    """Connect to a running lab; None if there is none."""
    with suppress(FileNotFoundError, ConnectionError):
        description = Description.from_json((home / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        return description, socket.create_connection(
            (HOST, description.control_port), timeout=STOP_LIMIT_SECONDS
        )
    return None


def _start(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with (home / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.supervisor", str(home)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert supervisor.stdout is not None
    with supervisor.stdout as answer:
        first = answer.readline().decode()
        if first.strip() == "ready":
            return
        rest = answer.read().decode()
    supervisor.wait()
    trace = (home / "supervisor.log").read_text(encoding="utf-8", errors="replace")
    raise LabError(f"{first}{rest}{trace[-3000:]}" or f"the lab did not start; see {home}")


def _leave(connection: socket.socket) -> None:
    """Say goodbye and wait until it is seen; the last user waits for the end of all services."""
    with connection:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(STOP_LIMIT_SECONDS)
        with suppress(ConnectionError):
            connection.recv(1)
