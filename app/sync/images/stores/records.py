"""An image as a JSON object, the form of directory metadata and of JSON-lines backups. Pure.

Version 1 of the object::

    {"version": 1, "id": "...", "status": "active", ...}

``version``, ``id`` and ``status`` are required. Every other key is a field of ``Image`` and may be
missing, which means its default: ``name``, ``checksum``, ``owner``, ``hash_algo``, ``hash_value``,
``disk_format``, ``container_format``, ``created_at`` (text or null), ``size`` (bytes, or null for unknown),
``visibility``, ``properties`` (object of text, numbers, booleans and null), ``min_disk`` (gigabytes),
``min_ram`` (megabytes), ``protected``, ``hidden``, ``tags``, ``stores``, ``members`` (lists of text), and,
in backups only, ``region`` and ``raw`` (the server's own record without the places where its data lies,
which may hold credentials). An unknown key or a value of another type is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from app.errors import InvalidDataError
from app.sync.images.model import Image

FORMAT_VERSION = 1
RECORD_LIMIT_BYTES = 1024 * 1024
"""Largest metadata file; Glance itself allows far less for one image."""
VISIBILITIES = frozenset({"public", "private", "shared", "community"})
_TEXTS = (
    "name",
    "checksum",
    "owner",
    "visibility",
    "hash_algo",
    "hash_value",
    "disk_format",
    "container_format",
)
_PLAIN = ("id", "status", "size", *_TEXTS, "min_disk", "min_ram", "protected", "hidden", "created_at")
_SETS = ("tags", "stores", "members")
_SECRET_RAW = frozenset({"direct_url", "locations"})
_LARGEST_COUNT = 2**63 - 1


def is_property_value(value: object) -> bool:
    """Whether a user property may hold the value: text, a finite number, a boolean or none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_identifier(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_COUNT


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(element, str) for element in value)


def _is_properties(value: object) -> bool:
    return isinstance(value, dict) and all(map(is_property_value, value.values()))


def _is_object_or_none(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_version(value: object) -> bool:
    return type(value) is int and value == FORMAT_VERSION


def _is_visibility(value: object) -> bool:
    return isinstance(value, str) and value in VISIBILITIES


_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "version": (_is_version, f"the number {FORMAT_VERSION}"),
    "region": (_is_text, "text"),
    **dict.fromkeys(("id", "status"), (_is_identifier, "text that is not empty")),
    **dict.fromkeys(_TEXTS, (_is_text_or_none, "text or null")),
    "visibility": (_is_visibility, "one of " + ", ".join(sorted(VISIBILITIES))),
    "created_at": (_is_text_or_none, "text or null"),
    "size": (_is_count_or_none, "a number of bytes or null"),
    **dict.fromkeys(("min_disk", "min_ram"), (_is_count, "a number that is not negative")),
    **dict.fromkeys(("protected", "hidden"), (_is_flag, "true or false")),
    **dict.fromkeys(_SETS, (_is_texts, "a list of text")),
    "properties": (_is_properties, "an object of text, finite numbers, booleans and null"),
    "raw": (_is_object_or_none, "an object or null"),
}
_REQUIRED = ("version", "id", "status")


def image_record(image: Image) -> dict[str, object]:
    """The JSON object of an image, without its region and the server's record."""
    record: dict[str, object] = {"version": FORMAT_VERSION}
    record |= {key: getattr(image, key) for key in _PLAIN}
    record |= {key: sorted(getattr(image, key)) for key in _SETS}
    record["properties"] = dict(image.properties)
    return record


def backup_record(image: Image) -> dict[str, object]:
    """The JSON object of an image with everything known about it, for a backup."""
    raw = image.raw
    kept = None if raw is None else {key: value for key, value in raw.items() if key not in _SECRET_RAW}
    return {**image_record(image), "region": image.region, "raw": kept}


def encode_record(record: Mapping[str, object], where: str) -> bytes:
    """One line of UTF-8 JSON without its line end; ``InvalidDataError`` if it could not be read back."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"cannot be written as JSON: {error}", where=where) from error
    if len(text) > RECORD_LIMIT_BYTES:
        raise InvalidDataError(
            f"the record of the image is larger than {RECORD_LIMIT_BYTES} bytes",
            where=where,
            remedy="remove some of its properties",
        )
    return text


def decode_record(content: bytes, region: str, where: str) -> Image:
    """The image that a JSON object describes; ``InvalidDataError`` names ``where`` and what is wrong."""
    try:
        record = _DECODER.decode(content.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(f"not valid JSON in UTF-8: {error}", where=where) from error
    if not isinstance(record, dict):
        raise InvalidDataError("not a JSON object", where=where)
    _check(record, where)
    return _image(record, region)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _check(record: Mapping[str, object], where: str) -> None:
    for key in _REQUIRED:
        if key not in record:
            raise InvalidDataError(f"the key {key!r} is missing", where=where)
    for key, value in record.items():
        rule = _RULES.get(key)
        if rule is None:
            raise InvalidDataError(f"unknown key {key!r}", where=where, remedy="correct or remove it")
        if not rule[0](value):
            raise InvalidDataError(f"{key!r} must be {rule[1]}", where=where)


def _image(record: Mapping[str, Any], region: str) -> Image:
    """Build the image of a checked record."""
    fields = {"name": None, **record}
    del fields["version"]
    fields.pop("region", None)
    for key in _SETS:
        if key in fields:
            fields[key] = frozenset(fields[key])
    return Image(region=region, **fields)
