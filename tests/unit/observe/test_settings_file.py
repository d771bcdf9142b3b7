"""The settings file that ships explains every option, with the default that is in force."""

from __future__ import annotations

import re
from configparser import ConfigParser
from enum import StrEnum
from pathlib import Path

import pytest

from app.settings import SECTIONS, Schedule
from app.settings_reader import OPTIONS, load_settings

FILE = Path(__file__).resolve().parents[3] / "settings" / "syncline.cfg"
TEXT = FILE.read_text(encoding="utf-8")


def switched_on() -> str:
    """The file as if all options were switched on."""
    return re.sub(r"^#(\[|\w+ =)", r"\1", TEXT, flags=re.MULTILINE)


def shown(value: object) -> str:
    """A default as one writes it in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return value.value if isinstance(value, StrEnum) else str(value)


def test_the_file_as_it_is_changes_nothing(tmp_path: Path) -> None:
    """Everything in it is switched off: the service starts with its defaults."""
    from_file = load_settings({"SYNCLINE_SETTINGS_FILE": str(FILE), "SYNCLINE_AUTH_STRATEGY": "noauth"})
    empty = tmp_path / "empty.cfg"
    empty.touch()
    plain = load_settings({"SYNCLINE_SETTINGS_FILE": str(empty), "SYNCLINE_AUTH_STRATEGY": "noauth"})
    for section in SECTIONS:
        assert getattr(from_file, section) == getattr(plain, section)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_option_is_in_its_section_with_its_default(name: str) -> None:
    """What is written next to an option is what holds without it."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(switched_on())
    section, _, entry = OPTIONS[name]
    assert parser[section][name] == shown(entry.default)


def test_no_option_that_is_not_there() -> None:
    """An option that the program no longer knows does not stay in the file."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(switched_on())
    written = {key for section in SECTIONS for key in parser[section]}
    assert written == set(OPTIONS)


def test_the_schedule_of_the_file_can_be_used(tmp_path: Path) -> None:
    """Switched on, the example synchronises all regions every night."""
    path = tmp_path / "s.cfg"
    path.write_text(switched_on(), encoding="utf-8")
    settings = load_settings({"SYNCLINE_SETTINGS_FILE": str(path)}, web=False)
    (schedule,) = settings.jobs.schedules
    assert schedule == Schedule(
        name="nightly",
        kind="region.sync",
        every_seconds=86400.0,
        payload={"regions": ["*"]},
        offset_seconds=9000.0,
        jitter_seconds=600.0,
    )


def test_every_secret_is_called_one() -> None:
    """An operator sees which options to keep in files of their own."""
    secrets = {name for name, (_, _, entry) in OPTIONS.items() if not entry.repr}
    for name in secrets:
        before = TEXT[: TEXT.index(f"#{name} =")].rstrip().rsplit("\n\n", 1)[-1]
        assert "# Secret." in before
