"""The switches that bring back the original's codes and its one-task rule (spec images 9.1-9.5).

What depends on tokens is in tests/lab/test_api_keystone.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from app.sync.tasks import TaskStatus
from tests.functional.api.conftest import MakeSite
from tests.functional.api.site import Site

UNKNOWN = "5f1a2b3c-0000-11ee-8000-0242ac120002"
DELETE_REFUSED = "Task status is syncing. Unable to delete it."


def delete(site: Site, region: str, task_id: str) -> TestResponse:
    """Delete a task."""
    return site.client.delete(f"/regions/{region}/tasks/{task_id}")


Ask = Callable[[Site], TestResponse]
ANY_TEXT = "*"
ROWS: dict[str, tuple[Ask, int, int, str, str | None]] = {
    "invalid region": (
        lambda site: site.get("/regions/Nowhere"),
        404,
        400,
        "Bad request",
        "Invalid region Nowhere",
    ),
    "invalid region of a post": (
        lambda site: site.post("/regions/Nowhere"),
        404,
        400,
        "Bad request",
        "Invalid region Nowhere",
    ),
    "unknown task": (
        lambda site: site.get(f"/regions/Burgos/tasks/{UNKNOWN}"),
        404,
        404,
        "Item not found: ",
        f"task {UNKNOWN} does not exist",
    ),
    "delete an unknown task": (
        lambda site: delete(site, "Burgos", UNKNOWN),
        404,
        404,
        "Item not found: ",
        f"task {UNKNOWN} does not exist",
    ),
    "delete a running task": (
        lambda site: delete(site, "Burgos", site.start("Burgos")),
        409,
        400,
        DELETE_REFUSED,
        None,
    ),
    "delete under another region": (
        lambda site: delete(site, "Caceres", ended(site)),
        404,
        400,
        DELETE_REFUSED,
        None,
    ),
    "trailing slash": (lambda site: site.get("/regions/Burgos/"), 404, 404, "Item not found: ", ANY_TEXT),
    "post on a task": (
        lambda site: site.post(f"/regions/Burgos/tasks/{UNKNOWN}"),
        405,
        405,
        "Bad method",
        ANY_TEXT,
    ),
}


def ended(site: Site, status: TaskStatus = TaskStatus.SYNCED) -> str:
    """A task of Burgos that has ended."""
    task_id = site.start("Burgos")
    site.ends(task_id, status)
    return task_id


@pytest.mark.parametrize(("ask", "ours", "theirs", "message", "description"), ROWS.values(), ids=ROWS)
def test_the_switch_brings_back_each_code(
    make_site: MakeSite, ask: Ask, ours: int, theirs: int, message: str, description: str | None
) -> None:
    """Each row of the original's table: our code without the switch, its code and texts with it."""
    site = make_site()
    assert ask(site).status_code == ours
    for task in site.get("/tasks?status=syncing").json["tasks"]:
        site.ends(task["taskId"])
    answer = ask(site.again(legacy_status_codes=True))
    error = answer.json["error"]
    assert (answer.status_code, error["code"], error["message"]) == (theirs, theirs, message)
    if description != ANY_TEXT:
        assert error.get("description") == description


def test_a_task_is_shown_under_any_region_with_the_switch(make_site: MakeSite) -> None:
    """The original never compared a task's region with the path; with the switch neither do we."""
    site = make_site(legacy_status_codes=True)
    task_id = ended(site)
    assert site.get(f"/regions/Caceres/tasks/{task_id}").json["taskId"] == task_id


class TestOneTaskRule:
    """The table of the original's task state machine."""

    @pytest.fixture
    def old(self, make_site: MakeSite) -> Site:
        """A service with both switches."""
        return make_site(legacy_status_codes=True, legacy_tasks=True)

    def test_no_task(self, old: Site) -> None:
        """Without a task of the region a POST makes one."""
        answer = old.post("/regions/Burgos")
        assert (answer.status_code, answer.json["status"]) == (200, "syncing")

    def test_a_running_task(self, old: Site) -> None:
        """While one runs a POST answers 200 with its id."""
        assert old.start("Burgos") == old.start("Burgos")

    @pytest.mark.parametrize("status", [TaskStatus.SYNCED, TaskStatus.FAILED])
    def test_an_ended_task(self, old: Site, status: TaskStatus) -> None:
        """An ended task has to be deleted before the next POST is accepted; until then it is 400."""
        task_id = ended(old, status)
        answer = old.post("/regions/Burgos")
        assert (answer.status_code, answer.json["error"]["message"]) == (400, "Bad request")
        assert "Already exist some task for this region" in answer.json["error"]["description"]
        assert old.get("/tasks").json["tasks"][0]["status"] == status
        assert delete(old, "Burgos", task_id).status_code == 200
        assert old.start("Burgos") != task_id

    def test_two_ended_tasks(self, old: Site) -> None:
        """Several tasks left from before the switch was set answer 400 as well."""
        free = old.again()
        ended(free)
        ended(free)
        assert old.post("/regions/Burgos").status_code == 400

    def test_other_regions_are_not_concerned(self, old: Site) -> None:
        """The rule holds for each region by itself."""
        ended(old)
        assert old.post("/regions/Caceres").status_code == 200

    def test_looking_at_a_region_is_not_concerned(self, old: Site) -> None:
        """Neither does a look make the next POST fail, nor does an ended task stop a look."""
        look = old.get("/regions/Burgos?refresh=true").json["task"]["taskId"]
        old.ends(look)
        assert old.post("/regions/Burgos").status_code == 200
        assert old.get("/regions/Burgos?refresh=true").status_code == 202

    def test_the_rule_alone_keeps_our_code(self, make_site: MakeSite) -> None:
        """Without the switch for codes the refusal is a 409."""
        site = make_site(legacy_tasks=True)
        ended(site)
        assert site.post("/regions/Burgos").status_code == 409
