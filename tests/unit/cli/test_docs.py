"""The page about the command line keeps up with the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli import forms
from app.cli.failures import (
    EXIT_BROKEN_PIPE,
    EXIT_CONFIGURATION,
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
)
from app.cli.lazy import LazyGroup
from app.cli.legacy import ORIGINAL
from app.cli.main import cli
from app.sync.images.model import Image
from app.sync.status import Level, Notice, RegionState, Result
from tests.unit.cli.builders import outcome, plan, report

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
ALL_PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: LazyGroup, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Full name and command of everything that can be called."""
    for name, entry in group.entries.items():
        command = entry.load()
        if isinstance(command, LazyGroup):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


OPTIONS = sorted(
    {
        (name, option)
        for name, command in commands(cli)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
)
FORMS = {
    "report": forms.report_form(report(outcome())),
    "outcome": forms.outcome_form(outcome()),
    "plan": forms.plan_form("R", plan()),
    "image": forms.image_form(Image("R", "1", "n")),
    "notice": forms.notice_form(Notice(Level.INFO, "x")),
}


@pytest.mark.parametrize("name", [name for name, _ in commands(cli)])
def test_every_command_is_on_the_page(name: str) -> None:
    """No command is without description."""
    assert f"`{name}" in ALL_PAGES


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_every_option_is_on_the_page(name: str, option: str) -> None:
    """No option is without description."""
    del name
    assert f"`{option}" in ALL_PAGES


@pytest.mark.parametrize("option", [option for option in ORIGINAL if option != "--help"])
def test_every_option_of_the_original_is_on_the_page(option: str) -> None:
    """Who comes from GlanceSync finds the options again."""
    assert option in PAGE


@pytest.mark.parametrize(("form", "key"), [(form, key) for form, keys in FORMS.items() for key in keys])
def test_every_json_field_is_on_the_page(form: str, key: str) -> None:
    """No field of a document is without description."""
    del form
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("word", [*RegionState, *Result])
def test_every_word_of_a_report_is_on_the_page(word: str) -> None:
    """Scripts can look up each state and result."""
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize(
    "code", [EXIT_CONFIGURATION, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE]
)
def test_every_exit_code_is_on_the_page(code: int) -> None:
    """Each exit code has its row; the README has those that runs end with."""
    assert f"\n| {code}" in PAGE
    assert code == EXIT_BROKEN_PIPE or f"| {code}" in README
