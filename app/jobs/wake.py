"""Wake-up calls between processes of one machine: a datagram of one byte that says "look now".

Each supervisor binds one socket below the state folder before it forks; its workers share it, so
that a call wakes one of them. Nothing depends on a call: whoever misses it looks again anyway.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.jobs.stop import StopFlag

log = logging.getLogger(__name__)

_LONGEST_ADDRESS = 100
_SUFFIX = ".sock"


def wake_dir(state_dir: Path) -> Path:
    """Where the sockets of this machine's supervisors lie."""
    return state_dir / "wake"


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's address; a long path is shortened through a descriptor of its folder."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_DIRECTORY | os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class WakeListener:
    """The receiving end: opened by a supervisor, used by its workers."""

    def __init__(self, state_dir: Path) -> None:
        folder = wake_dir(state_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}{_SUFFIX}"
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _address(self._path) as address:
            self._socket.bind(address)

    def wait(self, seconds: float, stop: StopFlag) -> None:
        """Sleep until a call comes, the process is to stop, or the time is over."""
        stop.wait(seconds, also=self._socket.fileno())
        # Another worker may have been faster; then this one goes back to sleep after a look.
        with suppress(BlockingIOError):
            self._socket.recv(1)

    def close(self) -> None:
        """Take the socket away (supervisor only)."""
        self._path.unlink(missing_ok=True)
        self._socket.close()


class WakeCaller:
    """The sending end: used by whoever adds work."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = wake_dir(state_dir)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def call(self) -> None:
        """Wake one worker of each supervisor of this machine. Never waits, never fails."""
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if path.suffix == _SUFFIX:
                    self._send(path)

    def _send(self, path: Path) -> None:
        try:
            with _address(path) as address:
                self._socket.sendto(b"\0", address)
        except ConnectionRefusedError:
            # Its supervisor was killed and could not tidy up.
            path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            # Enough calls wait there already, or it has just gone.
            return
        except OSError as error:
            log.debug("no wake-up through %s: %s", path, error)
