"""``remote``: the service's API from the command line (docs/client.md)."""

from __future__ import annotations

import click

from app.cli.lazy import Entry, LazyGroup

_VERBS = "app.cli.commands.remote_verbs"
ENTRIES = {
    "regions": Entry(f"{_VERBS}:regions", "List the regions with the number of images by status."),
    "show": Entry(f"{_VERBS}:show", "Show the images of a region."),
    "start": Entry(f"{_VERBS}:start", "Bring a region in line with the master."),
    "tasks": Entry(f"{_VERBS}:tasks", "List tasks, newest first."),
    "task": Entry(f"{_VERBS}:task", "Show one task."),
    "follow": Entry(f"{_VERBS}:follow", "Show what happens in a task until it ends."),
    "cancel": Entry(f"{_VERBS}:cancel", "Call off a task; what it has done stays done."),
    "delete": Entry(f"{_VERBS}:delete", "Remove an ended task from the history."),
}


@click.group(cls=LazyGroup, entries=ENTRIES, short_help="Speak with a running service over REST.")
def remote() -> None:
    """Speak with a running service over REST.

    The credential comes from --os-cloud, OS_CLOUD or the OS_* variables; --endpoint alone speaks with
    a service that runs with noauth on this machine.
    """
