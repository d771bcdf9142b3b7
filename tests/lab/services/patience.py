"""Make SQLite wait its turn, and make a service die with the process that runs it."""

from __future__ import annotations

import ctypes
import signal
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent is gone, however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@sqlalchemy.event.listens_for(Engine, "before_cursor_execute", retval=True)
def begin_immediately(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Take the write lock at once.

    A read transaction that wants to write later cannot wait in SQLite: it fails with 'database is locked'
    however long the timeout is.
    """
    return ("BEGIN IMMEDIATE" if statement == "BEGIN" else statement), parameters
