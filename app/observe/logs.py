"""Log lines of the service: one JSON object each, with what they are about, without any secret.

What a line is about (request, job, task, region) is bound once by whoever knows it (``bound``) and
stands in every line that is written meanwhile in the same thread.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from flask import Flask, g

from app.observe.secrets import SecretFilter, known_secrets
from app.settings import LogFormat, ServiceSettings

FIELDS = ("request_id", "global_request_id", "job_id", "attempt", "task_id", "region")
"""What can be bound; other words are refused, so that the names stay the same everywhere."""

_OWN = frozenset({*vars(logging.makeLogRecord({})), "about", "message", "asctime", "taskName"})

_about: ContextVar[Mapping[str, str]] = ContextVar("syncline_log_fields", default={})  # noqa: B039  # never changed in place


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Say what the lines written meanwhile are about; None leaves a field out.

    Raises:
        ValueError: a field is not one of ``FIELDS``.

    """
    token = _about.set({**_about.get(), **_checked(fields)})
    try:
        yield
    finally:
        _about.reset(token)


def bind(**fields: object) -> None:
    """Like ``bound``, until the end of the request that is being answered (``init_app``).

    Raises:
        ValueError: a field is not one of ``FIELDS``.

    """
    _about.set({**_about.get(), **_checked(fields)})


def _checked(fields: Mapping[str, object]) -> dict[str, str]:
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise ValueError(f"not a field of log lines: {', '.join(sorted(unknown))}")
    return {name: str(value) for name, value in fields.items() if value is not None}


def bound_fields() -> Mapping[str, str]:
    """What is bound here and now."""
    return _about.get()


class _BindFilter(logging.Filter):
    """Attaches what is bound while the line is still in the thread that wrote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = bound_fields()
        return True


class _SafeFormatter(logging.Formatter):
    def __init__(self, mask: SecretFilter) -> None:
        super().__init__()
        self._mask = mask

    def _message(self, record: logging.LogRecord) -> str:
        try:
            return self._mask(record.getMessage())
        except (TypeError, ValueError) as error:
            return f"{record.msg} (log arguments do not fit: {type(error).__name__})"

    def _facts(self, record: logging.LogRecord) -> dict[str, object]:
        """What is bound, and what the caller gave as ``extra``."""
        extra = {name: value for name, value in vars(record).items() if name not in _OWN}
        facts = {**getattr(record, "about", {}), **extra}
        known = {name: value for name, value in facts.items() if value is not None}
        return {name: self._mask(value) if isinstance(value, str) else value for name, value in known.items()}

    def _trace(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [record.stack_info] if record.stack_info else []
        return self._mask("\n".join(parts))


def _utc(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class JsonFormatter(_SafeFormatter):
    """One JSON object a line: time, level, logger, message, pid, then what is bound and given."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        body: dict[str, object] = {
            "time": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
            "pid": record.process,
            **self._facts(record),
        }
        trace = self._trace(record)
        if trace:
            body["exception"] = trace
        return json.dumps(body, ensure_ascii=False, default=str)


class TextFormatter(_SafeFormatter):
    """Time, level, logger and message for a person; what is bound follows in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, with a trace below it where there is one."""
        about = " ".join(f"{name}={value}" for name, value in self._facts(record).items())
        message = self._message(record).replace("\n", "\\n")
        line = f"{_utc(record)} {record.levelname:7} {record.name}: {message}"
        trace = self._trace(record)
        return "\n".join(part for part in (f"{line} [{about}]" if about else line, trace) if part)


def configure(settings: ServiceSettings, stream: TextIO | None = None, *, level: str | None = None) -> None:
    """Send all log lines of this process, and of what it forks, to one stream.

    Args:
        settings: level, format, and the secrets that must not appear.
        stream: standard error when left out.
        level: instead of that of the settings.

    """
    mask = SecretFilter(known_secrets(settings))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_BindFilter())
    as_json = settings.api.log_format is LogFormat.JSON
    handler.setFormatter(JsonFormatter(mask) if as_json else TextFormatter(mask))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel((level or settings.api.log_level).upper())
    # These tell every connection and every statement at INFO.
    for chatty in ("alembic", "celery", "keystoneauth", "urllib3", "werkzeug"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def init_app(app: Flask) -> None:
    """Let every line that a request causes name it; to be called after what gives requests their ids."""

    @app.before_request
    def begin() -> None:
        # The thread has answered other requests before.
        _about.set({})
        bind(request_id=g.get("request_id"), global_request_id=g.get("global_request_id"))

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        # What the thread does next is about something else.
        _about.set({})
