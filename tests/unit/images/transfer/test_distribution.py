"""Who reads an image from where: its bytes leave the master once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from app.errors import CancelledError
from app.sync.images.model import RegionRef
from app.sync.images.transfer.distribution import Distributor, Holder, Share

MASTER = Holder(RegionRef("master", "Valladolid"), "m1")


def join(distributor: Distributor, region: str, **options) -> Share:
    """Join as a streaming region with a short stall time."""
    return distributor.join(MASTER, region, **{"streams": True, "stall_seconds": 5, **options})


def holder(region: str) -> Holder:
    """A copy in a region of the master's target."""
    return Holder(RegionRef("master", region), f"id-{region}")


@pytest.mark.parametrize("regions", [1, 3, 8])
def test_regions_that_want_an_image_together_share_one_reading(regions):
    """All regions of a parallel run drink from one stream of the master."""
    distributor = Distributor(Event(), gather_seconds=10)
    names = [f"r{n}" for n in range(regions)]
    for name in names:
        distributor.enter(name)
        distributor.expect(name, {"m1"})
    with ThreadPoolExecutor(regions) as pool:
        shares = list(pool.map(lambda name: join(distributor, name), names))
    assert [share.leads for share in shares].count(True) == 1
    assert len({id(share.tee) for share in shares}) == 1
    assert {share.holder for share in shares} == {MASTER}


def test_late_region_is_served_by_one_that_has_it():
    """Once a region holds a verified copy, the master is not read again."""
    distributor = Distributor(Event(), gather_seconds=0)
    first = join(distributor, "Burgos")
    distributor.settle(MASTER, first, holder("Burgos"))
    assert join(distributor, "Caceres").holder == holder("Burgos")


def test_late_region_waits_for_a_reading_under_way():
    """A region that comes in the middle of a transfer waits for its result instead of reading again."""
    distributor = Distributor(Event(), gather_seconds=0)
    first = join(distributor, "Burgos")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(join, distributor, "Caceres")
        assert not late.done()
        distributor.settle(MASTER, first, holder("Burgos"))
        assert late.result(5).holder == holder("Burgos")


def test_failed_reading_lets_the_next_region_read_the_master():
    """When the only reading fails nobody waits for ever."""
    distributor = Distributor(Event(), gather_seconds=0)
    first = join(distributor, "Burgos")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(join, distributor, "Caceres")
        distributor.settle(MASTER, first, None)
        assert late.result(5).holder == MASTER


def test_holder_that_failed_a_region_is_avoided_by_it():
    """A copy that cannot be read back does not block the region: the master serves."""
    distributor = Distributor(Event(), gather_seconds=0)
    distributor.settle(MASTER, join(distributor, "Burgos"), holder("Burgos"))
    share = join(distributor, "Caceres", avoid=frozenset({holder("Burgos")}))
    assert share.holder == MASTER


def test_server_side_copies_come_only_from_the_same_federation():
    """A Glance can fetch only from regions of its own Keystone."""
    distributor = Distributor(Event(), gather_seconds=0)
    copy = Holder(RegionRef("other", "Madrid"), "x")
    distributor.settle(MASTER, join(distributor, "other:Madrid"), copy)
    share = join(distributor, "Caceres", streams=False, target="master")
    assert share.holder == MASTER
    assert share.tee is None


def test_region_that_does_not_come_is_waited_for_only_once():
    """A region busy with something else delays the others once, not for every image."""
    distributor = Distributor(Event(), gather_seconds=0.3)
    distributor.enter("slow")
    distributor.expect("slow", {"m1", "m2"})
    distributor.settle(MASTER, join(distributor, "Burgos"), None)
    second = Holder(MASTER.region, "m2")
    patient = Distributor(Event(), gather_seconds=3600)
    patient._stragglers = distributor._stragglers
    patient.enter("slow")
    patient.expect("slow", {"m1", "m2"})
    with ThreadPoolExecutor(1) as pool:
        share = pool.submit(patient.join, second, "Burgos", streams=True, stall_seconds=5)
        assert share.result(5).leads


@pytest.mark.parametrize("farewell", ["leave", "drop"])
def test_region_that_says_it_will_not_come_is_not_waited_for(farewell):
    """A region that fails or has the image already releases those who wait for it."""
    distributor = Distributor(Event(), gather_seconds=3600)
    distributor.enter("gone")
    distributor.expect("gone", {"m1"})
    with ThreadPoolExecutor(1) as pool:
        share = pool.submit(join, distributor, "Burgos")
        if farewell == "leave":
            distributor.leave("gone")
        else:
            distributor.drop("gone", "m1")
        assert share.result(5).leads


def test_stop_releases_everybody_who_waits():
    """A stopped run leaves no thread waiting for others."""
    stop = Event()
    distributor = Distributor(stop, gather_seconds=3600)
    distributor.enter("never")
    errors = []

    def waiting(region: str) -> None:
        try:
            for _ in join(distributor, region).branch:
                pass
        except CancelledError as error:
            errors.append(error)

    threads = [Thread(target=waiting, args=(f"r{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(5)
    assert len(errors) == 3
