"""Folders that the service needs before it can start."""

from __future__ import annotations

from pathlib import Path

from app.errors import ConfigurationError


def make_folder(folder: Path) -> None:
    """Make sure that a folder is there.

    Raises:
        ConfigurationError: it cannot be made.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the folder cannot be made: {error.strerror}",
            where=str(folder),
            remedy="make it, or name another",
        ) from error
