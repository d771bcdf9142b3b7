"""From Glance's record of an image to ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import BadAnswerError
from app.sync.images.model import Image

RESERVED_PREFIX = "os_glance_"
BASE_ATTRIBUTES = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "locations",
        "members",
        "min_disk",
        "min_ram",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "tags",
        "updated_at",
        "virtual_size",
        "visibility",
    }
)
"""Top-level keys of a record that are not user properties (spec 1, 14.4)."""


def is_reserved(key: str) -> bool:
    """Whether a key belongs to Glance itself and can be no user property."""
    return key in BASE_ATTRIBUTES or key.startswith(RESERVED_PREFIX)


def image_from_record(region: str, record: object) -> Image:
    """The image a record describes; attributes that are null or missing count as unknown (spec 14.1).

    A property whose value is null counts as absent. Raises ``BadAnswerError`` naming the attribute
    if the record has no id or a value of a wrong type.
    """
    if not isinstance(record, Mapping):
        raise BadAnswerError(f"an image record is no object but {type(record).__name__}", where=region)
    reader = _Reader(region, record)
    return Image(
        region=region,
        id=reader.required("id"),
        name=reader.text("name"),
        status=reader.required("status"),
        size=reader.number("size"),
        checksum=reader.text("checksum"),
        owner=reader.text("owner"),
        visibility=reader.text("visibility") or "private",
        properties=user_properties(record),
        hash_algo=reader.text("os_hash_algo"),
        hash_value=reader.text("os_hash_value"),
        disk_format=reader.text("disk_format"),
        container_format=reader.text("container_format"),
        min_disk=reader.number("min_disk") or 0,
        min_ram=reader.number("min_ram") or 0,
        protected=reader.flag("protected"),
        hidden=reader.flag("os_hidden"),
        tags=reader.tags(),
        stores=frozenset(each for each in (reader.text("stores") or "").split(",") if each),
        created_at=reader.text("created_at"),
        raw=dict(record),
    )


def user_properties(record: Mapping[str, object]) -> dict[str, str]:
    """What the user has set: every key but Glance's own, null left out, values as text."""
    return {
        key: value if isinstance(value, str) else str(value)
        for key, value in record.items()
        if value is not None and not is_reserved(key)
    }


class _Reader:
    """Typed access to one record."""

    def __init__(self, region: str, record: Mapping[str, object]) -> None:
        self._region = region
        self._record = record

    def required(self, key: str) -> str:
        return self.text(key) or self._fail(key)

    def text(self, key: str) -> str | None:
        value = self._record.get(key)
        return value if value is None or isinstance(value, str) else self._fail(key)

    def number(self, key: str) -> int | None:
        value = self._record.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            return int(self._fail(key))
        return value

    def flag(self, key: str) -> bool:
        value = self._record.get(key)
        return bool(value) if value is None or isinstance(value, bool) else bool(self._fail(key))

    def tags(self) -> frozenset[str]:
        value = self._record.get("tags")
        if value is None:
            return frozenset()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            return frozenset(self._fail("tags"))
        return frozenset(value)

    def _fail(self, key: str) -> str:
        value = self._record.get(key)
        raise BadAnswerError(
            f"the record of image {str(self._record.get('id'))[:64]!r} has {key} = {value!r:.64}",
            where=self._region,
        )
