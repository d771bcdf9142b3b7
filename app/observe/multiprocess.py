"""The folder in which the web processes of one gunicorn count requests together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_FOLDER = "metrics"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _forget_dead(folder: Path) -> None:
    """Remove what masters left behind that were killed."""
    for path in folder.iterdir():
        if path.name.isdigit() and not _is_alive(int(path.name)):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def shared_folder(state_dir: Path) -> Iterator[Path]:
    """A folder of this process's own; must be made before ``prometheus_client`` is imported.

    An existing ``PROMETHEUS_MULTIPROC_DIR`` is the operator's choice, and is used as it is.
    """
    given = os.environ.get(DIRECTORY_VARIABLE)
    if given:
        yield Path(given)
        return
    parent = state_dir / _FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    _forget_dead(parent)
    owner = os.getpid()
    folder = parent / str(owner)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.environ[DIRECTORY_VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        # A forked process that ends comes by here as well.
        if os.getpid() == owner:
            del os.environ[DIRECTORY_VARIABLE]
            shutil.rmtree(folder, ignore_errors=True)


def forget_process(pid: int) -> None:
    """A web process has ended: its momentary figures end with it, its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
