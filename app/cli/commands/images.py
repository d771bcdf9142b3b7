"""``images``: list, rename, change and delete single images (spec images 7.9)."""

from __future__ import annotations

import click

from app.cli.lazy import Entry, LazyGroup

_VERBS = "app.cli.commands.verbs"
ENTRIES = {
    "list": Entry("app.cli.commands.listing:list_images", "List the images of regions as CSV."),
    "rename": Entry(f"{_VERBS}:rename", "Rename an image on the master and everywhere."),
    "set-properties": Entry(f"{_VERBS}:set_properties", "Set, remove or copy properties of an image."),
    "delete": Entry(f"{_VERBS}:delete", "Delete an image of given regions."),
}


@click.group(cls=LazyGroup, entries=ENTRIES, short_help="List, rename, change or delete single images.")
def images() -> None:
    """List, rename, change or delete single images."""
