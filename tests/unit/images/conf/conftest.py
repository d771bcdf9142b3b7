"""Configurations as users write them: real files in a temporary directory, a given environment."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from app.sync.images.conf import Finding, check, load
from app.sync.images.conf.model import Settings

Load = Callable[..., Settings]
Check = Callable[..., list[Finding]]

MASTER_LINES = """
[main]
master_region = Valladolid
[master]
user = alice
password = wonder
keystone_url = http://keystone.example:5000
tenant = images
"""


@pytest.fixture
def conf_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file and tells its path."""

    def write(text: str) -> Path:
        path = tmp_path / "glancesync.conf"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load_text(conf_file: Callable[[str], Path]) -> Load:
    """Loads a configuration text, with nothing from the real environment."""

    def run(
        text: str,
        overrides: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        **options: bool,
    ) -> Settings:
        return load(conf_file(text), overrides, environ or {}, **options)

    return run


@pytest.fixture
def load_with(load_text: Load) -> Load:
    """Loads a complete configuration with further lines at its end (in section master)."""

    def run(lines: str, *rest: object, **options: object) -> Settings:
        return load_text(MASTER_LINES + textwrap.dedent(lines), *rest, **options)

    return run


@pytest.fixture
def check_text(conf_file: Callable[[str], Path]) -> Check:
    """Checks a configuration text, with nothing from the real environment."""

    def run(
        text: str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> list[Finding]:
        return check(conf_file(text), overrides, environ or {})

    return run
