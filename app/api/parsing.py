"""Bodies and queries: strict JSON, unknown members refused, every fault named with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from flask import Request, request
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from app.errors import InvalidRequestError, UsageError
from app.sync.models import NAME_CHARACTERS

KEY_HEADER = "Idempotency-Key"
MAX_LIMIT = 1000
MAX_BODY_BYTES = 64 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_DIGITS = re.compile(r"[0-9]{1,9}")


class StrictBoolean(fields.Boolean):
    """``true`` or ``false`` and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ANN401, ARG002
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryInteger(fields.Integer):
    """Digits, and nothing else that Python would take for a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401, ARG002
        if not isinstance(value, str) or not _DIGITS.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return int(value)


def query_flag(description: str) -> fields.Boolean:
    """A parameter that is ``true`` or ``false``."""
    return fields.Boolean(
        load_default=False, truthy={"true"}, falsy={"false"}, metadata={"description": description}
    )


def storable(text: str) -> None:
    """Refuse (ValidationError) what no database keeps as text."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError("Holds a character that is not allowed.")


def name_field(description: str, **kwargs: Any) -> fields.String:  # noqa: ANN401
    """The name of an image or a region."""
    limits: list[Callable[[Any], Any]] = [validate.Length(min=1, max=NAME_CHARACTERS), storable]
    return fields.String(validate=limits, metadata={"description": description}, **kwargs)


class StrictSchema(Schema):
    """A body or query that holds what is described and nothing else."""

    class Meta:  # noqa: D106  # marshmallow's place for options
        unknown = RAISE


class StrictParser(FlaskParser):
    """webargs' parser, with errors of ours and JSON without its looser sides."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012  # so declared by webargs
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
        "json": RAISE,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ANN401, ARG002
        """The body; ``missing`` where there is none.

        Raises:
            RequestEntityTooLarge: it is longer than ``MAX_BODY_BYTES``.
            UnsupportedMediaType: there is a body, but it does not claim to be JSON.
            BadRequest: it is no JSON.

        """
        data = req.get_data(cache=True)
        if not data:
            return core.missing
        if len(data) > MAX_BODY_BYTES:
            raise too_large()
        if not req.is_json:
            raise UnsupportedMediaType("the body has to be application/json")
        return strict_json(data)

    def handle_error(
        self,
        error: ValidationError,
        req: Request,  # noqa: ARG002
        schema: Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        """Name every place that is wrong."""
        faults = list(places(error.messages))
        what = "; ".join(
            f"{fault.get('pointer') or fault['parameter']}: {fault['detail']}" for fault in faults
        )
        raise InvalidRequestError(what, faults=faults) from error


def too_large() -> RequestEntityTooLarge:
    """The error for a body that is longer than ``MAX_BODY_BYTES``."""
    return RequestEntityTooLarge(f"a body may have {MAX_BODY_BYTES} bytes")


def strict_json(data: bytes) -> Any:  # noqa: ANN401
    """The value of a JSON text.

    Raises:
        BadRequest: it is none, names a member twice, or is nested too deeply.

    """
    try:
        return json.loads(data, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        raise ValueError("a member occurs twice")
    return held


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def places(messages: Any) -> Iterator[dict[str, str]]:  # noqa: ANN401
    """The faults of webargs' messages: ``{location: {member: ...}}``."""
    for location, inner in messages.items():
        for path, detail in _leaves(inner, ()):
            if location == "json":
                yield {"detail": detail, "pointer": "#" + "".join(f"/{_escaped(step)}" for step in path)}
            else:
                yield {"detail": detail, "parameter": ".".join(path) or location}


def _leaves(inner: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401
    if isinstance(inner, Mapping):
        for key, value in inner.items():
            yield from _leaves(value, path if key == "_schema" else (*path, str(key)))
    else:
        for text in inner if isinstance(inner, list) else [inner]:
            yield path, str(text)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def idempotency_key() -> str | None:
    """The caller's key for the present request.

    Raises:
        UsageError: it is too long or holds more than visible ASCII.

    """
    key = request.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError(f"{KEY_HEADER} is not 1 to 128 visible ASCII characters")
    return key
