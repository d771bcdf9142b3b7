"""A process that works in a cloud beside the tests: ``worker.py KIND ROOT ACTION [ARGUMENT ...]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from app.sync.images.conf.model import Policy, Settings, Target
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.backup import BackupCloud
from app.sync.images.stores.base import ImageStore, RecordsContent
from app.sync.images.stores.directory import DirectoryCloud

CONTENT = b"c" * 5000


def say(text: str) -> None:
    """Tell the test a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def add_image(store: ImageStore, name: str) -> str:
    """Publish one image as the engine does."""
    image = store.create_image(Draft(name=name, temporary_name=f"partial-{name}", properties={}))
    if isinstance(store, RecordsContent):
        store.record_content(image.id, Image("Valladolid", "1", "x", size=len(CONTENT), checksum="c1"))
    else:
        store.write_data(image.id, [CONTENT], len(CONTENT))
    store.update_image(image.id, Changes(name=name, visibility="public"))
    return image.id


def add(store: ImageStore, prefix: str, count: str) -> None:
    """Publish images, and delete every fourth again; says each id that stays."""
    for number in range(int(count)):
        image_id = add_image(store, f"{prefix}-{number}")
        if number % 4 == 3:
            store.delete_image(image_id)
        else:
            say(image_id)


def mark(store: ImageStore, image_id: str, prefix: str, count: str) -> None:
    """Give one image many properties, one at a time."""
    for number in range(int(count)):
        store.update_image(image_id, Changes(set_properties={f"{prefix}-{number}": "x"}))


def stream(store: ImageStore, image_id: str) -> None:
    """Write half of a content, say so, write the rest when a line comes in."""

    def halves() -> Iterator[bytes]:
        yield CONTENT
        say("half")
        sys.stdin.readline()
        yield CONTENT

    store.write_data(image_id, halves(), 2 * len(CONTENT))


def main() -> None:
    """Do the action that the command line names."""
    kind, root, action, *arguments = sys.argv[1:]
    target = Target("master", Policy(), tenant_id="tenant1id")
    settings = Settings(master_region="Valladolid", targets={"master": target})
    cloud = (DirectoryCloud if kind == "directory" else BackupCloud)(Path(root), settings)
    actions = {"add": add, "mark": mark, "stream": stream}
    actions[action](cloud.store(RegionRef("master", "Burgos")), *arguments)


main()
