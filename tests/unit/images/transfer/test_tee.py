"""One source, several readers: everybody gets all bytes, nobody holds up the others."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from app.errors import CancelledError, SourceError, TransferStalledError, UnreachableError
from app.sync.images.transfer import tee as tee_module
from app.sync.images.transfer.tee import BUFFERED_CHUNKS, Tee


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(tee_module, "WAKE_SECONDS", 0.02)


def chunks(count: int) -> list[bytes]:
    """So many distinct chunks."""
    return [str(n).encode() for n in range(count)]


@pytest.mark.parametrize("readers", [1, 2, 7])
def test_every_region_gets_every_byte_from_one_reading(readers):
    """The source is read once however many regions drink from it."""
    opened = []

    def source():
        opened.append(1)
        return iter(chunks(50))

    tee = Tee(Event(), stall_seconds=5)
    branches = [tee.branch(f"r{n}") for n in range(readers)]
    with ThreadPoolExecutor(readers) as pool:
        results = [pool.submit(list, branch) for branch in branches]
        tee.pump(source)
    assert [future.result() for future in results] == [chunks(50)] * readers
    assert opened == [1]


def test_region_that_closes_does_not_disturb_the_others():
    """A region whose upload fails leaves; the rest go on."""
    tee = Tee(Event(), stall_seconds=5)
    good, bad = tee.branch("good"), tee.branch("bad")
    pump = Thread(target=tee.pump, args=(lambda: chunks(50),))
    pump.start()
    assert next(iter(bad)) == b"0"
    bad.close()
    assert list(good) == chunks(50)
    pump.join(5)
    assert not pump.is_alive()


def test_region_that_hangs_is_cut_off_and_the_others_finish():
    """One region that takes nothing for the stall time is dropped with an error of its own."""
    tee = Tee(Event(), stall_seconds=0.1)
    good, hanging = tee.branch("good"), tee.branch("hanging")
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(list, good)
        tee.pump(lambda: chunks(BUFFERED_CHUNKS * 3))
        assert received.result(5) == chunks(BUFFERED_CHUNKS * 3)
    reader = iter(hanging)
    taken = []
    with pytest.raises(TransferStalledError) as raised:
        taken.extend(reader)
    assert raised.value.where == "hanging"


def test_buffer_is_bounded_by_the_slowest_reader():
    """Memory stays flat: the source is not read further ahead than the buffer."""
    produced = []

    def source():
        for chunk in chunks(100):
            produced.append(chunk)
            yield chunk

    tee = Tee(Event(), stall_seconds=5)
    branch = tee.branch("slow")
    pump = Thread(target=tee.pump, args=(source,))
    pump.start()
    reader = iter(branch)
    for number in range(100):
        assert next(reader) == str(number).encode()
        assert len(produced) <= number + 1 + BUFFERED_CHUNKS + 1
    assert list(reader) == []
    pump.join(5)


def test_nobody_left_ends_the_reading():
    """When all regions are gone the source is not read to its end for nobody."""
    produced = []

    def source():
        for chunk in chunks(1000):
            produced.append(chunk)
            yield chunk

    tee = Tee(Event(), stall_seconds=5)
    branch = tee.branch("only")
    branch.close()
    tee.pump(source)
    assert len(produced) == 1


def test_failing_source_is_told_to_every_region_as_the_sources_fault():
    """A region learns that the source failed, so that it is not blamed for it."""

    def source():
        yield b"x"
        raise UnreachableError("connection reset", where="Valladolid")

    tee = Tee(Event(), stall_seconds=5)
    branches = [tee.branch("a"), tee.branch("b")]
    tee.pump(source)
    for branch in branches:
        with pytest.raises(SourceError, match="connection reset") as raised:
            list(branch)
        assert raised.value.where == "Valladolid"


def test_crash_of_the_reading_thread_never_leaves_a_region_waiting():
    """Even a programming error in the reader ends the stream for everybody."""

    def source():
        yield b"x"
        raise ValueError("bug")

    tee = Tee(Event(), stall_seconds=5)
    branch = tee.branch("a")
    with pytest.raises(ValueError, match="bug"):
        tee.pump(source)
    with pytest.raises(SourceError, match="ValueError"):
        list(branch)


@pytest.mark.parametrize("side", ["reader waits", "source waits"])
def test_stop_ends_both_sides(side):
    """A stop wakes a reader without bytes as well as a source without readers."""
    stop = Event()
    stop.set()
    tee = Tee(stop, stall_seconds=5)
    branch = tee.branch("a")
    if side == "source waits":
        tee.pump(lambda: chunks(BUFFERED_CHUNKS + 2))
    with pytest.raises(CancelledError):
        list(branch)
