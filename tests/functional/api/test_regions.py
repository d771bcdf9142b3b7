"""``GET /regions`` and ``GET /regions/{region}``."""

from __future__ import annotations

import json

import pytest

from app.sync import region_state
from app.sync.region_state import UNMANAGED, KnownItem
from app.sync.status import Item, Status
from tests.functional.api.site import REGIONS, Site

THERE = KnownItem("ubuntu", "ok", "active", 100, (), None, "m1", "b1")
MISSING = KnownItem("debian", "pending_upload", None, 50, ("checksum",), "no space", "m2", None)
FOREIGN = KnownItem("theirs", UNMANAGED, "active", 7, (), None, None, "b9")


def names(site: Site, path: str) -> list[str]:
    """Names of the images of an answer."""
    return [image["name"] for image in site.get(path).json["images"]]


def test_all_regions_of_all_targets_are_listed(site: Site) -> None:
    """GET /regions names every region of every target with counts, times and the running task."""
    site.knows("Burgos", THERE, MISSING, FOREIGN)
    task_id = site.start("Burgos")
    listed = {region["name"]: region for region in site.get("/regions").json["regions"]}
    assert sorted(listed) == sorted(REGIONS)
    burgos = listed["Burgos"]
    assert burgos["counts"] == {"ok": 1, "pending_upload": 1}
    assert burgos["planned_at"].endswith("Z")
    assert burgos["task"] == {"taskId": task_id, "status": "syncing", "mode": "sync"}
    assert listed["federation2:Madrid"]["task"] is None
    assert listed["federation2:Madrid"]["counts"] == {}


def test_a_running_synchronisation_is_shown_before_a_look(site: Site) -> None:
    """Of several running tasks of a region the list shows the one that changes something."""
    site.get("/regions/Burgos?refresh=true")
    task_id = site.start("Burgos")
    shown = {region["name"]: region["task"] for region in site.get("/regions").json["regions"]}
    assert shown["Burgos"]["taskId"] == task_id


def test_regions_can_be_paged(small_site: Site) -> None:
    """Limit and marker walk through all regions, each once."""
    path, seen = "/regions?limit=3", []
    while path:
        page = small_site.get(path).json
        seen += [region["name"] for region in page["regions"]]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert sorted(seen) == sorted(REGIONS)
    assert len(seen) == len(REGIONS)


def test_images_have_the_members_of_the_original_first(site: Site) -> None:
    """An image begins with id, name, status and message, as the original's clients expect."""
    site.knows("Burgos", THERE, MISSING)
    body = json.loads(site.get("/regions/Burgos").data, object_pairs_hook=list)
    assert body[0][0] == "images"
    assert [key for key, _ in body[0][1][0]][:4] == ["id", "name", "status", "message"]


def test_status_is_that_of_the_plan(site: Site) -> None:
    """Status is the synchronisation status, glance_status the raw one, message the last error."""
    site.knows("Burgos", THERE, MISSING)
    there, missing = site.get("/regions/Burgos").json["images"]
    assert there == {
        "id": "b1",
        "name": "ubuntu",
        "status": "ok",
        "message": None,
        "glance_status": "active",
        "size": 100,
        "reasons": [],
        "source_id": "m1",
    }
    assert (missing["id"], missing["status"], missing["message"]) == (None, "pending_upload", "no space")


def test_images_outside_the_plan_are_shown_on_request(site: Site) -> None:
    """all=true adds images outside the plan with the status unmanaged."""
    site.knows("Burgos", THERE, FOREIGN)
    assert names(site, "/regions/Burgos") == ["ubuntu"]
    shown = site.get("/regions/Burgos?all=true").json["images"]
    assert [(image["name"], image["status"]) for image in shown] == [("ubuntu", "ok"), ("theirs", UNMANAGED)]


@pytest.mark.parametrize(
    ("name", "found"),
    [("ubuntu", ["ubuntu"]), ("ubunt", []), ("UBUNTU", []), ("%25", [])],
    ids=["exact", "part", "case", "wildcard"],
)
def test_images_are_filtered_by_exact_name(site: Site, name: str, found: list[str]) -> None:
    """Image is an exact name; no match is an empty list and no error."""
    site.knows("Burgos", THERE, MISSING)
    answer = site.get(f"/regions/Burgos?image={name}")
    assert answer.status_code == 200
    assert [image["name"] for image in answer.json["images"]] == found


def test_a_region_without_images_has_an_empty_list(site: Site) -> None:
    """A region of which nothing is known yet answers with an empty list and no time."""
    body = site.get("/regions/federation2:Madrid").json
    assert (body["images"], body["planned_at"], body["revision"]) == ([], None, None)


def test_images_can_be_paged(site: Site) -> None:
    """Limit and marker walk through all images in the plan's order, each once."""
    site.knows("Burgos", *[KnownItem(f"i{number}", "ok") for number in range(7)])
    path, seen, pages = "/regions/Burgos?limit=3", [], 0
    while path:
        page = site.get(path).json
        seen += [image["name"] for image in page["images"]]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        pages += 1
    assert (seen, pages) == ([f"i{number}" for number in range(7)], 3)


def test_the_master_prefix_is_understood(small_site: Site) -> None:
    """master:NAME is NAME."""
    assert small_site.get("/regions/master:Burgos").json["region"] == "Burgos"


def test_refresh_starts_a_look_and_answers_with_what_is_known(site: Site) -> None:
    """refresh=true answers 202 with the state known so far and the task that plans anew in a worker."""
    site.knows("Burgos", THERE)
    answer = site.get("/regions/Burgos?refresh=true")
    assert answer.status_code == 202
    assert [image["name"] for image in answer.json["images"]] == ["ubuntu"]
    task_id = answer.json["task"]["taskId"]
    assert answer.headers["Location"] == f"/regions/Burgos/tasks/{task_id}"
    assert site.get(answer.headers["Location"]).json["mode"] == "plan"
    assert site.get("/regions/Burgos?refresh=true").json["task"]["taskId"] == task_id


def test_a_look_does_not_stand_in_the_way_of_a_synchronisation(site: Site) -> None:
    """A region may be looked at and synchronised at once."""
    look = site.get("/regions/Burgos?refresh=true").json["task"]["taskId"]
    assert site.start("Burgos") != look


class TestConditional:
    """ETag and If-None-Match."""

    def test_an_unchanged_region_is_not_sent_again(self, site: Site) -> None:
        """If-None-Match with the present strong ETag answers 304 without a body."""
        site.knows("Burgos", THERE)
        tag = site.get("/regions/Burgos").headers["ETag"]
        assert not tag.startswith("W/")
        again = site.get("/regions/Burgos", If_None_Match=tag)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)

    def test_each_way_to_ask_has_a_tag_of_its_own(self, site: Site) -> None:
        """Answers to different queries never share a validator."""
        site.knows("Burgos", THERE, MISSING, FOREIGN)
        queries = ["", "?all=true", "?image=ubuntu", "?limit=1", "?limit=1&marker=0"]
        tags = {site.get(f"/regions/Burgos{query}").headers["ETag"] for query in queries}
        assert len(tags) == len(queries)

    def test_every_change_makes_the_tag_new(self, site: Site) -> None:
        """A new plan, a settled item, a failure and the end of a task each change the validator."""
        tags = []

        def tag() -> None:
            tags.append(site.get("/regions/Burgos").headers["ETag"])

        tag()
        site.knows("Burgos", THERE, MISSING)
        tag()
        with site.parts.database.write() as session:
            region_state.update_items(session, "Burgos", [Item("Burgos", "debian", Status.OK)])
        tag()
        with site.parts.database.write() as session:
            region_state.note_failure(session, "Burgos", "away")
        tag()
        with site.parts.database.write() as session:
            region_state.note_synced(session, "Burgos")
        tag()
        assert len(set(tags)) == len(tags)

    def test_the_body_is_never_older_than_its_state(self, site: Site) -> None:
        """Rendered answers are kept, but never shown for another state of the region."""
        site.knows("Burgos", THERE)
        assert site.get("/regions/Burgos").json["images"][0]["status"] == "ok"
        with site.parts.database.write() as session:
            item = Item("Burgos", "ubuntu", Status.PENDING_METADATA, reasons=("tags",))
            region_state.update_items(session, "Burgos", [item])
        assert site.get("/regions/Burgos").json["images"][0]["status"] == "pending_metadata"

    @pytest.mark.parametrize("path", ["/regions", "/tasks", "/regions/Burgos/tasks"])
    def test_lists_are_conditional(self, site: Site, path: str) -> None:
        """Lists answer 304 while nothing happens, and 200 after something did."""
        tag = site.get(path).headers["ETag"]
        assert site.get(path, If_None_Match=tag).status_code == 304
        site.start("Burgos")
        assert site.get(path, If_None_Match=tag).status_code == 200


def test_a_list_of_regions_asks_the_database_little(small_site: Site, statements: list[str]) -> None:
    """GET /regions costs the same number of statements whatever the number of regions."""
    for region in REGIONS:
        small_site.knows(region, THERE)
    statements.clear()
    small_site.get("/regions")
    assert len([text for text in statements if text.startswith("SELECT")]) == 2


def test_a_known_answer_costs_one_statement(small_site: Site, statements: list[str]) -> None:
    """A region whose answer was rendered before costs one indexed SELECT."""
    small_site.knows("Burgos", THERE)
    small_site.get("/regions/Burgos")
    statements.clear()
    assert small_site.get("/regions/Burgos").status_code == 200
    assert len([text for text in statements if text.startswith("SELECT")]) == 1
