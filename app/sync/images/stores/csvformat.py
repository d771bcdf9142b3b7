"""Backup files of nine comma-separated columns (spec images 8.1), between text and records. Pure.

Columns: region, name, id, status, size in bytes, checksum, owner, is_public, user properties. An empty
name, size, checksum or owner means unknown. Formats, minimums, tags, protection and any visibility but
public have no column, so ``storable`` tells what of an image survives.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from app.errors import InvalidDataError
from app.sync.images.model import Image, PropertyValue
from app.sync.images.stores.literal import LiteralError, format_properties, parse_properties

COLUMNS = ("region", "name", "id", "status", "size", "checksum", "owner", "is_public", "user properties")
CELL_LIMIT_CHARACTERS = 128 * 1024
"""Longest cell that the reader takes: the default limit of Python's csv module."""
_ID, _STATUS, _SIZE, _PROPERTIES = 3, 4, 5, 9
_SIZE_DIGITS = 18


def storable(image: Image) -> Image:
    """The image as a backup file holds it: the nine columns, everything else at its default."""
    return Image(
        region=image.region,
        id=image.id,
        name=image.name or None,
        status=image.status,
        size=image.size,
        checksum=image.checksum or None,
        owner=image.owner or None,
        visibility="public" if image.is_public else "private",
        properties=dict(image.properties),
    )


def format_row(image: Image, where: str) -> bytes:
    """One row with its line end; ``InvalidDataError`` if no reader could take it back."""
    try:
        cells = [
            image.region,
            image.name or "",
            image.id,
            image.status,
            "" if image.size is None else str(image.size),
            image.checksum or "",
            image.owner or "",
            str(image.is_public),
            format_properties(image.properties),
        ]
        if max(map(len, cells)) > CELL_LIMIT_CHARACTERS:
            raise InvalidDataError(
                f"a column of image {image.id!r} is longer than {CELL_LIMIT_CHARACTERS} characters",
                where=where,
            )
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        return line.getvalue().encode()
    except (LiteralError, UnicodeEncodeError) as error:
        raise InvalidDataError(f"image {image.id!r} has no CSV form: {error}", where=where) from error


def parse_rows(content: bytes, region: str, where: str) -> list[Image]:
    """All images of a backup file in row order; no content is a region without images.

    ``region`` fills in where column 1 is empty. ``InvalidDataError`` names ``where``, line and column.
    """
    seen: dict[str, int] = {}
    images = []
    for line, cells in _rows(_text(content, where), where):
        image = _image(cells, region, f"{where}, line {line}")
        if image.id in seen:
            raise _wrong(f"the id of line {seen[image.id]} again", f"{where}, line {line}", _ID)
        seen[image.id] = line
        images.append(image)
    return images


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - before.rfind(b"\n")
        raise InvalidDataError(
            "not valid UTF-8",
            where=f"{where}, line {line}, byte {column}",
            remedy="convert the file to UTF-8",
        ) from error


def _rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > 1 or any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidDataError(
            f"not a CSV row: {error}",
            where=f"{where}, line {line}",
            remedy="quote the cell, double its quotes",
        ) from error


def _image(cells: Sequence[str], region: str, where: str) -> Image:
    if len(cells) != len(COLUMNS):
        raise InvalidDataError(
            f"{len(cells)} columns instead of {len(COLUMNS)}",
            where=where,
            remedy=f"the columns are {', '.join(COLUMNS)}; quote cells that hold commas",
        )
    for column in (_ID, _STATUS):
        if not cells[column - 1]:
            raise _wrong("empty", where, column)
    return Image(
        region=cells[0] or region,
        name=cells[1] or None,
        id=cells[2],
        status=cells[3],
        size=_size(cells[4].strip(), where),
        checksum=cells[5] or None,
        owner=cells[6] or None,
        visibility="public" if cells[7].strip() == "True" else "private",
        properties=_properties(cells[8], where),
    )


def _size(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _SIZE_DIGITS):
        raise _wrong(
            f"{text[:40]!r} is no size", where, _SIZE, "write the number of bytes, or nothing if unknown"
        )
    return int(text)


def _properties(text: str, where: str) -> dict[str, PropertyValue]:
    try:
        return parse_properties(text)
    except LiteralError as error:
        raise _wrong(
            f"{error} at character {error.offset + 1}",
            where,
            _PROPERTIES,
            "write a dictionary of plain values, e.g. {'type': 'baseimage', 'nid': 1}; code is never run",
        ) from error


def _wrong(what: str, where: str, column: int, remedy: str = "") -> InvalidDataError:
    return InvalidDataError(what, where=f"{where}, column {column} ({COLUMNS[column - 1]})", remedy=remedy)
