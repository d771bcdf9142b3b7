"""The error hierarchy, and the page that explains it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from app import errors
from app.errors import RemoteFaultError, SynclineError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
COLUMNS = ["code", "meaning", "exit code", "HTTP status", "retryable", "what to do"]
CLASSES = [
    held
    for _, held in inspect.getmembers(errors, inspect.isclass)
    if issubclass(held, SynclineError) and held.__module__ == errors.__name__
]


def documented() -> dict[str, dict[str, str]]:
    """Read the table of the page: code to cells by column."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    header, _, *rows = cells
    assert header == COLUMNS
    assert all(len(row) == len(COLUMNS) for row in rows)
    return {row[0].strip("`"): dict(zip(header, row, strict=True)) for row in rows}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_page_tells_the_truth_about_each_error(kind: type[SynclineError]) -> None:
    """Every error an operator can meet is explained, with the codes that programs see."""
    row = documented()[kind.code]
    assert row["exit code"] == str(kind.exit_code)
    assert row["HTTP status"] == str(kind.http_status)
    assert row["retryable"] == ("yes" if kind.retryable else "no")
    assert len(row["meaning"].split()) >= 4
    assert len(row["what to do"].split()) >= 3


def test_page_explains_nothing_that_does_not_exist() -> None:
    """No row of the page is left over from an error that is gone."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert sorted(documented()) == sorted(kind.code for kind in CLASSES)
    assert len(rows) == len(CLASSES)


def test_each_class_has_its_own_code() -> None:
    """A code names one kind of failure and never changes meaning with the class that raised it."""
    assert all("code" in vars(kind) for kind in CLASSES)
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_codes_are_ones_that_interfaces_can_give(kind: type[SynclineError]) -> None:
    """Exit codes are those of the command line, HTTP statuses are failures, codes are plain words."""
    assert kind.exit_code in (1, 2, 3)
    assert 400 <= kind.http_status <= 599
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.__name__.endswith("Error")
    assert inspect.getdoc(kind)


@pytest.mark.parametrize(
    ("where", "remedy", "expected"),
    [
        ("", "", "it failed"),
        ("Burgos", "", "Burgos: it failed"),
        ("", "wait", "it failed (wait)"),
        ("Burgos", "wait", "Burgos: it failed (wait)"),
    ],
    ids=["what", "where", "remedy", "all"],
)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_message_says_where_what_and_what_to_do(
    kind: type[SynclineError], where: str, remedy: str, expected: str
) -> None:
    """One clear line: where it happened, what failed, and what a person can do."""
    error = kind("it failed", where=where, remedy=remedy)
    assert str(error) == expected
    assert (error.what, error.where, error.remedy) == ("it failed", where, remedy)


@pytest.mark.parametrize("seconds", [None, 2.5])
def test_fault_keeps_the_patience_that_the_server_asked_for(seconds: float | None) -> None:
    """A server's Retry-After reaches whoever decides when to try again."""
    assert RemoteFaultError("busy", retry_after_seconds=seconds).retry_after_seconds == seconds
