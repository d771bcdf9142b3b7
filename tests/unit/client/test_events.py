"""Events are put together from a stream wherever the network cuts it."""

from __future__ import annotations

import json
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncline_client import AnswerError, Event
from syncline_client.events import EventParser

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
EVENTS = st.lists(st.builds(Event, WORD, st.dictionaries(TEXT, TEXT | st.integers(), max_size=3), WORD))


def written(event: Event, end: str, comment: bool) -> bytes:
    """An event as a server may write it."""
    lines = [f"id: {event.id}", f"event:{event.kind}", f"data: {json.dumps(dict(event.data))}", "", ""]
    return end.join([*([": heartbeat", ""] if comment else []), *lines]).encode()


def parsed(*pieces: bytes) -> list[Event]:
    """All events of the pieces."""
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@given(EVENTS, st.sampled_from(["\n", "\r", "\r\n"]), st.booleans(), st.data())
def test_pieces_do_not_matter(events: list[Event], end: str, comment: bool, data: st.DataObject) -> None:
    """The same events come out however the bytes arrive, with every line end of the standard."""
    text = b"".join(written(event, end, comment) for event in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parsed(*pieces) == events
    assert parsed(*(text[at : at + 1] for at in range(len(text)))) == events


@given(st.binary(max_size=300), st.integers(1, 40))
def test_no_bytes_break_the_parser(noise: bytes, size: int) -> None:
    """Whatever arrives, there are events or the one error that says that they are none."""
    try:
        whole = parsed(noise)
    except AnswerError:
        return
    pieces = [noise[at : at + size] for at in range(0, len(noise), size)]
    assert parsed(*pieces) == whole


@pytest.mark.parametrize(
    ("text", "events"),
    [
        pytest.param(b"\xef\xbb\xbfdata: {}\n\n", [Event("message", {})], id="byte-order-mark"),
        pytest.param(b'data: {"a":\ndata: 1}\n\n', [Event("message", {"a": 1})], id="data-of-two-lines"),
        pytest.param(b"event: x\n\n", [], id="without-data"),
        pytest.param(b"event: x\n\ndata: {}\n\n", [Event("message", {})], id="kind-is-not-kept"),
        pytest.param(b"id: 7\n\ndata: {}\n\n", [Event("message", {}, "7")], id="id-is-kept"),
        pytest.param(b"id: 7\nid: a\0b\ndata: {}\n\n", [Event("message", {}, "7")], id="id-with-nul"),
        pytest.param(b"data: {}\n", [], id="not-ended"),
        pytest.param(b"unknown: 1\n: comment\n\n", [], id="nothing-but-comments"),
    ],
)
def test_rules_of_the_standard(text: bytes, events: list[Event]) -> None:
    """The stream is read as the HTML standard says."""
    assert parsed(text) == events


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"1", b'"text"', b"[" * 100_000], ids=lambda data: str(data[:6])
)
def test_data_has_to_be_an_object(data: bytes) -> None:
    """An event whose data is no JSON object is an error of the service, not of the caller's code."""
    with pytest.raises(AnswerError, match="JSON"):
        parsed(b"data: " + data + b"\n\n")


@pytest.mark.parametrize("text", [b"x" * 200, b"data: " + b"x" * 60 + b"\n"], ids=["line", "data"])
def test_memory_is_bounded(text: bytes) -> None:
    """A stream whose events do not end is given up at the limit."""
    parser = EventParser(limit_bytes=100)
    with pytest.raises(AnswerError, match="longer than 100 bytes"):
        deque((parser.feed(text) for _ in range(2)), maxlen=0)


@pytest.mark.parametrize(
    ("line", "seconds"), [(b"retry: 2000", 2.0), (b"retry: soon", 0.0), (b"retry: -5", 0.0)], ids=str
)
def test_stream_says_when_to_come_back(line: bytes, seconds: float) -> None:
    """What the stream asks a client to wait is known; nonsense is passed over."""
    parser = EventParser()
    parser.feed(line + b"\n\n")
    assert parser.retry_seconds == seconds
