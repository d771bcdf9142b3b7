"""The status report as a table for people: one row per image, one column per region."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.text import one_line
from app.errors import SynclineError
from app.sync.images.messages import megabytes
from app.sync.images.plan import RegionPlan
from app.sync.status import Item, Status

PIPE_WIDTH = 200
"""Columns where there is no terminal to fit into."""

Answer = RegionPlan | SynclineError


def _style(status: Status) -> str:
    if status.is_error:
        return "bold red"
    return "yellow" if status.is_pending else "green"


def _cell(item: Item | None) -> Text:
    if item is None:
        return Text("-", style="dim")
    return Text(item.status.value, style=_style(item.status))


def _rows(plans: Sequence[tuple[str, RegionPlan]]) -> dict[str, dict[str, Item]]:
    """Image name -> region -> item, in (size, name) order over all regions."""
    items = [planned.item for _, plan in plans for planned in plan.images]
    rows: dict[str, dict[str, Item]] = {}
    for item in sorted(items, key=lambda item: (item.size_bytes or 0, item.name)):
        rows.setdefault(item.name, {})[item.region] = item
    return rows


def status_table(answers: Sequence[tuple[str, Answer]]) -> Table:
    """The table; a region that could not be told has its error code in every row."""
    table = Table("image", "MB")
    for region, _ in answers:
        table.add_column(one_line(region))
    plans = [(region, answer) for region, answer in answers if isinstance(answer, RegionPlan)]
    for name, cells in _rows(plans).items():
        size = float(megabytes(next(iter(cells.values())).size_bytes))
        table.add_row(
            Text(one_line(name)),
            f"{size:.3f}",
            *(
                Text(answer.code, style="bold red")
                if isinstance(answer, SynclineError)
                else _cell(cells.get(region))
                for region, answer in answers
            ),
        )
    return table


def render(answers: Sequence[tuple[str, Answer]]) -> None:
    """Print the table on standard output, in colour if that is a terminal."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(status_table(answers))
