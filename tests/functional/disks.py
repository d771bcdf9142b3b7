"""Disks that are full soon."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import StoreError, StoreFullError


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[type[StoreError]]:
    """Let less than ``size_bytes`` be written below ``path``; tells the error that then comes.

    A real small file system where this process may mount one, else a limit on the size of files.
    """
    path.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)]
    if mount and subprocess.run(command, check=False).returncode == 0:
        try:
            yield StoreFullError
        finally:
            subprocess.run(["umount", path], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield StoreError
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
