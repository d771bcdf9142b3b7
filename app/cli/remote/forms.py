"""Answers of the service as tables, JSON documents and plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from syncline_client import Event, Image, RegionSummary, Task, TaskItem

from app.cli import forms
from app.cli.output import Output
from app.cli.table import PIPE_WIDTH
from app.cli.text import one_line

Answer = Image | RegionSummary | Task | TaskItem


class Format(StrEnum):
    """How answers are shown: for people, for programs, for scripts."""

    TABLE = "table"
    JSON = "json"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows under headings, and the same rows as JSON objects."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    objects: Sequence[Mapping[str, object]]


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can say
    """A value as JSON can say it: times as ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def cell(value: object) -> str:
    """A value on one line: counts as ``name=number``, nothing as ``-``."""
    if value is None or value == "":
        return "-"
    if isinstance(value, Mapping):
        return one_line(",".join(f"{name}={value[name]}" for name in sorted(value))) or "-"
    return one_line(str(plain(value)))


def record(answer: Answer) -> dict[str, object]:
    """The JSON object of an answer."""
    return {name: plain(value) for name, value in asdict(answer).items()}


def listing(answers: Sequence[Answer], columns: Sequence[str]) -> Listing:
    """Answers with the named attributes as columns."""
    rows = [[getattr(answer, column) for column in columns] for answer in answers]
    return Listing(columns, rows, [record(answer) for answer in answers])


REGION_COLUMNS = ("name", "counts", "planned_at", "synced_at", "task_id", "error")
IMAGE_COLUMNS = ("name", "status", "glance_status", "size_bytes", "id", "message")
ITEM_COLUMNS = ("name", "before", "status", "result", "sent_bytes", "attempts", "transport", "error")
TASK_COLUMNS = ("id", "region", "mode", "status", "created_at", "finished_at", "reason")


def show_listing(output: Output, form: Format, command: str, key: str, found: Listing) -> None:
    """Print a list: a table, one document, or one line of tab-separated values per row."""
    if form is Format.JSON:
        output.document(forms.document(command, **{key: found.objects}))
    elif form is Format.VALUE:
        for row in found.rows:
            output.document("\t".join(cell(value) for value in row) + "\n")
    else:
        _print(_table(found.headings, found.rows))


def show_task(output: Output, form: Format, command: str, task: Task) -> None:
    """Print one task: a table of fields, one document, or its id and status."""
    if form is Format.JSON:
        output.document(forms.document(command, task=record(task)))
    elif form is Format.VALUE:
        output.document(f"{task.id}\t{task.status}\n")
    else:
        names = [field.name for field in fields(task)]
        known = [(name, getattr(task, name)) for name in names if getattr(task, name) not in (None, "")]
        _print(_table(("field", "value"), known))


def show_event(output: Output, form: Format, region: str, event: Event) -> None:
    """Print one event while a task is followed: a line for people, or one JSON object on a line."""
    if form is Format.JSON:
        told = {"id": event.id, "event": event.kind, "region": region, "data": plain(event.data)}
        output.line(json.dumps(told))
    else:
        output.line(event_line(region, event))


def event_line(region: str, event: Event) -> str:
    """An event in words."""
    data = event.data
    match event.kind:
        case "started":
            said = f"{data.get('items')} images, {data.get('bytes')} bytes to bring"
        case "item_started":
            said = f"{data.get('name')}: {data.get('status')}"
        case "progress":
            said = f"{data.get('name')}: {data.get('sent_bytes')} bytes sent"
        case "item_finished":
            error = f" ({data['error']})" if data.get("error") else ""
            said = f"{data.get('name')}: {data.get('result')}, {data.get('status')}{error}"
        case "notice":
            said = f"{data.get('level')}:{data.get('message')}"
        case "task":
            said = f"{data.get('items_done', 0)} of {data.get('items_total', 0)} images"
        case "ended":
            reason = f": {data['reason']}" if data.get("reason") else ""
            said = f"{data.get('status')}{reason}"
        case _:
            said = f"{event.kind} {json.dumps(plain(data))}"
    return f"{region}: {said}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(*headings)
    for row in rows:
        table.add_row(*(Text(cell(value), overflow="fold") for value in row))
    return table


def _print(table: Table) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)
