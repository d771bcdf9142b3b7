"""Following a task: every event once, whatever happens to the connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syncline_client import (
    AnswerError,
    Event,
    ForbiddenError,
    NotFoundError,
    ServerError,
    SyncClientError,
    TimedOutError,
    UnavailableError,
    UnreachableError,
)

from tests.unit.client.conftest import ClientFactory, Clock
from tests.unit.client.scripted import Reply, event, reply, serving, stream

TASK = {"taskId": "t", "status": "syncing", "items_total": 2, "items_done": 1}
DONE = TASK | {"status": "synced", "reason": None, "counts": {"ok": 2}}
STARTED = event(1, "started", items=2)
MOVED = event(2, "progress", sent_bytes=5)
ENDED = event(3, "ended", status="synced", reason=None, counts={"ok": 2})
NOT_MODIFIED = Reply(304)
FULL = reply({"detail": "too many streams"}, 503, retry_after="5")


def heard(make: ClientFactory, *replies: Reply, **limits: float) -> tuple[list[Event], list[tuple[str, str]]]:
    """Kinds of events in order, and per request its last path element and Last-Event-ID or ETag."""
    with serving(*replies) as server:
        events = list(make(server, **limits).follow("t2:Madrid", "t"))
        requests = [
            (
                asked.path.rpartition("/")[2],
                asked.headers.get("Last-Event-ID") or asked.headers.get("If-None-Match") or "",
            )
            for asked in server.asked
        ]
        assert server.left == []
    return events, requests


def kinds(events: list[Event]) -> list[str]:
    """What kinds of events came."""
    return [event.kind for event in events]


def test_a_stream_from_start_to_end(client_of: ClientFactory) -> None:
    """One connection is enough for a short task, and what it says is handed on as it is."""
    events, requests = heard(client_of, stream(b"retry: 2000\n\n", STARTED, b": heartbeat\n\n", MOVED, ENDED))
    assert events[0] == Event("started", {"items": 2}, "1")
    assert kinds(events) == ["started", "progress", "ended"]
    assert [event.is_last for event in events] == [False, False, True]
    assert requests == [("events", "")]


@pytest.mark.parametrize(
    ("first", "looks"),
    [
        pytest.param(stream(STARTED, MOVED), [reply(TASK)], id="closed"),
        pytest.param(stream(STARTED, MOVED, b"id: 3\nevent: en"), [reply(TASK)], id="closed-in-an-event"),
        pytest.param(stream(STARTED, MOVED, broken=True), [], id="reset"),
        pytest.param(stream(STARTED, MOVED, silent=True), [], id="silent"),
    ],
)
def test_a_broken_stream_goes_on_where_it_broke(
    client_of: ClientFactory, first: Reply, looks: list[Reply]
) -> None:
    """A client that lost its connection misses nothing and hears nothing twice."""
    events, requests = heard(client_of, first, *looks, stream(ENDED), silence_seconds=0.3)
    assert kinds(events) == ["started", "progress", "ended"]
    assert requests[-1] == ("events", "2")


def test_the_stream_says_how_soon_to_come_back(client_of: ClientFactory, clock: Clock) -> None:
    """A closed stream is opened again after the pause that the service asks for."""
    heard(client_of, stream(b"retry: 2000\n\n", STARTED), reply(TASK), stream(ENDED))
    assert clock.pauses == [2.0]


@pytest.mark.parametrize(
    "replies",
    [[stream(STARTED)], [stream(STARTED, broken=True), Reply(204)], [Reply(204)]],
    ids=["closed", "nothing-more", "nothing"],
)
def test_an_end_that_no_stream_told(client_of: ClientFactory, replies: list[Reply]) -> None:
    """A stream that closes without saying so does not hide that the task has ended."""
    events, _ = heard(client_of, *replies, reply(DONE))
    assert events[-1] == Event("ended", {"status": "synced", "reason": None, "counts": {"ok": 2}})


@pytest.mark.parametrize(
    "refusal",
    [FULL, reply({}, 404), reply({}, 405), reply({}, 200)],
    ids=["no-stream-to-spare", "no-such-route", "method", "no-stream"],
)
def test_polling_takes_the_place_of_streams(client_of: ClientFactory, refusal: Reply) -> None:
    """Where there is no stream the task is looked at now and then, cheaply, until it ends."""
    events, requests = heard(
        client_of, refusal, reply(TASK, etag='"1"'), NOT_MODIFIED, reply(DONE, etag='"2"')
    )
    assert kinds(events) == ["task", "task", "ended"]
    assert events[0].data["items_done"] == 1
    assert requests == [("events", ""), ("t", ""), ("t", '"1"'), ("t", '"1"')]


def test_a_stream_is_asked_for_again(client_of: ClientFactory, clock: Clock) -> None:
    """Polling ends as soon as the service has a stream to spare again: it says when to ask."""
    polls = [reply(TASK, etag='"1"'), NOT_MODIFIED, NOT_MODIFIED]
    events, requests = heard(client_of, stream(STARTED, broken=True), FULL, *polls, stream(ENDED))
    assert kinds(events) == ["started", "task", "ended"]
    assert requests[-1] == ("events", "1")
    assert clock.pauses == [0.5, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        pytest.param([reply({}, 404)] * 2, NotFoundError, id="no-such-task"),
        pytest.param([reply({}, 403)], ForbiddenError, id="forbidden"),
        pytest.param([reply({}, 500)] * 4, ServerError, id="service-fails"),
        pytest.param([stream(broken=True)] * 4, UnreachableError, id="breaks-at-once"),
        pytest.param([stream(), NOT_MODIFIED] * 4, UnreachableError, id="closes-at-once"),
        pytest.param([FULL, *[FULL] * 4], UnavailableError, id="stays-away"),
        pytest.param([stream(b"data: {\n\n")], AnswerError, id="nonsense"),
    ],
)
def test_what_cannot_be_followed(
    client_of: ClientFactory, replies: list[Reply], kind: type[SyncClientError]
) -> None:
    """Following ends with the reason when the service says no, or does not come back."""
    with serving(*replies) as server:
        with pytest.raises(kind):
            list(client_of(server).follow("B", "t"))
        assert server.left == []


def test_failures_in_a_row_are_waited_out_longer(client_of: ClientFactory, clock: Clock) -> None:
    """A service that is down is not besieged, and one sign of life forgets the failures."""
    down = reply({}, 500)
    events, _ = heard(client_of, down, down, down, stream(STARTED, broken=True), down, down, stream(ENDED))
    assert kinds(events) == ["started", "ended"]
    assert clock.pauses == [0.5, 1.0, 2.0, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "replies",
    [[FULL, *[reply(TASK)] * 9], [reply({}, 500)] * 9, [stream(STARTED), reply(TASK)] * 9],
    ids=["polling", "failing", "closing"],
)
def test_the_callers_time_is_kept(client_of: ClientFactory, clock: Clock, replies: list[Reply]) -> None:
    """Waiting ends when the caller's time is over, in whatever way the task is followed."""
    with serving(*replies) as server, pytest.raises(TimedOutError, match="did not end in time"):
        client_of(server).wait("B", "t", timeout_seconds=3)
    assert clock.now_seconds == pytest.approx(3)


def test_waiting_gives_the_task(client_of: ClientFactory) -> None:
    """Who waits gets the task as it ended, failed ones too."""
    failed = TASK | {"status": "failed", "reason": "lost"}
    with serving(stream(STARTED, event(2, "ended", status="failed")), reply(failed)) as server:
        task = client_of(server).wait("B", "t", timeout_seconds=60)
    assert (task.has_failed, task.reason, task.region) == (True, "lost", "B")


@pytest.mark.parametrize(
    "stop", [lambda events: events.close(), lambda _events: None], ids=["closed", "dropped"]
)
def test_following_can_be_left(client_of: ClientFactory, stop: Callable[..., None]) -> None:
    """A caller who has seen enough just stops; nothing further is asked."""
    with serving(stream(STARTED, silent=True)) as server:
        events = client_of(server).follow("B", "t")
        assert next(events).kind == "started"
        stop(events)
        assert len(server.asked) == 1
