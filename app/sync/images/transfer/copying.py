"""One verified, still private copy of an image in a region, by the first way that works."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.errors import (
    CancelledError,
    ChecksumMismatchError,
    ContentError,
    NotFoundError,
    QuotaError,
    RemoteError,
    StoreError,
    StoreFullError,
    SynclineError,
)
from app.sync.images import drafts, provenance
from app.sync.images.compare import Verdict, content_matches
from app.sync.images.model import Image
from app.sync.images.stores.base import Imports, RecordsContent
from app.sync.images.transfer.choice import GLANCE_DOWNLOAD, LOCAL_FILE, STREAM, Offer, usable
from app.sync.images.transfer.context import Delivery, Destination, Route
from app.sync.images.transfer.distribution import Distributor, Holder, Share
from app.sync.images.transfer.reading import backoff_seconds, expected_digest, pause
from app.sync.images.transfer.transports import FROM_HOLDER, STREAMING, TRANSPORTS, image_file

HOPELESS = (CancelledError, QuotaError, StoreFullError)
"""Failures that no other transport and no further attempt can mend."""


@dataclass(slots=True)
class Copy:
    """A verified private copy, how it came, and what it took."""

    image: Image
    transport: str
    attempts: int
    sent_bytes: int


@dataclass(slots=True)
class Copier:
    """Makes copies in one region.

    Args:
        on_trouble: told of every failed attempt that is followed by another.

    """

    destination: Destination
    route: Route
    distributor: Distributor
    writer: str
    on_trouble: Callable[[str, SynclineError], None]
    _methods: frozenset[str] | None = field(default=None, init=False)

    def copy(self, source: Image, ids: Mapping[str, str], on_progress: Callable[[int], None]) -> Copy:
        """Bring the image to the region as a private image under a temporary name.

        Args:
            ids: image name to id in this region, for kernel and ramdisk references.

        Raises:
            SynclineError: the last failure, when every way and attempt is used up. Nothing is left behind.

        """
        attempts = 0
        last: SynclineError = StoreError("no transport is usable", where=self.destination.region.full)
        avoid: frozenset[Holder] = frozenset()
        for transport in self._transports(source):
            failures = 0
            while failures <= self.destination.target.retries:
                attempts += 1
                share = self._join(source, transport, avoid)
                try:
                    return self._attempt(source, ids, transport, share, attempts, on_progress)
                except HOPELESS:
                    raise
                except SynclineError as error:
                    last, failures = error, failures + 1
                    if transport in FROM_HOLDER and isinstance(error, ContentError | NotFoundError):
                        avoid |= {share.holder}
                    if not error.retryable:
                        break
                    self.on_trouble(f"image {source.name} by {transport}, attempt {attempts}", error)
                    pause(self.route.stop, backoff_seconds(failures))
        raise last

    def _transports(self, source: Image) -> tuple[str, ...]:
        store, target = self.destination.store, self.destination.target
        directory = self.route.images_dir
        records_only = isinstance(store, RecordsContent)
        offer = Offer(
            keeps_records_only=records_only,
            local_file=directory is not None and image_file(directory, source.id).is_file(),
            same_location=store.location == self.route.master_location,
            import_methods=frozenset() if records_only else self._import_methods(),
            has_uri=bool(target.web_download_uri),
        )
        names = usable(offer, target.transport)
        if not names:
            raise StoreError(
                f"none of the transports {', '.join(target.transport)} is possible",
                where=self.destination.region.full,
                remedy=f"set transport = auto, or one of those the region offers, e.g. {STREAM}",
            )
        return names

    def _import_methods(self) -> frozenset[str]:
        if self._methods is None:
            store = self.destination.store
            self._methods = store.import_methods() if isinstance(store, Imports) else frozenset()
        return self._methods

    def _join(self, source: Image, transport: str, avoid: frozenset[Holder]) -> Share:
        master = self._master(source)
        if transport not in FROM_HOLDER:
            return Share(master, self.destination.region.full)
        same_target_only = transport == GLANCE_DOWNLOAD
        return self.distributor.join(
            master,
            self.destination.region.full,
            streams=transport in STREAMING,
            stall_seconds=self.destination.target.stall_timeout_seconds,
            avoid=avoid,
            target=self.destination.region.target if same_target_only else None,
        )

    def _master(self, source: Image) -> Holder:
        return Holder(self.route.master_region, source.id)

    def _attempt(
        self,
        source: Image,
        ids: Mapping[str, str],
        transport: str,
        share: Share,
        attempts: int,
        on_progress: Callable[[int], None],
    ) -> Copy:
        copied: Holder | None = None
        try:
            image = self._deliver(source, ids, transport, share, on_progress)
            copied = Holder(self.destination.region, image.id)
            sent_bytes = 0 if transport not in (*STREAMING, LOCAL_FILE) else image.size or 0
            return Copy(image, transport, attempts, sent_bytes)
        finally:
            if share.branch:
                share.branch.close()
            if transport in FROM_HOLDER:
                self.distributor.settle(self._master(source), share, copied)

    def _deliver(
        self,
        source: Image,
        ids: Mapping[str, str],
        transport: str,
        share: Share,
        on_progress: Callable[[int], None],
    ) -> Image:
        store, policy = self.destination.store, self.destination.target.policy
        draft = drafts.make_draft(
            source,
            policy,
            ids,
            temporary_name=f"{provenance.TEMPORARY_PREFIX}{secrets.token_hex(8)}",
            writer=self.writer,
        )
        created = store.create_image(draft)
        try:
            delivery = Delivery(source, created.id, self.destination, on_progress)
            TRANSPORTS[transport](delivery, share, self.route)
            image = store.get_image(created.id)
            self.verify(source, image)
        except BaseException:
            self._discard(created.id)
            raise
        return image

    def verify(self, source: Image, image: Image) -> None:
        """Check what the region says it holds against the master (14.5).

        Raises:
            ChecksumMismatchError: size or hash differ.
            ContentError: the copy is not active, or cannot be verified at all.

        """
        where = self.destination.region.full
        if not image.is_active:
            raise ContentError(f"the copy of {source.name} is {image.status} after the transfer", where=where)
        verdict = content_matches(source, image)
        if verdict is Verdict.UNKNOWN and expected_digest(source):
            verdict = Verdict.SAME if self._hash(source, image) else Verdict.DIFFERENT
        if verdict is Verdict.DIFFERENT:
            raise ChecksumMismatchError(
                f"the copy of {source.name} has {image.size} bytes, {provenance.content_id(image)}; "
                f"the master has {source.size} bytes, {provenance.content_id(source)}",
                where=where,
            )
        if verdict is Verdict.UNKNOWN:
            raise ContentError(
                f"the copy of {source.name} cannot be verified: the master has no checksum", where=where
            )

    def _hash(self, source: Image, image: Image) -> bool:
        """Read the copy back where the two sides do not share a hash algorithm."""
        expected = expected_digest(source)
        if expected is None:
            return False
        digest = hashlib.new(expected[0], usedforsecurity=False)
        size = 0
        with self.destination.store.read_data(image.id) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest() == expected[1] and source.size in (None, size)

    def _discard(self, image_id: str) -> None:
        """Remove our own half-made image; if even that fails, its marks let the next run do it."""
        try:
            self.destination.store.delete_image(image_id)
        except NotFoundError:
            return
        except (RemoteError, StoreError) as error:
            self.on_trouble(f"half-made image {image_id} stays until the next run", error)
