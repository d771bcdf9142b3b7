"""The process that owns a running lab: starts the services, waits for its users to leave, stops everything.

``python -m tests.lab.supervisor DIRECTORY`` prints one line when the lab is up. Every user holds a connection
to the control port; when the last one is closed, by itself or by the kernel after a kill, the lab ends. The
services die with this process, however it goes (parent-death signal), so nothing can be left over.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.description import Description
from tests.lab.places import SERVICES, LabError, lab_venv
from tests.lab.plan import FEDERATIONS
from tests.lab.prepare import Service, listen, prepare_federation
from tests.lab.template import ensure_template

READY_LIMIT_SECONDS = 60
FIRST_USER_LIMIT_SECONDS = 60
THREADS = 16
DESCRIPTION_FILE = "lab.json"
PR_SET_PDEATHSIG = 1
C_LIBRARY = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In the child before exec: SIGKILL when the supervisor is gone."""
    C_LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(service: Service) -> subprocess.Popen[bytes]:
    """Run gunicorn on the service's socket."""
    descriptor = service.listener.fileno()
    command = [
        str(lab_venv() / "bin" / "gunicorn"),
        *("--bind", f"fd://{descriptor}", "--chdir", str(SERVICES)),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(THREADS)),
        *("--timeout", "0", "--keep-alive", "75", "--worker-tmp-dir", str(service.directory)),
        *("--no-control-socket", "--log-level", "warning", f"{service.application}:application"),
    ]
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        **service.environment,
    }
    with (service.directory / "gunicorn.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    service.listener.close()
    return process


def wait_until_ready(service: Service) -> None:
    """One request is enough: the socket listens already, so it waits in the queue of a starting service."""
    try:
        with urllib.request.urlopen(service.url + service.probe, timeout=READY_LIMIT_SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        if error.code != 300:  # Glance answers the question for versions with Multiple Choices
            raise LabError(f"{service.name} answers {error.code}") from error
    except OSError as error:
        log = (service.directory / "gunicorn.log").read_text(encoding="utf-8", errors="replace")
        raise LabError(f"{service.name} did not start: {error}\n{log[-3000:]}") from error


def bring_up(home: Path, control_port: int, processes: list[subprocess.Popen[bytes]]) -> Description:
    """Start all services side by side and write down where they are."""
    template = ensure_template()
    prepared = [prepare_federation(home, template, plan) for plan in FEDERATIONS]
    services = [service for some, _ in prepared for service in some]
    processes.extend(start(service) for service in services)
    with ThreadPoolExecutor(len(services)) as pool:
        for _ in pool.map(wait_until_ready, services):
            pass
    description = Description(home, control_port, tuple(federation for _, federation in prepared))
    partial = home / f"{DESCRIPTION_FILE}.partial"
    partial.write_text(description.to_json(), encoding="utf-8")
    partial.replace(home / DESCRIPTION_FILE)
    return description


def serve_users(control: socket.socket) -> list[socket.socket]:
    """Return when the last user has left, with its connection: it is closed when all is stopped."""
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        users: set[socket.socket] = set()
        while True:
            events = selector.select(None if users else FIRST_USER_LIMIT_SECONDS)
            if not events:
                return []
            for key, _ in events:
                if key.fileobj is control:
                    user, _ = control.accept()
                    users.add(user)
                    selector.register(user, selectors.EVENT_READ)
                    continue
                gone = key.fileobj
                assert isinstance(gone, socket.socket)
                selector.unregister(gone)
                users.remove(gone)
                if not users:
                    return [gone]
                gone.close()


def stop(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill the services at once, for their state is worth nothing; keep their logs."""
    (home / DESCRIPTION_FILE).unlink(missing_ok=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    for name in ("stores", "staging", "tasks"):
        for directory in home.glob(f"glance-*/{name}"):
            shutil.rmtree(directory, ignore_errors=True)


def tell(line: str) -> None:
    """Report to the process that started us."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run one lab in the directory that the first argument names."""
    home = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the users; the lab ends when they do
    control, _ = listen()
    processes: list[subprocess.Popen[bytes]] = []
    last: list[socket.socket] = []
    try:
        bring_up(home, control.getsockname()[1], processes)
        tell("ready")
        last = serve_users(control)
    except LabError as error:
        tell(f"failed: {error}")
        return 1
    finally:
        control.close()
        stop(home, processes)
        for user in last:
            user.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
