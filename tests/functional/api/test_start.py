"""``POST /regions/{region}``: starting to bring a region in line."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.sync.tasks import TaskStatus
from tests.functional.api.site import Site


def test_a_post_answers_as_the_original(site: Site) -> None:
    """200 with taskId and status, in that order, and where the task is."""
    answer = site.post("/regions/Burgos")
    members = json.loads(answer.data, object_pairs_hook=list)
    assert [name for name, _ in members] == ["taskId", "status"]
    assert answer.json["status"] == "syncing"
    assert answer.headers["Location"] == f"/regions/Burgos/tasks/{answer.json['taskId']}"


def test_a_post_while_a_task_runs_finds_it(site: Site) -> None:
    """There is one active task per region; asking again answers 200 with the same id."""
    assert site.start("Burgos") == site.start("Burgos")
    assert site.start("federation2:Madrid") != site.start("Burgos")


@pytest.mark.parametrize("status", [TaskStatus.SYNCED, TaskStatus.FAILED])
def test_a_post_after_the_end_starts_anew(site: Site, status: TaskStatus) -> None:
    """Tasks are a history: once one has ended the next POST makes a new one."""
    first = site.start()
    site.ends(first, status)
    assert site.start() != first


def test_many_posts_at_once_make_one_task(site: Site) -> None:
    """50 POSTs at once to one region make one task with one job."""
    with ThreadPoolExecutor(10) as pool:
        ids = set(
            pool.map(lambda _: site.app.test_client().post("/regions/Burgos").json["taskId"], range(50))
        )
    assert len(ids) == 1
    assert sum(site.parts.tasks.queue.depth().values()) == 1


def test_a_body_may_ask_for_a_dry_run_of_some_images(site: Site) -> None:
    """dry_run and images reach the task."""
    task = site.get(f"/regions/Burgos/tasks/{site.start(dry_run=True, images=['a', 'b'])}").json
    assert (task["mode"], task["images"], task["requester"]) == ("dry_run", ["a", "b"], "noauth")


def test_a_task_reaches_a_worker_of_its_region(site: Site) -> None:
    """Starting a task puts a job into the region's own lane."""
    site.start("federation2:Madrid")
    ((lane, _),) = site.parts.tasks.queue.depth()
    assert lane == "region.federation2:Madrid"


class TestIdempotencyKey:
    """A POST that is sent again after its answer was lost."""

    def test_the_same_request_finds_the_same_task(self, site: Site) -> None:
        """A repeated request with its key finds its task, even when that has ended."""
        first = site.post("/regions/Burgos", Idempotency_Key="k1").json["taskId"]
        site.ends(first)
        again = site.post("/regions/Burgos", Idempotency_Key="k1").json
        assert again == {"taskId": first, "status": "synced"}
        assert site.post("/regions/Burgos", Idempotency_Key="k2").json["taskId"] != first

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/regions/Caceres", {}),
            ("/regions/Burgos", {"dry_run": True}),
            ("/regions/Burgos", {"images": ["a"]}),
        ],
        ids=["region", "mode", "images"],
    )
    def test_another_request_with_the_key_is_refused(
        self, site: Site, path: str, body: dict[str, object]
    ) -> None:
        """A key that comes back with something else answers 422."""
        site.post("/regions/Burgos", Idempotency_Key="k1")
        answer = site.client.post(path, json=body, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")

    @pytest.mark.parametrize(
        "key", ["", "a b", "x" * 129, "\xe9"], ids=["empty", "blank", "long", "not ascii"]
    )
    def test_a_key_is_short_visible_text(self, small_site: Site, key: str) -> None:
        """Keys of another form answer 400."""
        assert small_site.post("/regions/Burgos", Idempotency_Key=key).status_code == 400


BAD_BODIES = {
    "not json": (b"{", 400, None),
    "twice": (b'{"dry_run": true, "dry_run": false}', 400, None),
    "nan": (b'{"dry_run": NaN}', 400, None),
    "deep": (b"[" * 60_000, 400, None),
    "binary": (b"\xff\xfe", 400, None),
    "list": (b"[]", 422, "#"),
    "null": (b"null", 422, "#"),
    "number for flag": (b'{"dry_run": 1}', 422, "#/dry_run"),
    "text for flag": (b'{"dry_run": "true"}', 422, "#/dry_run"),
    "unknown member": (b'{"dryrun": true}', 422, "#/dryrun"),
    "slash in member": (b'{"a/b~c": 1}', 422, "#/a~1b~0c"),
    "surrogate in member": (b'{"\\ud800": 1}', 422, "#/?"),
    "no images": (b'{"images": []}', 422, "#/images"),
    "empty name": (b'{"images": ["a", ""]}', 422, "#/images/1"),
    "nul in name": (b'{"images": ["a\\u0000"]}', 422, "#/images/0"),
    "surrogate in name": (b'{"images": ["\\ud800"]}', 422, "#/images/0"),
    "long name": (b'{"images": ["' + b"x" * 256 + b'"]}', 422, "#/images/0"),
    "text for images": (b'{"images": "a"}', 422, "#/images"),
}


@pytest.mark.parametrize(("body", "status", "place"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_bad_bodies_are_refused_with_their_place(
    small_site: Site, body: bytes, status: int, place: str | None
) -> None:
    """JSON is strict, and whatever does not fit is named; nothing is started."""
    answer = small_site.client.post("/regions/Burgos", data=body, content_type="application/json")
    assert answer.status_code == status
    if place is not None:
        assert place in [fault["pointer"] for fault in answer.json["errors"]]
    assert small_site.get("/tasks").json["tasks"] == []


def test_a_body_that_is_not_json_by_its_type_is_refused(small_site: Site) -> None:
    """A body under another media type answers 415 rather than being ignored."""
    answer = small_site.client.post("/regions/Burgos", data="dry_run=true", content_type="text/plain")
    assert answer.status_code == 415


def test_an_empty_body_of_any_type_is_none(small_site: Site) -> None:
    """What curl sends with an empty form is a request without a body."""
    answer = small_site.client.post("/regions/Burgos", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/regions/Burgos", "/regions", "/"])
def test_bodies_are_limited(small_site: Site, path: str) -> None:
    """More than 64 KiB answers 413, whoever would have read it."""
    answer = small_site.client.open(path, method="POST" if "B" in path else "GET", data=b"x" * 65537)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, 413)
