"""One region's Glance as an image store."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import requests
from glanceclient.v2.images import Controller as Images
from keystoneauth1.session import Session

from app.errors import BadAnswerError, ConflictError, NotFoundError
from app.sync.images.conf.model import SetMode
from app.sync.images.model import Changes, Draft, Image, RegionRef, is_foreign
from app.sync.images.stores.glance.api import GlanceApi
from app.sync.images.stores.glance.data import body_of, pieces, source_errors
from app.sync.images.stores.glance.failures import located
from app.sync.images.stores.glance.imports import ALL_STORES, failed_import, import_request, offered_methods
from app.sync.images.stores.glance.listing import IMAGES_PATH, records
from app.sync.images.stores.glance.login import Login
from app.sync.images.stores.glance.patches import creation_body
from app.sync.images.stores.glance.records import image_from_record
from app.sync.images.stores.glance.retry import Deadline
from app.sync.images.stores.glance.transport import connection_failure
from app.sync.images.stores.glance.update import update

_UNSUPPORTED = frozenset({400})
_ABSENT = frozenset({404})
_PRESENT = frozenset({409})


def path_of(image_id: str, below: str = "") -> str:
    """Path of an image, or of something below it."""
    return f"{IMAGES_PATH}/{quote(image_id, safe='')}{below}"


class GlanceStore:
    """``ImageStore``, ``Imports`` and ``ActsOnState`` of one Glance.

    Args:
        region: which one.
        api: calls to it.
        login: whose images.
        session: connections, for the project of the token.

    """

    def __init__(self, region: RegionRef, api: GlanceApi, login: Login, session: Session) -> None:
        self._region = region
        self._api = api
        self._login = login
        self._session = session
        # No schema client: the calls of the controller used here do without a schema.
        self._images = Images(api, None)

    @property
    def region(self) -> str:
        """Full region name."""
        return self._region.full

    @property
    def project_id(self) -> str:
        """Project that owns what this credential creates; asks Keystone on first use."""
        return self._login.project_id(self._session)

    @property
    def location(self) -> str:
        """Keystone's address: regions of one Keystone can copy from each other."""
        return self._login.location

    def list_images(self) -> Iterator[Image]:
        """Every image the credential sees, any status and visibility, oldest first (spec 14.1).

        Raises ``RemoteTimeoutError`` when it takes longer than ``list_images_timeout``,
        ``BadAnswerError`` when it does not end.
        """
        deadline = Deadline(self._login.target.list_images_timeout_seconds)

        def fetch(path: str) -> object:
            response = self._api.request("GET", path, deadline=deadline, accept=_UNSUPPORTED)
            return None if response.status_code in _UNSUPPORTED else self._api.parsed(response)

        with located(self._api.where):
            for record in records(fetch):
                yield self._image(record)

    def get_image(self, image_id: str) -> Image:
        """The image as it is now; ``NotFoundError`` if it vanished."""
        return self._image(self._api.json("GET", path_of(image_id)))

    def _image(self, record: object) -> Image:
        image = image_from_record(self.region, record)
        if image.visibility != "shared" or self._login.target.policy.members_mode is SetMode.OFF:
            return image
        if is_foreign(image.owner, self.project_id):
            return image
        return replace(image, members=self._members_of(image.id))

    def _members_of(self, image_id: str) -> frozenset[str]:
        response = self._api.request("GET", path_of(image_id, "/members"), accept=_ABSENT)
        if response.status_code in _ABSENT:
            return frozenset()
        try:
            return frozenset(str(each["member_id"]) for each in self._api.parsed(response)["members"])
        except (KeyError, TypeError) as error:
            raise BadAnswerError("the members of an image are no list", where=self._api.where) from error

    def create_image(self, draft: Draft) -> Image:
        """A new private image under the draft's temporary name.

        We choose the id: when an answer is lost, the second attempt finds what the first one made
        instead of making another.
        """
        image_id = str(uuid.uuid4())
        body = creation_body(draft, image_id)
        try:
            return self._image(self._api.json("POST", IMAGES_PATH, json=body, repeatable=True))
        except ConflictError as conflict:
            return self._made_before(image_id, conflict)

    def _made_before(self, image_id: str, conflict: ConflictError) -> Image:
        try:
            return self.get_image(image_id)
        except NotFoundError:
            raise conflict from None

    @contextmanager
    def read_data(self, image_id: str, offset_bytes: int = 0) -> Iterator[Iterator[bytes]]:
        """The content from an offset on.

        ``ConflictError`` if the image has none, ``ForbiddenError`` if it is deactivated; in the
        middle ``UnreachableError`` or, when no byte came for too long, ``RemoteTimeoutError``.
        """
        headers = {"Accept": "*/*"}
        if offset_bytes:
            headers["Range"] = f"bytes={offset_bytes}-"
        response = self._api.request("GET", path_of(image_id, "/file"), headers=headers, stream=True)
        with response, located(self._api.where):
            if response.status_code == requests.codes.no_content:
                raise ConflictError(f"image {image_id} has no data", where=self._api.where)
            yield pieces(response, offset_bytes, lambda error: connection_failure(error, self._api.where))

    def write_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:
        """Give a queued image its content, into the first store that the target names.

        A token refused meanwhile is renewed and reported as ``RemoteFaultError``: the data is spent,
        the caller begins again. The request ends without its last byte when ``data`` raises.
        """
        wanted = sorted(self._login.target.policy.stores - {ALL_STORES})
        backend = wanted[0] if wanted else None
        with source_errors():
            self._images.upload(
                quote(image_id, safe=""), body_of(data, size_bytes), image_size=size_bytes, backend=backend
            )

    def stage_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:
        """Put the content into the staging area; errors as for ``write_data``."""
        with source_errors():
            self._images.stage(quote(image_id, safe=""), body_of(data, size_bytes), image_size=size_bytes)

    def update_image(self, image_id: str, changes: Changes) -> Image:
        """Write metadata in one call; see ``update`` for what happens when single keys are forbidden."""
        return self._image(update(self._api, path_of(image_id), changes))

    def delete_image(self, image_id: str) -> None:
        """Remove the image; ``NotFoundError`` if it is not there, ``ForbiddenError`` if protected."""
        self._images.delete(quote(image_id, safe=""))

    def import_methods(self) -> frozenset[str]:
        """Import methods that the server offers; none if it has no discovery of them."""
        response = self._api.request("GET", "/v2/info/import", accept=_ABSENT)
        if response.status_code in _ABSENT:
            return frozenset()
        with located(self._api.where):
            return offered_methods(self._api.parsed(response))

    def import_image(self, image_id: str, method: Mapping[str, str], stores: Iterable[str] = ()) -> None:
        """Start an import (spec 14.6); ``stores`` may be the single word ``all``."""
        body = import_request(method, stores, self._login.target.all_stores_must_succeed)
        self._api.request("POST", path_of(image_id, "/import"), json=body)

    def import_failure(self, image_id: str) -> str | None:
        """Why the last import failed: the newest task's message, else the stores that failed."""
        record = self._api.json("GET", path_of(image_id))
        response = self._api.request("GET", path_of(image_id, "/tasks"), accept=_ABSENT)
        tasks = None if response.status_code in _ABSENT else self._api.parsed(response)
        return failed_import(record, tasks)

    def set_members(self, image_id: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Share the image with projects, or stop sharing it; what is so already stays so."""
        members = path_of(image_id, "/members")
        for project in sorted(set(add)):
            self._api.request("POST", members, json={"member": project}, accept=_PRESENT)
        for project in sorted(set(remove)):
            self._api.request("DELETE", f"{members}/{quote(project, safe='')}", accept=_ABSENT)

    def deactivate_image(self, image_id: str) -> None:
        """Forbid downloads of the image."""
        self._images.deactivate(quote(image_id, safe=""))

    def reactivate_image(self, image_id: str) -> None:
        """Allow downloads again."""
        self._images.reactivate(quote(image_id, safe=""))
