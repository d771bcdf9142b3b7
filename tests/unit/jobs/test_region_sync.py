"""What a schedule may ask for, and what follows from it."""

from __future__ import annotations

import pytest

from app.errors import ConfigurationError
from app.jobs.region_sync import EVERYTHING, Order, read_order
from app.sync.tasks import Mode

GOOD = {
    "nothing said": ({}, Order((EVERYTHING,), Mode.SYNC)),
    "some regions": ({"regions": ["Burgos", "t:"]}, Order(("Burgos", "t:"))),
    "only look": ({"regions": ["*"], "mode": "plan"}, Order(("*",), Mode.PLAN)),
}
BAD = {
    "a word": {"regions": "Burgos"},
    "no regions": {"regions": []},
    "numbers": {"regions": [1]},
    "unknown mode": {"mode": "destroy"},
    "mode of another type": {"mode": 1},
    "unknown member": {"region": ["Burgos"]},
}


@pytest.mark.parametrize(("payload", "order"), GOOD.values(), ids=GOOD)
def test_orders_are_read(payload: dict[str, object], order: Order) -> None:
    """A schedule names regions as the command line does, ``*`` for all, and what to do with them."""
    assert read_order(payload) == order


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD)
def test_what_is_no_order_is_refused(payload: dict[str, object]) -> None:
    """A slip in a schedule's payload is told and starts nothing."""
    with pytest.raises(ConfigurationError):
        read_order(payload)
