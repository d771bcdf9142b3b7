"""``GET …/events``: what happens in a task, live."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from app.api.streams import wire
from app.api.streams.delivery import Relay, Relays
from app.api.streams.feed import DatabaseFeed
from app.api.streams.hub import StreamHub
from app.api.streams.loop import PAGE_EVENTS, StreamTimes
from app.sync import task_feed, tasks
from app.sync.tasks import TaskStatus
from tests.functional.api.site import Site
from tests.functional.api.streams import chunks_until, parse
from tests.servers import wait_until

QUICK = StreamTimes(poll_seconds=0.02, heartbeat_seconds=0.1, life_seconds=60.0, away_seconds=0.02)


def path(task_id: str) -> str:
    """Where the task is followed."""
    return f"/regions/Burgos/tasks/{task_id}/events"


class TestOverHttp:
    """The resource, as any WSGI server serves it."""

    def test_a_task_is_followed_to_its_end(self, site: Site) -> None:
        """Events arrive with ids, in order, while they happen; the stream ends with `ended`."""
        task_id = site.start()
        site.tells(task_id, ("started", {"items": 2, "bytes": 10}))
        answer = site.client.get(path(task_id))
        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
        body = answer.iter_encoded()
        text = chunks_until(body, b"event: started")
        site.tells(task_id, ("progress", {"name": "a\nb", "sent_bytes": 5}))
        text += chunks_until(body, b"event: progress")
        site.ends(task_id, TaskStatus.FAILED, "no space")
        events = parse(text + b"".join(body))
        assert [event.kind for event in events] == ["started", "progress", "ended"]
        assert [event.id for event in events] == sorted(event.id for event in events)
        assert events[1].data == {"name": "a\nb", "sent_bytes": 5}
        assert (events[2].data["status"], events[2].data["reason"]) == ("failed", "no space")

    def test_a_client_that_comes_back_misses_and_repeats_nothing(self, site: Site) -> None:
        """Last-Event-ID leaves out exactly what the client has seen."""
        task_id = site.start()
        site.tells(task_id, *[("progress", {"sent_bytes": number}) for number in range(5)])
        site.ends(task_id)
        events = parse(site.get(path(task_id)).data)
        for seen in range(len(events)):
            rest = parse(site.get(path(task_id), Last_Event_ID=str(events[seen].id)).data)
            assert rest == events[seen + 1 :]

    def test_who_has_seen_the_end_is_told_to_stay_away(self, site: Site) -> None:
        """After the last event of an ended task the answer is 204, which ends an EventSource."""
        task_id = site.start()
        site.ends(task_id)
        last = parse(site.get(path(task_id)).data)[-1]
        assert site.get(path(task_id), Last_Event_ID=str(last.id)).status_code == 204

    def test_a_long_history_arrives_whole(self, site: Site) -> None:
        """More events than one look at the database brings are all sent, in order."""
        task_id = site.start()
        count = 2 * PAGE_EVENTS + 7
        site.tells(task_id, *[("progress", {"sent_bytes": number}) for number in range(count)])
        site.ends(task_id)
        events = parse(site.get(path(task_id)).data)
        assert [event.data.get("sent_bytes") for event in events] == [*range(count), None]

    def test_head_does_not_begin_a_stream(self, small_site: Site) -> None:
        """HEAD answers at once."""
        answer = small_site.client.head(path(small_site.start()))
        assert (answer.status_code, answer.mimetype, answer.data) == (200, "text/event-stream", b"")

    @pytest.mark.parametrize("text", ["x", "-1", "1.5", "9" * 19])
    def test_a_bad_last_event_id_is_refused(self, small_site: Site, text: str) -> None:
        """What is no event id answers 400."""
        assert small_site.get(path(small_site.start()), Last_Event_ID=text).status_code == 400

    def test_streams_that_hold_a_thread_are_few(self, small_site: Site) -> None:
        """A quarter of the threads may wait with streams; the next one is sent away with 503."""
        task_id = small_site.start()
        threads = small_site.settings.api.web_threads
        open_ones = [small_site.client.get(path(task_id)) for _ in range(threads // 4)]
        refused = small_site.client.get(path(task_id))
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        assert int(refused.headers["Retry-After"]) > 0
        open_ones[0].close()
        assert small_site.client.get(path(task_id)).status_code == 200


@pytest.fixture
def hub(small_site: Site) -> StreamHub:
    """A hub with a quick rhythm over the tables of ``small_site``."""
    return StreamHub(DatabaseFeed(small_site.parts.database), QUICK)


Follow = Callable[..., socket.socket]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Adds a stream to a hub; gives the client's end."""
    ends: list[socket.socket] = []

    def begin(hub: StreamHub, task_id: str, seen: int = 0, head: bytes = b"") -> socket.socket:
        near, far = socket.socketpair()
        near.settimeout(30)
        ends.append(near)
        hub.adopt(far, task_id, seen, head)
        return near

    yield begin
    for end in ends:
        end.close()


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """What arrives until it holds these bytes."""
    text = b""
    while wanted not in text:
        chunk = connection.recv(65536)
        assert chunk, f"closed after {text!r}"
        text += chunk
    return text


def read_all(connection: socket.socket) -> bytes:
    """What arrives until the end."""
    text = b""
    while chunk := connection.recv(65536):
        text += chunk
    return text


class TestHub:
    """The one thread that serves all streams of a process."""

    def test_a_silent_stream_shows_that_it_lives(
        self, small_site: Site, hub: StreamHub, follow: Follow
    ) -> None:
        """Comments keep a connection open while nothing happens."""
        assert read_until(follow(hub, small_site.start()), wire.HEARTBEAT * 2)

    def test_a_stream_is_closed_after_its_time(self, small_site: Site, follow: Follow) -> None:
        """A stream ends by itself; its client comes back with the last id."""
        hub = StreamHub(DatabaseFeed(small_site.parts.database), replace(QUICK, life_seconds=0.1))
        assert read_all(follow(hub, small_site.start())).startswith(wire.OPENING)

    def test_the_stream_of_a_deleted_task_ends(
        self, small_site: Site, hub: StreamHub, follow: Follow
    ) -> None:
        """Nobody waits for a task that is gone."""
        task_id = small_site.start()
        last = 10**9  # as if everything had been seen
        connection = follow(hub, task_id, seen=last)
        read_until(connection, wire.OPENING)
        small_site.ends(task_id)
        assert small_site.client.delete(f"/regions/Burgos/tasks/{task_id}").status_code == 200
        assert b"event:" not in read_all(connection)

    def test_a_client_that_leaves_frees_its_place(self, small_site: Site, follow: Follow) -> None:
        """Places of clients that went away are given to others."""
        hub = StreamHub(DatabaseFeed(small_site.parts.database), QUICK, max_streams=1)
        task_id = small_site.start()
        connection = follow(hub, task_id)
        read_until(connection, wire.OPENING)
        assert not hub.has_room
        connection.close()
        small_site.ends(task_id)
        read_all(follow(hub, task_id))
        wait_until(lambda: hub.has_room, 20, "giving the place back")

    def test_each_client_gets_what_it_has_not_seen(
        self, small_site: Site, hub: StreamHub, follow: Follow
    ) -> None:
        """Clients of one task at different places are each served from their own."""
        task_id = small_site.start()
        small_site.tells(task_id, *[("progress", {"sent_bytes": number}) for number in range(3)])
        with small_site.parts.database.read() as session:
            ids = [event.id for event in tasks.events_after(session, task_id, 0, 10)]
        connections = [follow(hub, task_id, seen) for seen in (0, *ids)]
        small_site.ends(task_id)
        received = [len(parse(read_all(connection))) for connection in connections]
        assert received == [4, 3, 2, 1]

    def test_a_slow_client_holds_nobody_up_and_loses_nothing(
        self, small_site: Site, hub: StreamHub, follow: Follow
    ) -> None:
        """While one client does not read, others are served; later it still gets everything."""
        task_id = small_site.start()
        slow, quick = follow(hub, task_id), follow(hub, task_id)
        count = 3 * PAGE_EVENTS
        for start in range(0, count, PAGE_EVENTS):
            small_site.tells(
                task_id,
                *[
                    ("notice", {"n": number, "message": "x" * 1000})
                    for number in range(start, start + PAGE_EVENTS)
                ],
            )
        small_site.ends(task_id)
        assert len(parse(read_all(quick))) == count + 1
        assert [event.data.get("n") for event in parse(read_all(slow))] == [*range(count), None]

    def test_streams_survive_a_database_that_goes_away(self, small_site: Site, follow: Follow) -> None:
        """While the database does not answer streams stay open; then they go on."""

        class Shaky(DatabaseFeed):
            failures = 3

            def news(self, seen, limit):  # type: ignore[no-untyped-def]
                if type(self).failures:
                    type(self).failures -= 1
                    raise OperationalError("SELECT", {}, ConnectionError("away"))
                return super().news(seen, limit)

        task_id = small_site.start()
        connection = follow(StreamHub(Shaky(small_site.parts.database), QUICK), task_id)
        small_site.ends(task_id)
        assert [event.kind for event in parse(read_all(connection))] == ["ended"]
        assert Shaky.failures == 0

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_failure_nobody_foresaw_costs_connections_but_not_the_service(
        self, small_site: Site, follow: Follow
    ) -> None:
        """If the thread dies its clients are let go, and the next stream starts a new one."""

        class Broken(DatabaseFeed):
            fails = True

            def news(self, seen, limit):  # type: ignore[no-untyped-def]
                if type(self).fails:
                    raise ZeroDivisionError
                return super().news(seen, limit)

        task_id = small_site.start()
        hub = StreamHub(Broken(small_site.parts.database), QUICK)
        read_all(follow(hub, task_id))
        Broken.fails = False
        wait_until(lambda: len(hub) == 0, 20, "letting go of all clients")
        connection = follow(hub, task_id)
        small_site.ends(task_id)
        assert b"event: ended" in read_all(connection)

    def test_all_streams_cost_one_statement_a_look(
        self, small_site: Site, statements: list[str], follow: Follow
    ) -> None:
        """However many tasks are followed, one statement asks for their news."""
        hub = StreamHub(DatabaseFeed(small_site.parts.database), replace(QUICK, poll_seconds=0.2))
        task_ids = [small_site.start(region) for region in ("Burgos", "Caceres", "federation2:Madrid")]
        connections = [follow(hub, task_id) for task_id in task_ids for _ in range(20)]
        for connection in connections:
            read_until(connection, wire.OPENING)
        statements.clear()
        for connection in connections:
            read_until(connection, wire.HEARTBEAT)
        news = [text for text in statements if "json_each" in text]
        assert 1 <= len(news) <= 6


class TestFeed:
    """What the hub asks the database."""

    def test_each_task_has_a_mark_of_its_own(self, site: Site) -> None:
        """News are those after each task's own mark, oldest first, never more than asked for."""
        first, second = site.start("Burgos"), site.start("Caceres")
        for number in range(3):
            site.tells(first, ("progress", {"n": number}))
            site.tells(second, ("progress", {"n": number}))
        with site.parts.database.read() as session:
            everything = task_feed.events_since(session, {first: 0, second: 0}, 100)
            mark = everything[2].id
            some = task_feed.events_since(session, {first: mark, second: 0}, 100)
            few = task_feed.events_since(session, {first: 0, second: 0}, 2)
        assert [row.id for row in everything] == sorted(row.id for row in everything)
        assert [(row.task_id, row.data["n"]) for row in some if row.task_id == first] == [(first, 2)]
        assert len([row for row in some if row.task_id == second]) == 3
        assert few == everything[:2]

    def test_an_index_leads_to_the_news(self, small_site: Site, statements: list[str]) -> None:
        """No look reads events that are known already."""
        with small_site.parts.database.read() as session:
            task_feed.events_since(session, {"a": 5}, 10)
            explain = f"EXPLAIN QUERY PLAN {statements[-1]}"
            plan = session.connection().exec_driver_sql(explain, ('{"a": 5}', 10, 0)).all()
        assert any("ix_task_events_task_id (task_id=? AND id>?)" in str(row) for row in plan), plan


def test_a_place_is_given_back_when_the_answer_was_never_sent() -> None:
    """A stream whose request failed before it began takes no place for ever."""
    relays = Relays(1)
    near, far = socket.socketpair()
    with near, far:
        relay = Relay(relays, near)
        relays.add(relay)
        del relay
        relays.add(Relay(relays, near))
