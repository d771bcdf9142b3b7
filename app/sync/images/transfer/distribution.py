"""Who brings which image from where, so that its bytes leave the master once.

Regions that want the same image at the same time share one stream (a tee). A region that comes later
is served by a region that has a verified copy. Only when all of those fail does the master read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Condition, Event
from time import monotonic

from app.errors import CancelledError
from app.sync.images.model import RegionRef
from app.sync.images.transfer.tee import Branch, Tee

GATHER_SECONDS = 5.0
WAKE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """A verified copy of an image: where it is and its id there."""

    region: RegionRef
    image_id: str


@dataclass(slots=True)
class Share:
    """One region's part in one reading of an image.

    ``branch`` and ``tee`` are set for streams. Whoever ``leads`` starts the pump.
    """

    holder: Holder
    region: str
    leads: bool = True
    tee: Tee | None = None
    branch: Branch | None = None


@dataclass(slots=True)
class _Group:
    """Regions that read together from one holder."""

    holder: Holder
    tee: Tee | None
    members: set[str] = field(default_factory=set)
    gathering: bool = True


@dataclass(slots=True)
class _Book:
    """What is known of one image: its verified copies and the readings under way."""

    holders: list[Holder]
    groups: list[_Group] = field(default_factory=list)


class Distributor:
    """Shared by all regions of one run; every method may be called from any thread."""

    def __init__(self, stop: Event, gather_seconds: float = GATHER_SECONDS) -> None:
        self._stop = stop
        self._gather_seconds = gather_seconds
        self._changed = Condition()
        self._books: dict[str, _Book] = {}
        self._wants: dict[str, set[str] | None] = {}
        self._stragglers: set[str] = set()

    def enter(self, region: str) -> None:
        """A region starts; what it wants is not known yet."""
        with self._changed:
            self._wants[region] = None

    def expect(self, region: str, image_ids: set[str]) -> None:
        """The region's plan is made: these master images it will ask for."""
        with self._changed:
            self._wants[region] = set(image_ids)
            self._changed.notify_all()

    def leave(self, region: str) -> None:
        """The region is done, one way or the other."""
        with self._changed:
            self._wants.pop(region, None)
            self._changed.notify_all()

    def join(
        self,
        master: Holder,
        region: str,
        *,
        streams: bool,
        stall_seconds: float,
        avoid: frozenset[Holder] = frozenset(),
        target: str | None = None,
    ) -> Share:
        """A place to read the image from, at once or as soon as somebody has it.

        Args:
            master: the image on the master; names it for all regions.
            streams: whether the caller reads bytes (and can share them) or lets a server fetch them.
            avoid: holders that failed this caller before; the master is used when none is left.
            target: only regions of this target can serve (server-to-server within one federation).

        Raises:
            CancelledError: the run was stopped while waiting.

        """
        with self._changed:
            book = self._books.setdefault(master.image_id, _Book([]))
            while True:
                if share := self._join_gathering(book, region, streams):
                    return share
                holders = [
                    holder
                    for holder in book.holders
                    if holder not in avoid
                    and holder.region.full != region
                    and target in (None, holder.region.target)
                ]
                if holders or not book.groups or avoid:
                    holder = holders[0] if holders else master
                    return self._lead(book, master.image_id, holder, region, streams, stall_seconds)
                self._wait()

    def settle(self, master: Holder, share: Share, copy: Holder | None) -> None:
        """The reading is over for this region; ``copy`` is its verified image, None if it failed."""
        with self._changed:
            book = self._books[master.image_id]
            if copy:
                book.holders.append(copy)
                self._stragglers.discard(share.region)
            for group in [g for g in book.groups if share.region in g.members]:
                group.members.discard(share.region)
                if not group.members:
                    book.groups.remove(group)
            wants = self._wants.get(share.region)
            if copy and wants is not None:
                wants.discard(master.image_id)
            self._changed.notify_all()

    def drop(self, region: str, image_id: str) -> None:
        """The region will not ask for this image any more; nobody needs to wait for it."""
        with self._changed:
            wants = self._wants.get(region)
            if wants is not None:
                wants.discard(image_id)
                self._changed.notify_all()

    def _join_gathering(self, book: _Book, region: str, streams: bool) -> Share | None:
        for group in book.groups:
            if streams and group.gathering and group.tee:
                group.members.add(region)
                branch = group.tee.branch(region)
                self._changed.notify_all()
                return Share(group.holder, region, leads=False, tee=group.tee, branch=branch)
        return None

    def _lead(
        self, book: _Book, image_id: str, holder: Holder, region: str, streams: bool, stall_seconds: float
    ) -> Share:
        tee = Tee(self._stop, stall_seconds) if streams else None
        group = _Group(holder, tee, {region})
        book.groups.append(group)
        branch = tee.branch(region) if tee else None
        try:
            if tee:
                self._gather(group, image_id)
        except CancelledError as error:
            book.groups.remove(group)
            if tee:
                tee.abandon(error)
            raise
        finally:
            group.gathering = False
        return Share(holder, region, tee=tee, branch=branch)

    def _gather(self, group: _Group, image_id: str) -> None:
        """Wait a moment for the regions that will want the same image; late ones are not waited for again."""
        deadline = monotonic() + self._gather_seconds
        while missing := self._missing(group, image_id):
            if monotonic() >= deadline:
                self._stragglers |= missing
                return
            self._wait(deadline - monotonic())

    def _missing(self, group: _Group, image_id: str) -> set[str]:
        return {
            region
            for region, wanted in self._wants.items()
            if region not in group.members
            and region not in self._stragglers
            and (wanted is None or image_id in wanted)
        }

    def _wait(self, seconds: float = WAKE_SECONDS) -> None:
        if self._stop.is_set():
            raise CancelledError("stopped on request")
        self._changed.wait(max(0.0, min(seconds, WAKE_SECONDS)))
