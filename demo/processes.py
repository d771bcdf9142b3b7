"""The service's processes for a demonstration: started, watched, ended by their ids."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 60.0
HOST = "127.0.0.1"


class DemoError(Exception):
    """The demonstration cannot go on; the text says why."""


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers.

    Attributes:
        home: folder of its logs, ``web.log`` and ``worker.log``.

    """

    url: str
    home: Path
    processes: Mapping[str, int]


def environment(home: Path, port: int, options: Mapping[str, str]) -> dict[str, str]:
    """The variables that a demonstration's processes get: nothing of the caller's own service."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SYNCLINE_", "GLANCESYNC", "OS_", "PROMETHEUS_"))
    }
    # A settings file of this machine's own service must not be read.
    empty = home / "syncline.cfg"
    empty.write_text("# Everything comes from the environment here.\n", encoding="utf-8")
    given = {
        "SYNCLINE_SETTINGS_FILE": str(empty),
        "SYNCLINE_STATE_DIR": str(home / "state"),
        "SYNCLINE_HOST": HOST,
        "SYNCLINE_PORT": str(port),
        "SYNCLINE_WORKERS": "1",
        "SYNCLINE_LOG_FORMAT": "text",
    }
    return {**kept, **given, **options}


@contextmanager
def _process(
    command: str, home: Path, log: str, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with (home / log).open("wb") as output:
        # In a session of its own, so that Ctrl-C reaches us alone and we end it in good order.
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), command],
            env=dict(variables),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(url: str, home: Path, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                tail = (home / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise DemoError(f"{name} ended with {process.returncode}:\n{tail}")
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return
        except requests.ConnectionError:
            # It does not listen yet.
            time.sleep(0.05)
        if time.monotonic() > deadline:
            raise DemoError(f"the service is not ready after {START_SECONDS:.0f} s; see {home}")
        time.sleep(0.05)


@contextmanager
def service(home: Path, options: Mapping[str, str]) -> Iterator[Running]:
    """Database, web processes and one worker; all have ended when this is left, however that happens.

    Raises:
        DemoError: it does not start.

    """
    port = free_port()
    url = f"http://{HOST}:{port}"
    variables = environment(home, port, options)
    made = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "db", "upgrade"],
        env=variables,
        cwd=home,
        check=False,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    if made.returncode:
        raise DemoError(f"the database cannot be made:\n{made.stderr}")
    with ExitStack() as stack:
        processes = {
            "web": stack.enter_context(_process("gunicornserver", home, "web.log", variables)),
            "worker": stack.enter_context(_process("worker", home, "worker.log", variables)),
        }
        _wait_until_ready(url, home, processes)
        yield Running(url, home, {name: process.pid for name, process in processes.items()})
