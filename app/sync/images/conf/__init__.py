"""glancesync.conf: options, values, credentials (spec images 2).

``load`` gives the settings or the first error, ``check`` everything that is wrong or odd, ``sample`` a file
with every option. None of them touches the network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.sync.images.conf.build import build_settings
from app.sync.images.conf.credentials import Surroundings
from app.sync.images.conf.findings import Diagnosis, Finding, Place
from app.sync.images.conf.model import Settings
from app.sync.images.conf.overrides import parse_overrides
from app.sync.images.conf.reader import Document, Entry, Scan, exists, read_text, scan
from app.sync.images.conf.sample import sample_text

__all__ = ["Finding", "check", "load", "sample"]

VARIABLE = "GLANCESYNC_CONFIG"
STANDARD_FILES = (Path("/etc/fiware.d/glancesync.conf"), Path("/etc/glancesync.conf"))


def load(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    *,
    need_credentials: bool = True,
) -> Settings:
    """The configuration in force (2.1).

    Args:
        path: the file; absent, ``GLANCESYNC_CONFIG`` names it, else the standard places are searched, else
            everything comes from the environment.
        overrides: ``section.option=value`` or ``option=value``.
        environ: the environment to read.
        need_credentials: False when no server will be asked (directory and backup clouds): a missing or
            undecodable credential is then no error, and no secret is read.

    Raises:
        ConfigurationError: the file or an option cannot be used; the first such thing is told.
        CredentialError: a credential is missing or wrong.
        UsageError: an override is malformed.

    """
    diagnosis = Diagnosis()
    entries = parse_overrides(overrides)
    settings = _settings(
        find_file(path, environ, STANDARD_FILES), entries, environ, diagnosis, lenient=not need_credentials
    )
    if settings is None:
        raise diagnosis.errors[0]
    return settings


def check(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> list[Finding]:
    """Everything that is wrong or odd about a configuration, in the order of the file's lines.

    Raises:
        UsageError: an override is malformed.

    """
    diagnosis = Diagnosis()
    _settings(
        find_file(path, environ, STANDARD_FILES),
        parse_overrides(overrides),
        environ,
        diagnosis,
        lenient=False,
    )
    return sorted(diagnosis.findings, key=lambda finding: (finding.line is None, finding.line or 0))


def sample() -> str:
    """A file with every option, its default and its explanation."""
    return sample_text()


def find_file(path: Path | None, environ: Mapping[str, str], standard: Sequence[Path]) -> Path | None:
    """The file to read; None if only the environment speaks. A file that is named need not exist."""
    named = environ.get(VARIABLE, "")
    if path is not None or named:
        return path or Path(named)
    return next((candidate for candidate in standard if exists(candidate)), None)


def _settings(
    path: Path | None,
    entries: list[Entry],
    environ: Mapping[str, str],
    diagnosis: Diagnosis,
    *,
    lenient: bool,
) -> Settings | None:
    around = Surroundings(environ, Path(), lenient)
    document = Document("environment", Path(), entries=entries)
    if path is not None:
        found = _scan_file(path, diagnosis)
        if found is None:
            return None
        document = Document(str(path), path.parent, found.sections, [*found.entries, *entries])
    return build_settings(document, around, diagnosis)


def _scan_file(path: Path, diagnosis: Diagnosis) -> Scan | None:
    with diagnosis.collect(Place(str(path))):
        return scan(read_text(path), str(path), diagnosis)
    return None
