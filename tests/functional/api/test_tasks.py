"""Lists of tasks, one task, its end."""

from __future__ import annotations

import uuid

import pytest

from app.jobs.lease import Leases
from app.sync.status import Status
from app.sync.tasks import TaskStatus
from tests.functional.api.site import Site, outcome

UNKNOWN = "5f1a2b3c-0000-11ee-8000-0242ac120002"


def walk(site: Site, path: str, member: str) -> list[list[dict[str, object]]]:
    """All pages from a path on."""
    pages = []
    while path:
        body = site.get(path).json
        pages.append(body[member])
        links = body["items_links" if member == "items" else "links"]
        path = next((link["href"] for link in links if link["rel"] == "next"), "")
    return pages


def test_a_task_begins_as_the_original_shows_it(site: Site) -> None:
    """TaskId and status come first; what is known beside them follows."""
    task_id = site.start()
    body = site.get(f"/regions/Burgos/tasks/{task_id}").json
    assert list(body)[:2] == ["taskId", "status"]
    assert (body["taskId"], body["status"], body["region"]) == (task_id, "syncing", "Burgos")
    assert body["created_at"].endswith("Z")
    assert (body["finished_at"], body["reason"]) == (None, None)


def test_an_ended_task_says_why_and_what_it_came_to(site: Site) -> None:
    """A task keeps its reason and the number of items by status."""
    task_id = site.start()
    site.ends(task_id, TaskStatus.FAILED, "2 images failed")
    body = site.get(f"/regions/Burgos/tasks/{task_id}").json
    assert (body["status"], body["reason"], body["counts"]) == ("failed", "2 images failed", {"ok": 1})
    assert body["finished_at"]


def test_items_tell_before_and_after(site: Site) -> None:
    """items=true adds what the task did to each image: statuses, bytes, attempts, error."""
    task_id = site.start()
    site.works(task_id, [outcome("Burgos", "a"), outcome("Burgos", "b", Status.PENDING_UPLOAD, "no space")])
    path = f"/regions/Burgos/tasks/{task_id}"
    assert "items" not in site.get(path).json
    first, second = site.get(f"{path}?items=true").json["items"]
    assert first == {
        "position": 0,
        "name": "a",
        "before": "pending_upload",
        "status": "ok",
        "result": "done",
        "sent_bytes": 10,
        "attempts": 1,
        "transport": "stream",
        "error": None,
    }
    assert (second["status"], second["error"]) == ("pending_upload", "no space")


def test_items_can_be_paged(site: Site) -> None:
    """Limit and marker walk through all items of a task, each once."""
    task_id = site.start()
    site.works(task_id, [outcome("Burgos", f"i{number}") for number in range(5)])
    pages = walk(site, f"/regions/Burgos/tasks/{task_id}?items=true&limit=2", "items")
    assert [[item["name"] for item in page] for page in pages] == [["i0", "i1"], ["i2", "i3"], ["i4"]]


@pytest.mark.parametrize(
    "path",
    [
        f"/regions/Burgos/tasks/{UNKNOWN}",
        "/regions/Burgos/tasks/nonsense",
        "/regions/Burgos/tasks/a%00b",
        f"/regions/Burgos/tasks/{UNKNOWN}/events",
    ],
    ids=["unknown", "no id", "nul", "events"],
)
def test_unknown_tasks_are_not_found(site: Site, path: str) -> None:
    """What is no task answers 404, on every database."""
    assert site.get(path).status_code == 404


@pytest.mark.parametrize("suffix", ["", "/events"])
def test_a_task_is_not_shown_under_another_region(site: Site, suffix: str) -> None:
    """A task under another region's name answers 404."""
    task_id = site.start("Burgos")
    assert site.get(f"/regions/Caceres/tasks/{task_id}{suffix}").status_code == 404
    assert site.post(f"/regions/Caceres/tasks/{task_id}/cancel").status_code == 404
    assert site.client.delete(f"/regions/Caceres/tasks/{task_id}").status_code == 404


def test_an_ended_task_can_be_deleted(site: Site) -> None:
    """DELETE answers 200 with an empty body, and the task is gone."""
    task_id = site.start()
    site.ends(task_id)
    answer = site.client.delete(f"/regions/Burgos/tasks/{task_id}")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", "application/json")
    assert site.get(f"/regions/Burgos/tasks/{task_id}").status_code == 404
    assert site.client.delete(f"/regions/Burgos/tasks/{task_id}").status_code == 404


def test_a_running_task_cannot_be_deleted(site: Site) -> None:
    """DELETE of a running task answers 409 and says what to do."""
    task_id = site.start()
    answer = site.client.delete(f"/regions/Burgos/tasks/{task_id}")
    assert (answer.status_code, answer.json["code"]) == (409, "busy")
    assert "cancel it first" in answer.json["detail"]
    assert site.get(f"/regions/Burgos/tasks/{task_id}").status_code == 200


def test_a_waiting_task_is_called_off_at_once(site: Site) -> None:
    """Cancelling a task that no worker has taken ends it; a new one can be started."""
    task_id = site.start()
    answer = site.post(f"/regions/Burgos/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json) == (202, {"taskId": task_id, "status": "failed"})
    assert site.get(answer.headers["Location"]).json["reason"] == "cancelled"
    assert site.start() != task_id


def test_a_task_that_a_worker_has_is_told_to_stop(site: Site) -> None:
    """Cancelling a running task answers 202 at once; the worker ends it at its next step."""
    task_id = site.start()
    queue = site.parts.tasks.queue
    assert queue.claim(["default"], "worker", ["region.task"]) is not None
    answer = site.post(f"/regions/Burgos/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json["status"]) == (202, "syncing")


def test_an_ended_task_cannot_be_called_off(site: Site) -> None:
    """Cancelling what has ended answers 409."""
    task_id = site.start()
    queue = site.parts.tasks.queue
    job = queue.claim(["default"], "worker", ["region.task"])
    assert job is not None
    site.ends(task_id)
    Leases(queue).finish(job)
    assert site.post(f"/regions/Burgos/tasks/{task_id}/cancel").status_code == 409


class TestLists:
    """``GET /tasks`` and ``GET /regions/{region}/tasks``."""

    @pytest.fixture
    def history(self, site: Site) -> list[str]:
        """Five tasks, oldest first: four of Burgos, of which one failed and one runs, one of Caceres."""
        ids = [site.start("Burgos")]
        site.ends(ids[-1], TaskStatus.FAILED)
        ids.append(site.start("Burgos", dry_run=True))
        site.ends(ids[-1])
        ids.append(site.start("Caceres"))
        ids.append(site.start("Burgos"))
        site.ends(ids[-1])
        ids.append(site.start("Burgos"))
        return ids

    @pytest.mark.parametrize(
        ("path", "wanted"),
        [
            ("/tasks", [4, 3, 2, 1, 0]),
            ("/regions/Burgos/tasks", [4, 3, 1, 0]),
            ("/tasks?region=Caceres", [2]),
            ("/tasks?region=Nowhere", []),
            ("/tasks?status=failed", [0]),
            ("/tasks?status=failed&status=syncing", [4, 2, 0]),
            ("/regions/Burgos/tasks?mode=dry_run", [1]),
            ("/tasks?mode=sync&status=synced&region=Burgos", [3]),
        ],
    )
    def test_lists_are_filtered_and_newest_first(
        self, site: Site, history: list[str], path: str, wanted: list[int]
    ) -> None:
        """Filters by region, status and mode; newest first."""
        assert [task["taskId"] for task in site.get(path).json["tasks"]] == [history[i] for i in wanted]

    @pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
    def test_paging_shows_each_task_once(self, site: Site, history: list[str], limit: int) -> None:
        """Following the links shows all tasks in order, and no link leads to an empty page."""
        pages = walk(site, f"/tasks?limit={limit}", "tasks")
        assert [task["taskId"] for page in pages for task in page] == history[::-1]
        assert all(pages)

    def test_links_keep_the_filters(self, site: Site, history: list[str]) -> None:
        """The next page is one of the same list."""
        pages = walk(site, "/tasks?region=Burgos&mode=sync&limit=1", "tasks")
        assert [page[0]["taskId"] for page in pages] == [history[i] for i in (4, 3, 0)]

    def test_an_unknown_marker_is_refused(self, site: Site) -> None:
        """A marker that names no task answers 400."""
        assert site.get(f"/tasks?marker={UNKNOWN}").status_code == 400

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=1_0", "limit"),
            ("limit=%D9%A3", "limit"),
            ("status=done", "status.0"),
            ("mode=all", "mode"),
            ("marker=last", "marker"),
            ("region=a%00", "region"),
            ("statuss=failed", "statuss"),
        ],
    )
    def test_bad_queries_are_refused_with_their_name(self, site: Site, query: str, parameter: str) -> None:
        """A parameter that does not fit, or that nobody knows, is named."""
        answer = site.get(f"/tasks?{query}")
        assert answer.status_code == 422
        assert [fault["parameter"] for fault in answer.json["errors"]] == [parameter]

    def test_ids_are_time_based(self, site: Site) -> None:
        """Task ids are version 1 UUIDs, as the original's."""
        assert uuid.UUID(site.start()).version == 1
