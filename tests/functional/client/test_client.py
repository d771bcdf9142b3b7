"""The client and a running service understand one another."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from syncline_client import (
    ConflictError,
    NotFoundError,
    RequestError,
    SyncClientError,
    Task,
    TimedOutError,
)

from tests.functional.client.service import IMAGES, REGIONS, Service

LIMIT_SECONDS = 60.0


def test_version_of_the_service(service: Service) -> None:
    """The version document is the original's."""
    version = service.client.version()
    assert (version.id, version.status) == (f"v{version.version}", "SUPPORTED")
    assert version.running_from


def test_regions_of_every_target(service: Service) -> None:
    """The list has every region of every target under its full name."""
    assert {region.name for region in service.client.regions()} == set(REGIONS)


def test_from_start_to_synced(service: Service) -> None:
    """A region is brought in line, every step is told live, and afterwards it shows in state and history."""
    client = service.client
    task = client.start("other:Madrid")
    events = list(client.follow("other:Madrid", task.id, LIMIT_SECONDS))
    assert events[-1].is_last
    assert events[-1].data["status"] == "synced"
    finished = [event.data for event in events if event.kind == "item_finished"]
    assert {data["name"]: data["status"] for data in finished} == dict.fromkeys(IMAGES, "ok")
    ids = [int(event.id) for event in events]
    assert ids == sorted(set(ids))

    ended = client.task("other:Madrid", task.id)
    assert (ended.status, ended.mode, ended.region) == ("synced", "sync", "other:Madrid")
    assert ended.finished_at is not None
    assert ended.bytes_done == ended.bytes_total == sum(map(len, IMAGES.values()))
    items = {item.name: item for item in client.items("other:Madrid", task.id)}
    assert {name: (item.before, item.status) for name, item in items.items()} == dict.fromkeys(
        IMAGES, ("pending_upload", "ok")
    )
    region = client.region("other:Madrid")
    assert {image.name: (image.status, image.glance_status) for image in region.images} == dict.fromkeys(
        IMAGES, ("ok", "active")
    )
    assert [image.name for image in client.region("other:Madrid", image="small").images] == ["small"]
    summary = next(entry for entry in client.regions() if entry.name == "other:Madrid")
    assert summary.counts == {"ok": 2}
    assert summary.synced_at is not None


def test_an_ended_task_can_be_followed_and_removed(service: Service) -> None:
    """Who comes late is told everything from the beginning, until the task is deleted."""
    client = service.client
    task = client.wait("Burgos", client.start("Burgos", images=["small"]).id, LIMIT_SECONDS)
    assert task.images == ("small",)
    first, second = (list(client.follow("Burgos", task.id, LIMIT_SECONDS)) for _ in range(2))
    assert first == second
    assert (first[0].kind, first[-1].kind) == ("started", "ended")
    client.delete("Burgos", task.id)
    with pytest.raises(NotFoundError):
        client.task("Burgos", task.id)
    with pytest.raises(NotFoundError):
        list(client.follow("Burgos", task.id))


def test_refresh_looks_anew(service: Service) -> None:
    """A look at a region is a task of its own, and changes nothing in the region."""
    client = service.client
    asked = client.region("Caceres", refresh=True)
    assert asked.task_id is not None
    assert client.wait("Caceres", asked.task_id, LIMIT_SECONDS).mode == "plan"
    seen = client.region("Caceres")
    assert seen.planned_at is not None
    assert {image.name: (image.id, image.status) for image in seen.images} == dict.fromkeys(
        IMAGES, (None, "pending_upload")
    )


def test_dry_run_does_nothing(service: Service) -> None:
    """A dry run tells what would be done and leaves the region empty."""
    client = service.client
    task = client.wait("Caceres", client.start("Caceres", dry_run=True).id, LIMIT_SECONDS)
    assert (task.status, task.mode) == ("synced", "dry_run")
    assert not list((service.home / "regions" / "Caceres").glob("*.data"))


def started(client_of: Service, region: str) -> Iterator[Task]:
    """A task that nobody works on, removed at the end."""
    client = client_of.client
    task = client.start(region)
    yield task
    if not client.task(region, task.id).has_ended:
        client.cancel(region, task.id)
    client.delete(region, task.id)


@pytest.fixture
def waiting(idle: Service) -> Iterator[Task]:
    """A task in Burgos that stays ``syncing``."""
    yield from started(idle, "Burgos")


def test_starting_twice_is_one_task(idle: Service, waiting: Task) -> None:
    """While a task is under way, starting its region finds it."""
    assert idle.client.start("Burgos").id == waiting.id
    summary = next(entry for entry in idle.client.regions() if entry.name == "Burgos")
    assert summary.task_id == waiting.id


def test_a_task_can_be_called_off(idle: Service, waiting: Task) -> None:
    """A task that nobody works on ends at once when it is called off."""
    assert idle.client.cancel("Burgos", waiting.id).id == waiting.id
    ended = idle.client.wait("Burgos", waiting.id, LIMIT_SECONDS)
    assert (ended.has_failed, ended.reason) == (True, "cancelled")


def test_what_is_done_is_not_called_off(service: Service) -> None:
    """A task that has done its work cannot be called off any more."""
    client = service.client
    task = client.wait("Caceres", client.start("Caceres", dry_run=True).id, LIMIT_SECONDS)
    with pytest.raises(ConflictError) as caught:
        client.cancel("Caceres", task.id)
    assert caught.value.code == "busy"


def test_running_tasks_stay(idle: Service, waiting: Task) -> None:
    """A task that is under way cannot be removed."""
    with pytest.raises(ConflictError, match="syncing"):
        idle.client.delete("Burgos", waiting.id)


def test_waiting_ends_with_the_callers_time(idle: Service, waiting: Task) -> None:
    """The caller's time is kept while nothing happens."""
    with pytest.raises(TimedOutError):
        idle.client.wait("Burgos", waiting.id, timeout_seconds=0.5)


def test_history_is_listed(idle: Service, waiting: Task) -> None:
    """Tasks are found by region and status."""
    found = [task.id for task in idle.client.tasks("Burgos", "syncing")]
    assert found == [waiting.id]
    assert list(idle.client.tasks("Burgos", "synced")) == []
    assert waiting.id in [task.id for task in idle.client.tasks()]


def test_history_goes_on_over_pages(idle: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of several pages is whole, newest first."""
    monkeypatch.setattr("syncline_client.api.PAGED", {"limit": "2"})
    client = idle.client
    ids = []
    for _ in range(5):
        task = client.start("Caceres")
        client.cancel("Caceres", task.id)
        ids.append(task.id)
    assert [task.id for task in client.tasks("Caceres")] == ids[::-1]


def test_the_same_key_is_the_same_task(idle: Service) -> None:
    """A repeated request finds its task although that has ended; another one under its key is refused."""
    client, key = idle.client, uuid.uuid4().hex
    first = client.start("Lost", idempotency_key=key)
    client.cancel("Lost", first.id)
    assert client.start("Lost", idempotency_key=key).id == first.id
    with pytest.raises(RequestError) as caught:
        client.start("Lost", dry_run=True, idempotency_key=key)
    assert caught.value.code == "idempotency_mismatch"


@pytest.mark.parametrize(
    ("method", "arguments", "kind", "code"),
    [
        ("region", ("Nowhere",), NotFoundError, "unknown_region"),
        ("start", ("Nowhere",), NotFoundError, "unknown_region"),
        ("task", ("Burgos", "no-task"), NotFoundError, "not_found"),
        ("task", ("Burgos", str(uuid.UUID(int=1))), NotFoundError, "not_found"),
        ("cancel", ("Burgos", str(uuid.UUID(int=1))), NotFoundError, "not_found"),
    ],
    ids=["region", "start", "task", "uuid", "cancel"],
)
def test_what_is_not_there(
    idle: Service, method: str, arguments: tuple[str, ...], kind: type[SyncClientError], code: str
) -> None:
    """The error has the service's words, its stable code and the id of the request."""
    with pytest.raises(kind) as caught:
        getattr(idle.client, method)(*arguments)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert caught.value.request_id.startswith("req-")  # type: ignore[attr-defined]
    assert arguments[-1] in str(caught.value)
