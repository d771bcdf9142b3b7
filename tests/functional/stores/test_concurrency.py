"""Writers beside each other, and writers that die in the middle."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from app.errors import ConflictError, NotFoundError
from app.sync.images.model import Changes, Draft

from .conftest import Place

Worker = Callable[..., "subprocess.Popen[str]"]
Drafts = Callable[..., Draft]
WRITERS = 3


def finish(process: subprocess.Popen[str]) -> list[str]:
    """The lines that a worker said before it ended well."""
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return said.split()


def test_processes_do_not_lose_each_others_images(place: Place, worker: Worker) -> None:
    """Several processes publish into one region; every listing meanwhile is sound, none is lost."""
    processes = [worker(place, "add", f"w{number}", 20) for number in range(WRITERS)]
    while any(process.poll() is None for process in processes):
        seen = [image.id for image in place.store().list_images()]
        assert len(seen) == len(set(seen))
    expected = [image_id for process in processes for image_id in finish(process)]
    images = list(place.store().list_images())
    assert len(expected) == WRITERS * 15
    assert sorted(image.id for image in images) == sorted(expected)
    assert {(image.status, image.visibility) for image in images} == {("active", "public")}
    assert place.leftovers() == []


def test_processes_do_not_lose_each_others_changes(place: Place, draft: Drafts, worker: Worker) -> None:
    """Several processes change one image; every change is in the result."""
    image_id = place.store().create_image(draft(properties={})).id
    processes = [worker(place, "mark", image_id, f"w{number}", 20) for number in range(WRITERS)]
    for process in processes:
        finish(process)
    expected = {f"w{number}-{count}" for number in range(WRITERS) for count in range(20)}
    assert place.store().get_image(image_id).properties.keys() == expected


def test_threads_do_not_lose_each_others_images(place: Place, draft: Drafts) -> None:
    """Threads with stores of their own publish into one region, and none is lost."""

    def publish(prefix: int) -> None:
        store = place.store()
        for number in range(15):
            place.fill(store, store.create_image(draft(f"t{prefix}-{number}")).id)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    images = list(place.store().list_images())
    assert len({image.name for image in images}) == WRITERS * 15
    assert {image.status for image in images} == {"active"}


@pytest.mark.parametrize("after", [1, 4, 9])
def test_killed_publisher_leaves_a_sound_region(place: Place, worker: Worker, after: int) -> None:
    """A process killed at any point loses nothing that it had finished and blocks nobody."""
    process = worker(place, "add", "w", 10_000)
    said = [process.stdout.readline().strip() for _ in range(after)]
    process.kill()
    process.wait(timeout=30)
    listed = {image.id for image in place.store().list_images()}
    assert set(said) <= listed
    for image_id in listed:
        place.store().delete_image(image_id)
    assert list(place.store().list_images()) == []
    assert place.leftovers() == []


def test_killed_upload_leaves_a_queued_image(directory: Place, draft: Drafts, worker: Worker) -> None:
    """After kill -9 in the middle of an upload the listing is clean and the next writer clears up."""
    image = directory.store().create_image(draft())
    process = worker(directory, "stream", image.id)
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait(timeout=30)
    assert list(directory.store().list_images()) == [image]
    assert len(directory.leftovers()) == 1
    assert not (directory.root / "Burgos" / f"{image.id}.data").exists()
    directory.store().update_image(image.id, Changes(name="next"))
    assert directory.leftovers() == []
    directory.fill(directory.store(), image.id)
    assert directory.store().get_image(image.id).status == "active"


def test_running_upload_is_not_swept(directory: Place, draft: Drafts, worker: Worker) -> None:
    """A writer that clears up leaves the temporary file of a living writer alone."""
    image = directory.store().create_image(draft())
    process = worker(directory, "stream", image.id)
    assert process.stdout.readline() == "half\n"
    directory.store().create_image(draft("another"))
    assert len(directory.leftovers()) == 1
    process.communicate("go on\n", timeout=30)
    assert process.returncode == 0
    assert directory.store().get_image(image.id).size == 10_000
    assert directory.leftovers() == []


def test_second_upload_of_one_image_conflicts(directory: Place, draft: Drafts, worker: Worker) -> None:
    """Of two uploads of one image the first to end wins, the other fails and leaves nothing."""
    image = directory.store().create_image(draft())
    process = worker(directory, "stream", image.id)
    assert process.stdout.readline() == "half\n"

    def slower() -> Iterator[bytes]:
        yield b"early"
        process.communicate("go on\n", timeout=30)
        yield b"late"

    with pytest.raises(ConflictError, match="active"):
        directory.store().write_data(image.id, slower(), None)
    assert directory.store().get_image(image.id).size == 10_000
    assert directory.leftovers() == []


def test_image_deleted_during_its_upload(directory: Place, draft: Drafts, worker: Worker) -> None:
    """An upload whose image is deleted meanwhile fails and brings nothing back."""
    store = directory.store()
    image = store.create_image(draft())

    def deleting() -> Iterator[bytes]:
        yield b"first"
        directory.store().delete_image(image.id)
        yield b"second"

    with pytest.raises(NotFoundError, match=image.id):
        store.write_data(image.id, deleting(), None)
    assert sorted(path.name for path in (directory.root / "Burgos").iterdir()) == [".lock"]
