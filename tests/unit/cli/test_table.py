"""The status table for people."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from app.cli.table import render, status_table
from app.errors import UnreachableError
from app.sync.status import Status
from tests.unit.cli.builders import item, plan

BIG = 64 * 1024 * 1024


def lines(*answers: tuple[str, object]) -> list[list[str]]:
    """Cells of the table's rows, headings first."""
    out = io.StringIO()
    Console(file=out, width=200).print(status_table(answers))  # type: ignore[arg-type]
    rows = [line for line in out.getvalue().splitlines() if line and line[0] in "┃│"]
    return [[cell.strip() for cell in row.replace("┃", "│").split("│")[1:-1]] for row in rows]


def test_table_has_a_row_per_image_and_a_column_per_region() -> None:
    """One look tells every image's status in every region, small images first."""
    table = lines(
        ("Burgos", plan(item("b", Status.OK, BIG), item("a", Status.ERROR_CHECKSUM, 0))),
        ("other:Madrid", plan(item("b", Status.PENDING_UPLOAD, BIG, region="other:Madrid"))),
    )
    assert table == [
        ["image", "MB", "Burgos", "other:Madrid"],
        ["a", "0.000", "error_checksum", "-"],
        ["b", "64.000", "ok", "pending_upload"],
    ]


def test_region_that_is_down_shows_why() -> None:
    """A region that did not answer has the error's code where its statuses would be."""
    table = lines(("Burgos", plan(item("a"))), ("Caceres", UnreachableError("down")))
    assert table[1][2:] == ["pending_upload", "unreachable"]


def test_names_cannot_draw_on_the_table() -> None:
    """Markup and line breaks in a name are shown as text."""
    table = lines(("Burgos", plan(item("[red]a\nb"))))
    assert table[1][0] == "[red]a\\nb"


def test_table_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the table keeps long names whole."""
    name = "x" * 100
    render([("Burgos", plan(item(name)))])
    assert name in capsys.readouterr().out
