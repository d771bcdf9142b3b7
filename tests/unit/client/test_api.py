"""Every method asks what the API wants to be asked, and reads what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from syncline_client import (
    AnswerError,
    Client,
    EndpointError,
    Image,
    Region,
    RegionSummary,
    SyncClientError,
    Task,
    TaskItem,
)
from syncline_client.results import read_task

from tests.unit.client.conftest import ClientFactory
from tests.unit.client.scripted import Asked, reply, serving

SHORT = {"taskId": "t1", "status": "syncing"}
LONG = SHORT | {
    "region": "t2:Madrid",
    "mode": "dry_run",
    "requester": "ana",
    "reason": None,
    "images": ["a"],
    "counts": {"ok": 1},
    "items_total": 3,
    "items_done": 1,
    "bytes_total": 9,
    "bytes_done": 4,
    "created_at": "2026-11-21T10:00:00Z",
    "started_at": None,
    "new_member": {},
}
IMAGE = {
    "id": None,
    "name": "a",
    "status": "pending_upload",
    "message": None,
    "size": 5,
    "reasons": ["checksum"],
}
ITEM = {
    "name": "a",
    "before": "pending_upload",
    "status": "ok",
    "result": "done",
    "sent_bytes": 5,
    "attempts": 1,
}


def asking(make: ClientFactory, answer: object, call: Callable[[Client], Any]) -> tuple[Any, Asked]:
    """What a call returns, and the one request it made."""
    with serving(reply(answer)) as server:
        result = call(make(server))
        (asked,) = server.asked
    return result, asked


@pytest.mark.parametrize(
    ("call", "answer", "method", "path", "query", "body", "result"),
    [
        pytest.param(
            lambda c: c.version().version, {"id": "v1.7.0", "version": "1.7.0"},
            "GET", "/", {}, None, "1.7.0", id="version",
        ),
        pytest.param(
            lambda c: c.regions(),
            {"regions": [{"name": "Burgos", "counts": {"ok": 2}, "task": SHORT, "error": "x"}]},
            "GET", "/regions", {}, None,
            [RegionSummary("Burgos", {"ok": 2}, error="x", task_id="t1")], id="regions",
        ),
        pytest.param(
            lambda c: c.region("t2:Madrid"), {"images": [IMAGE], "planned_at": None},
            "GET", "/regions/t2:Madrid", {}, None,
            Region("t2:Madrid", (Image("a", "pending_upload", size_bytes=5, reasons=("checksum",)),)),
            id="region",
        ),
        pytest.param(
            lambda c: c.region("B", image="a b", all=True, refresh=True).task_id,
            {"images": [], "task": SHORT},
            "GET", "/regions/B", {"image": ["a b"], "all": ["true"], "refresh": ["true"]}, None, "t1",
            id="refresh",
        ),
        pytest.param(
            lambda c: c.region("a/b?c").images, {},
            "GET", "/regions/a%2Fb%3Fc", {}, None, (), id="region-of-the-original-without-images",
        ),
        pytest.param(
            lambda c: c.start("Burgos"), SHORT, "POST", "/regions/Burgos", {}, None,
            Task("t1", "syncing", "Burgos"), id="start",
        ),
        pytest.param(
            lambda c: c.start("Burgos", dry_run=True, images=("a", "b")).id, SHORT,
            "POST", "/regions/Burgos", {}, {"dry_run": True, "images": ["a", "b"]}, "t1", id="start-of-some",
        ),
        pytest.param(
            lambda c: [task.id for task in c.tasks("t2:Madrid", "failed")], {"tasks": [LONG]},
            "GET", "/tasks", {"region": ["t2:Madrid"], "status": ["failed"], "limit": ["500"]}, None, ["t1"],
            id="tasks",
        ),
        pytest.param(
            lambda c: c.task("t2:Madrid", "t1").bytes_done, LONG,
            "GET", "/regions/t2:Madrid/tasks/t1", {}, None, 4, id="task",
        ),
        pytest.param(
            lambda c: list(c.items("B", "t1")), LONG | {"items": [ITEM], "items_links": []},
            "GET", "/regions/B/tasks/t1", {"items": ["true"], "limit": ["500"]}, None,
            [TaskItem("a", "pending_upload", "ok", "done", 5, 1)], id="items",
        ),
        pytest.param(
            lambda c: c.cancel("B", "t1").status, SHORT, "POST", "/regions/B/tasks/t1/cancel", {}, None,
            "syncing", id="cancel",
        ),
        pytest.param(
            lambda c: c.delete("B", "t1"), "", "DELETE", "/regions/B/tasks/t1", {}, None, None, id="delete"
        ),
    ],
)  # fmt: skip
def test_each_method_asks_its_question(
    client_of: ClientFactory,
    call: Callable[[Client], Any],
    answer: object,
    method: str,
    path: str,
    query: dict[str, list[str]],
    body: object,
    result: object,
) -> None:
    """The request is the one that the API describes, and the record is what the answer says."""
    got, asked = asking(client_of, answer, call)
    assert (asked.method, asked.path, asked.query, asked.body) == (method, path, query, body)
    assert asked.headers["Accept"] == "application/json"
    assert got == result


def test_task_has_all_that_the_service_tells() -> None:
    """A task's record has every known member; members of later versions do no harm."""
    task = read_task(LONG)
    assert task.created_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert (task.counts, task.images, task.mode, task.requester) == ({"ok": 1}, ("a",), "dry_run", "ana")
    assert not task.has_ended


@pytest.mark.parametrize(
    ("status", "ended", "failed"),
    [("syncing", False, False), ("synced", True, False), ("failed", True, True)],
    ids=str,
)
def test_task_knows_how_it_stands(status: str, ended: bool, failed: bool) -> None:
    """The three words of the original say whether anything will still happen."""
    task = read_task({"taskId": "t", "status": status})
    assert (task.has_ended, task.has_failed) == (ended, failed)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-21T10:00:00Z", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00:00+02:00", datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=2)))),
    ],
    ids=["utc", "no-offset", "offset"],
)
def test_times_have_a_zone(text: str, time: datetime) -> None:
    """Times can be compared with one another, whatever form they came in."""
    assert read_task(SHORT | {"created_at": text}).created_at == time


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("taskId", None), ("taskId", 5), ("status", ["x"]), ("items_total", "3"), ("items_total", True),
        ("counts", {"ok": "1"}), ("counts", [1]), ("created_at", "yesterday"), ("images", [1]),
        ("images", "a"),
    ],
    ids=str,
)  # fmt: skip
def test_answers_are_checked(member: str, value: object) -> None:
    """A member of a wrong type is named, and does not surface later as a riddle."""
    with pytest.raises(AnswerError, match=member):
        read_task(LONG | {member: value})


@pytest.mark.parametrize("body", [None, [], "text", 5], ids=str)
def test_answer_has_to_be_an_object(client_of: ClientFactory, body: object) -> None:
    """An answer of another shape is the service's error."""
    with serving(reply(body)) as server, pytest.raises(AnswerError, match="not a JSON object"):
        client_of(server).task("B", "t")


@pytest.mark.parametrize(
    ("key", "links", "call"),
    [
        ("tasks", "links", lambda c: [task.id for task in c.tasks()]),
        ("items", "items_links", lambda c: [item.name for item in c.items("B", "t")]),
        ("images", "links", lambda c: [image.name for image in c.region("B", refresh=True).images]),
    ],
    ids=["tasks", "items", "images"],
)
def test_lists_go_on_over_pages(
    client_of: ClientFactory, key: str, links: str, call: Callable[[Client], list[str]]
) -> None:
    """A list is whole, however many pages it has; only the marker of a link is used, never its host."""
    rows = {
        "tasks": {"taskId": "1", "status": "synced"},
        "items": ITEM | {"name": "1"},
        "images": IMAGE | {"name": "1"},
    }

    def page(number: int, marker: str | None) -> dict[str, Any]:
        row = {name: str(number) if value == "1" else value for name, value in rows[key].items()}
        following = [{"rel": "next", "href": f"http://elsewhere.invalid/x?limit=1&marker={marker}"}]
        return {key: [row], links: [{"rel": "self", "href": "/x"}, *(following if marker else [])]}

    with serving(reply(page(1, "m:1")), reply(page(2, "m:2")), reply(page(3, None))) as server:
        assert call(client_of(server)) == ["1", "2", "3"]
        markers = [asked.query.get("marker") for asked in server.asked]
    assert markers == [None, ["m:1"], ["m:2"]]
    assert [asked.query.get("refresh") for asked in server.asked[1:]] == [None, None]


def test_tasks_are_fetched_as_needed(client_of: ClientFactory) -> None:
    """Who wants only the newest task does not fetch the whole history."""
    following = [{"rel": "next", "href": "/tasks?marker=t1"}]
    with serving(reply({"tasks": [SHORT], "links": following})) as server:
        assert next(client_of(server).tasks()).id == "t1"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("href", "said"), [("/tasks?marker=t1", "no end"), ("/tasks", "no marker")], ids=["circle", "no-marker"]
)
def test_endless_lists_end(client_of: ClientFactory, href: str, said: str) -> None:
    """A list whose pages lead in a circle, or nowhere, is an error and not a loop."""
    page = {"tasks": [SHORT], "links": [{"rel": "next", "href": href}]}
    with serving(*[reply(page)] * 4) as server, pytest.raises(AnswerError, match=said):
        list(client_of(server).tasks())


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_stay_inside_the_path(client_of: ClientFactory, name: str) -> None:
    """A name that would lead to another address of the service is refused before anything is asked."""
    with serving() as server:
        client = client_of(server)
        for call in (lambda: client.region(name), lambda: client.delete("B", name)):
            with pytest.raises(SyncClientError, match="not the name"):
                call()
        assert server.asked == []


def test_idempotency_key_is_sent(client_of: ClientFactory) -> None:
    """The caller's key reaches the service."""
    _, asked = asking(client_of, SHORT, lambda client: client.start("B", idempotency_key="k1"))
    assert asked.headers["Idempotency-Key"] == "k1"


def test_token_of_the_session_is_sent() -> None:
    """The client speaks with the credential of the keystoneauth session that it was given."""
    with serving(reply({"regions": []})) as server:
        session = Session(auth=Token(server.url, "secret-token"))
        assert Client(None, session).regions() == []
        assert server.asked[0].headers["X-Auth-Token"] == "secret-token"


@pytest.mark.parametrize("endpoint", ["localhost:8080", "ftp://host", "/regions"])
def test_address_has_to_be_http(endpoint: str) -> None:
    """A slip in the address is told as such."""
    with pytest.raises(EndpointError, match="not an http"):
        Client.noauth(endpoint)


def test_records_have_no_secret_fields() -> None:
    """No record can carry a token into a log."""
    names = {field.name for kind in (Task, Region, RegionSummary, Image, TaskItem) for field in fields(kind)}
    assert not names & {"token", "password"}
