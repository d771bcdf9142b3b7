"""How far a run has come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.tally import Tally
from app.sync.events import Event, ItemFinished, ItemProgressed, ItemStarted, RegionStarted
from app.sync.status import Result, Status
from tests.unit.cli.builders import outcome, transfer_events


def fed(*events: Event) -> Tally:
    """A tally after these events."""
    tally = Tally()
    for event in events:
        tally.feed(event)
    return tally


def test_bytes_under_way_count_at_once() -> None:
    """Progress moves while an image is copied, not only when it is done."""
    tally = fed(RegionStarted("R", 2, 200), *transfer_events("R", "a", 100, (30,))[:2])
    assert (tally.moved_bytes, tally.total_bytes, tally.percent) == (30, 200, 15)


def test_a_new_attempt_starts_again() -> None:
    """When a broken copy begins anew its bytes are counted once, not twice."""
    tally = fed(RegionStarted("R", 1, 100), *transfer_events("R", "a", 100, (80, 10))[:3])
    assert tally.moved_bytes == 10


@pytest.mark.parametrize("result", [Result.DONE, Result.FAILED, Result.SKIPPED, Result.CANCELLED])
def test_a_settled_image_is_whole(result: Result) -> None:
    """A run that ends is at 100 percent, also when an image failed or was left out."""
    started = fed(RegionStarted("R", 1, 100), *transfer_events("R", "a", 100, (80,), result))
    never = fed(RegionStarted("R", 1, 100), ItemFinished("R", outcome("a", result=result)))
    assert started.percent == never.percent == 100
    assert not started.under_way


def test_metadata_items_weigh_nothing() -> None:
    """An image whose metadata alone is written does not move the bytes."""
    tally = fed(
        RegionStarted("R", 1, 0),
        ItemStarted("R", "a", Status.PENDING_METADATA, 100),
        ItemFinished("R", outcome("a", before=Status.PENDING_METADATA)),
    )
    assert (tally.moved_bytes, tally.percent) == (0, 100)


def test_one_name_in_two_regions_is_two_transfers() -> None:
    """Regions copied at the same time add up."""
    tally = fed(
        *(RegionStarted(region, 1, 100) for region in "AB"),
        *(ItemStarted(region, "x", Status.PENDING_UPLOAD, 100) for region in "AB"),
        ItemProgressed("A", "x", 40),
        ItemProgressed("B", "x", 20),
    )
    assert tally.moved_bytes == 60


@given(
    st.lists(
        st.tuples(
            st.sampled_from("AB"), st.sampled_from("xyz"), st.one_of(st.none(), st.integers(0, 10**13))
        ),
        max_size=20,
    ),
    st.integers(0, 10**12),
)
def test_percent_stays_between_0_and_100(moves: list[tuple[str, str, int | None]], announced: int) -> None:
    """Wrong or unknown sizes never make progress run backwards past zero or beyond the end."""
    tally = fed(RegionStarted("A", 1, announced))
    for region, name, sent in moves:
        tally.feed(ItemStarted(region, name, Status.PENDING_UPLOAD, sent))
        tally.feed(ItemProgressed(region, name, (sent or 0) * 2))
        assert 0 <= tally.percent <= 100
        tally.feed(ItemFinished(region, outcome(name, size=sent)))
        assert 0 <= tally.percent <= 100
