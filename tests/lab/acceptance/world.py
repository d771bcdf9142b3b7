"""The state of one acceptance case: four empty regions, a configuration, and what the last command said."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import runpy
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from tests.lab.client import Record
from tests.lab.lab import Lab
from tests.lab.places import ROOT
from tests.lab.plan import MASTER_REGION

SIZE_STEP_BYTES = 1000
HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def content(key: str) -> bytes:
    """Test data: ``01`` is smaller than ``02``; ``01b`` is as long as ``01`` but differs."""
    block = hashlib.sha256(key.encode()).hexdigest().encode()
    size_bytes = int(key[:2]) * SIZE_STEP_BYTES
    return (block * (size_bytes // len(block) + 1))[:size_bytes]


def md5(key: str) -> str:
    """Checksum of test data, as Glance calls it."""
    return hashlib.md5(content(key)).hexdigest()


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Everything."""
        return self.stdout + self.stderr


@dataclass
class World:
    """What the steps of a case work on."""

    lab: Lab
    directory: Path
    sections: dict[str, dict[str, object | None]] = field(
        default_factory=lambda: {"master": {"transport": "stream"}}  # the quickest for small images
    )
    said: Said = field(default=Said(0, "", ""))
    before: dict[str, list[Record]] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        """``{id:NAME}`` in a text becomes the id of the newest image of that name on the master."""
        start = text.find("{id:")
        while start >= 0:
            end = text.index("}", start)
            image = self.lab.client(MASTER_REGION).named(text[start + 4 : end])[-1]
            text = text[:start] + str(image["id"]) + text[end + 1 :]
            start = text.find("{id:")
        return text

    def run(self, program: str, *arguments: str) -> Said:
        """Run a program of the product in this process, in an environment that tells it nothing else."""
        conf = self.directory / "glancesync.conf"
        sections = {
            name: {
                key: self.filled(str(value)) if value is not None else None for key, value in options.items()
            }
            for name, options in self.sections.items()
        }
        conf.write_text(self.lab.conf(sections), encoding="utf-8")
        self.before = self.destinations()
        self.said = run_program(program, [self.filled(one) for one in arguments], conf, self.directory)
        return self.said

    def destinations(self) -> dict[str, list[Record]]:
        """Everything in the destination regions of the master target."""
        return {region: self.lab.client(region).images() for region in ("Burgos", "Caceres")}


def run_program(program: str, arguments: list[str], conf: Path, directory: Path) -> Said:
    """One program as if it had been started in ``directory`` with ``GLANCESYNC_CONFIG`` set."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OS_", "GLANCESYNC"))
    }
    environment |= {"GLANCESYNC_CONFIG": str(conf), "COLUMNS": "200"}
    stdout, stderr = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment, clear=True))
        stack.enter_context(mock.patch.object(sys, "argv", [str(ROOT / program), *arguments]))
        stack.enter_context(contextlib.chdir(directory))
        stack.enter_context(_same_signals())
        stack.enter_context(contextlib.redirect_stdout(stdout))
        stack.enter_context(contextlib.redirect_stderr(stderr))
        try:
            runpy.run_path(str(ROOT / program), run_name="__main__")
        except SystemExit as end:
            code = end.code
    return Said(
        code if isinstance(code, int) else int(code is not None), stdout.getvalue(), stderr.getvalue()
    )


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Put back the signal handlers that a program sets for itself."""
    saved = {number: signal.getsignal(number) for number in HANDLED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in saved.items():
            signal.signal(number, handler)


def visible(record: Mapping[str, Any]) -> bool:
    """Whether an image is public."""
    return bool(record["visibility"] == "public")
