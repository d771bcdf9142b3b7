"""What a server's refusal means: one mapping from answers to the error hierarchy (spec 14.11). Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.errors import (
    AuthenticationError,
    BadAnswerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QuotaError,
    RemoteError,
    RemoteFaultError,
    RemoteTimeoutError,
)

EXPLANATION_CHARACTERS = 300
_EXAMINED_CHARACTERS = 4096
_MESSAGE_KEYS = ("message", "explanation", "detail", "faultstring")
_HEAD = re.compile(r"<head\b.*?</head\s*>|<h1\b.*?</h1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_SECRET = re.compile(r"gAAAA[\w=-]{16,}|(?<=://)[^/\s@]+@|[A-Za-z0-9_-]{180,}")
_GENERIC = "There was a conflict when trying to complete your request."

_CLASSES: Mapping[int, type[RemoteError]] = {
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    408: RemoteTimeoutError,
    409: ConflictError,
    410: NotFoundError,
    413: QuotaError,
    416: ConflictError,
    504: RemoteTimeoutError,
    507: QuotaError,
}


def failure(
    status: int, headers: Mapping[str, str], body: str, *, doing: str, where: str, now: datetime | None = None
) -> RemoteError:
    """The error that an answer with this status stands for.

    Args:
        status: HTTP status, not a successful one.
        headers: of the answer; ``Retry-After`` and ``Location`` are looked at.
        body: of the answer, of any type.
        doing: what was attempted, e.g. ``delete image 42``.
        where: region and address.
        now: for a ``Retry-After`` that is a date; the current time if left out.

    """
    said = explanation(body)
    what = f"cannot {doing}: {said} (HTTP {status})" if said else f"cannot {doing} (HTTP {status})"
    if status in _CLASSES:
        return _CLASSES[status](what, where=where)
    if status == 429 or status >= 500:
        patience = retry_after_seconds(headers.get("Retry-After"), now or datetime.now(UTC))
        return RemoteFaultError(what, where=where, retry_after_seconds=patience)
    if status < 400:
        return BadAnswerError(what, where=where, remedy=_elsewhere(headers.get("Location")))
    return RemoteError(what, where=where)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say where an error of pure code happened that could not know it."""
    try:
        yield
    except RemoteError as error:
        if error.where:
            raise
        raise type(error)(error.what, where=where, remedy=error.remedy) from error


def _elsewhere(location: str | None) -> str:
    return f"configure the address it points to: {one_line(location)}" if location else ""


def explanation(body: str) -> str:
    """The server's own words in one bounded line: from JSON, from an HTML page, or plain text."""
    text = body[:_EXAMINED_CHARACTERS]
    message = _json_message(text)
    if message is None:
        plain = _HEAD.sub(" ", text) if "<" in text else text
        message = html.unescape(_TAG.sub(" ", plain)).replace(_GENERIC, " ")
    return one_line(message)


def _json_message(text: str) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    while isinstance(value, dict):
        found = next((value[key] for key in _MESSAGE_KEYS if value.get(key)), None)
        value = found if found is not None else next((v for v in value.values() if isinstance(v, dict)), "")
    return value if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """``text`` without control characters, tokens and excess length."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(_SECRET.sub("***", visible).split())
    return line if len(line) <= EXPLANATION_CHARACTERS else line[: EXPLANATION_CHARACTERS - 3] + "..."


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """The patience a server asks for, given in seconds or as a date; None if absent or unreadable."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
