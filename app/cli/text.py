"""Names and messages as text that one line, or one CSV record, can safely hold."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

from app.sync.status import Notice

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Format characters that belong to ordinary words and emoji; every other one can reorder a line."""


def _escaped(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def one_line(text: str) -> str:
    """The text with everything that could end, hide or rewrite a line shown as an escape.

    Image names come from other people's servers: a line break in one must not become a log line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def notice_line(notice: Notice) -> str:
    """``LEVEL:message``, the form of every line for a person (spec images 5.7)."""
    return f"{notice.level}:{one_line(notice.message)}"


def csv_rows(rows: Iterable[Sequence[object]]) -> str:
    """Records in the "excel" dialect: commas, minimal quotes, CRLF (spec images 7.5)."""
    text = io.StringIO()
    csv.writer(text, dialect="excel").writerows(rows)
    return text.getvalue()


def file_name(label: str) -> str:
    """A region's label as one path component: separators and leading dots become ``%XX``."""
    safe = "".join(f"%{ord(c):02X}" if c in "/%" or ord(c) < 0x20 else c for c in label)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
