"""How far a run has come, counted from its events."""

from __future__ import annotations

from dataclasses import dataclass

from app.sync.events import Event, ItemFinished, ItemProgressed, ItemStarted, RegionStarted
from app.sync.status import Outcome


@dataclass(slots=True)
class Transfer:
    """One image on its way to one region: bytes sent so far of all its bytes (0: unknown)."""

    region: str
    name: str
    total_bytes: int
    sent_bytes: int = 0

    @property
    def moved(self) -> int:
        """What it adds to the whole; never more than its own size."""
        return min(self.sent_bytes, self.total_bytes)


class Tally:
    """Bytes announced, bytes moved and images under way. Fed by one thread at a time.

    A failed transfer counts as settled: the bar must reach its end when the run does.
    """

    def __init__(self) -> None:
        self.announced_bytes = 0
        self.under_way: dict[tuple[str, str], Transfer] = {}
        self._settled_bytes = 0

    @property
    def moved_bytes(self) -> int:
        """Bytes of settled images and of those under way."""
        return self._settled_bytes + sum(transfer.moved for transfer in self.under_way.values())

    @property
    def total_bytes(self) -> int:
        """All bytes known to be needed; grows when a region announces more."""
        return max(self.announced_bytes, self.moved_bytes)

    @property
    def percent(self) -> int:
        """Share of the bytes moved, rounded down; 100 when there are none."""
        return 100 * self.moved_bytes // self.total_bytes if self.total_bytes else 100

    def feed(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, RegionStarted):
            self.announced_bytes += event.pending_bytes
        elif isinstance(event, ItemStarted) and event.status.needs_content:
            self.under_way[event.region, event.name] = Transfer(
                event.region, event.name, event.size_bytes or 0
            )
        elif isinstance(event, ItemProgressed):
            transfer = self.under_way.get((event.region, event.name))
            if transfer is not None:
                transfer.sent_bytes = event.sent_bytes
        elif isinstance(event, ItemFinished):
            transfer = self.under_way.pop((event.region, event.outcome.item.name), None)
            self._settled_bytes += self._settled(transfer, event.outcome)

    @staticmethod
    def _settled(transfer: Transfer | None, outcome: Outcome) -> int:
        if transfer is not None:
            return transfer.total_bytes
        return (outcome.item.size_bytes or 0) if outcome.before.needs_content else 0
