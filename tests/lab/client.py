"""Set up and inspect the images of one region, by means independent of the product's own store."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from glanceclient.v2.client import Client
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session

from tests.lab.description import Region

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
ATTRIBUTES = frozenset(
    {
        "name", "disk_format", "container_format", "min_disk", "min_ram", "protected", "os_hidden", "tags",
        "visibility", "owner", "id",
    }
)  # fmt: skip
SERVER_KEYS = frozenset(
    {
        "status", "checksum", "size", "virtual_size", "created_at", "updated_at", "self", "file", "schema",
        "stores", "os_hash_algo", "os_hash_value", "direct_url", "locations",
    }
)  # fmt: skip
Record = dict[str, Any]


class Zeros(io.RawIOBase):
    """A readable file of so many zero bytes that takes no room."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next zeros."""
        count = min(len(buffer), self._left_bytes)
        buffer[:count] = bytes(count)
        self._left_bytes -= count
        return count


def properties(record: Mapping[str, Any]) -> dict[str, str]:
    """The user's own properties of an image record."""
    return {
        key: value
        for key, value in record.items()
        if key not in ATTRIBUTES and key not in SERVER_KEYS and not key.startswith("os_glance_")
    }


@dataclass
class RegionClient:
    """One region as one account sees it."""

    region: Region
    session: Session
    http: Adapter = field(init=False)
    glance: Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = Adapter(self.session, endpoint_override=self.region.url)
        self.glance = Client(session=self.session, endpoint_override=self.region.url)

    def create(
        self, name: str | None, data: bytes | BinaryIO | int | None = b"content", **fields: Any
    ) -> Record:
        """A new image, public and raw unless told otherwise.

        ``data`` is the content, an open file, a number of zero bytes, or None for an image that stays queued.
        ``fields`` are attributes and properties of Glance v2.
        """
        body = {
            "name": name,
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "public",
            **fields,
        }
        made = self.http.post("/v2/images", json={k: v for k, v in body.items() if v is not None}).json()
        if data is None:
            return dict(made)
        if isinstance(data, int):
            data = io.BufferedReader(Zeros(data), 1024 * 1024)
        content = io.BytesIO(data) if isinstance(data, bytes) else data
        self.glance.images.upload(made["id"], content)
        return self.get(made["id"])

    def get(self, image_id: str) -> Record:
        """The image's record as it is now."""
        return dict(self.http.get(f"/v2/images/{image_id}").json())

    def images(self, **filters: str) -> list[Record]:
        """Every image the account may list, hidden ones too, oldest first."""
        return [*self._pages(**filters), *self._pages(os_hidden="true", **filters)]

    def _pages(self, **filters: str) -> Iterator[Record]:
        url: str | None = "/v2/images"
        parameters: dict[str, str] | None = {"sort": "created_at:asc,id:asc", "visibility": "all", **filters}
        while url:
            page = self.http.get(url, params=parameters).json()
            yield from page["images"]
            url, parameters = page.get("next"), None

    def named(self, name: str) -> list[Record]:
        """All images of that name, oldest first."""
        return [record for record in self.images() if record["name"] == name]

    def one(self, name: str) -> Record:
        """The only image of that name."""
        found = self.named(name)
        if len(found) != 1:
            raise LookupError(f"{self.region.full} has {len(found)} images named {name!r}")
        return found[0]

    def data(self, image_id: str) -> bytes:
        """An image's content."""
        return b"".join(self.glance.images.data(image_id, do_checksum=False))

    def update(self, image_id: str, remove: tuple[str, ...] = (), **fields: Any) -> Record:
        """Add or replace attributes and properties, remove others."""
        known = self.get(image_id)
        changes: list[Record] = [
            {"op": "replace" if key in known else "add", "path": f"/{key}", "value": value}
            for key, value in fields.items()
        ]
        changes += [{"op": "remove", "path": f"/{key}"} for key in remove]
        answer = self.http.patch(f"/v2/images/{image_id}", json=changes, headers={"Content-Type": PATCH_TYPE})
        return dict(answer.json())

    def delete(self, image_id: str) -> None:
        """Remove an image."""
        self.glance.images.delete(image_id)

    def deactivate(self, image_id: str) -> None:
        """Forbid downloads of an image."""
        self.glance.images.deactivate(image_id)
