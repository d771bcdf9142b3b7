"""The dictionary literal in column 9 of a backup file (spec images 8.1), read without evaluating code.

The text is cut into tokens of a closed list first: strings, numbers, ``True``, ``False``, ``None`` and the
signs of a dictionary. Whatever else stands there, a name, a call, an operator, ends the reading before
Python's literal parser sees it. Texts of Python 2 are understood: ``u`` prefixes, the ``L`` of long numbers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from app.sync.images.model import PropertyValue
from app.sync.images.stores.records import is_property_value

_TOKEN = re.compile(
    r"""(?P<string>[uU]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))"""
    r"""|(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?P<long>[lL]?)(?![\w.])"""
    r"""|(?P<word>(?:True|False|None)\b)|(?P<sign>[{}:,])|(?P<blank>[ \t\r\n]+)""",
    re.ASCII,
)


class LiteralError(ValueError):
    """The text is no dictionary of plain values; ``offset`` counts characters from its start."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def parse_properties(text: str) -> dict[str, PropertyValue]:
    """User properties of a dictionary literal; blank text means none. ``LiteralError`` otherwise."""
    if not text.strip():
        return {}
    plain = _plain(text).strip()
    try:
        value = ast.literal_eval(plain)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise LiteralError("not a Python dictionary of plain values", 0) from error
    if not isinstance(value, dict):
        raise LiteralError("not a Python dictionary", 0)
    for key, element in value.items():
        if not isinstance(key, str) or not is_property_value(element):
            raise LiteralError(f"{key!r} must be a text with a text, finite number, boolean or None", 0)
    return value


def format_properties(properties: Mapping[str, PropertyValue]) -> str:
    """The literal of user properties; ``LiteralError`` for a value that could not be read back."""
    for key, value in properties.items():
        if not is_property_value(value):
            raise LiteralError(f"the property {key!r} holds no plain value", 0)
    return repr(dict(properties))


def _plain(text: str) -> str:
    """The same literal for Python 3; ``LiteralError`` at the first thing that is no plain literal."""
    parts: list[str] = []
    offset = depth = 0
    while offset < len(text):
        token = _TOKEN.match(text, offset)
        if token is None:
            raise LiteralError(f"unexpected {text[offset : offset + 20]!r}", offset)
        depth += token["sign"] == "{"
        if depth > 1:
            raise LiteralError("a dictionary or set inside the dictionary", offset)
        parts.append(token["number"] or token[0])
        offset = token.end()
    return "".join(parts)
