"""The verbs of ``remote``: each calls the client once and prints what it says."""

from __future__ import annotations

from itertools import islice

import click

from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.remote import forms
from app.cli.remote.options import Remote, region_argument, remote_options, task_argument

DEFAULT_LIMIT = 100
_TIMEOUT = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give up following after so long; the task goes on. Without it: no bound.",
)


@click.command(short_help="List the regions with the number of images by status.")
@remote_options
def regions(remote: Remote) -> int:
    """List the regions with the number of images by status."""
    found = forms.listing(remote.client.regions(), forms.REGION_COLUMNS)
    forms.show_listing(remote.output, remote.form, "remote regions", "regions", found)
    return EXIT_OK


@click.command(short_help="Show the images of a region.")
@region_argument
@click.option("--image", metavar="NAME", help="Only the images of this name.")
@click.option("--all", "everything", is_flag=True, help="Also images outside the synchronisation.")
@click.option("--refresh", is_flag=True, help="Look at the region anew first, and wait for it.")
@_TIMEOUT
@remote_options
def show(
    remote: Remote,
    region: str,
    image: str | None,
    everything: bool,
    refresh: bool,
    timeout_seconds: float | None,
) -> int:
    """Show the images of REGION as its last plan saw them."""
    exit_code = EXIT_OK
    if refresh:
        task_id = remote.client.region(region, refresh=True).task_id
        exit_code = _awaited(remote, region, task_id, timeout_seconds) if task_id else EXIT_OK
    known = remote.client.region(region, image=image, all=everything)
    found = forms.listing(known.images, forms.IMAGE_COLUMNS)
    forms.show_listing(remote.output, remote.form, "remote show", "images", found)
    return exit_code


def _awaited(remote: Remote, region: str, task_id: str, timeout_seconds: float | None) -> int:
    """Wait for a look at the region; 3 if it failed. What is known of it is shown all the same."""
    for event in remote.client.follow(region, task_id, timeout_seconds):
        if event.is_last and event.data.get("status") != "synced":
            remote.output.warn(f"{region} could not be looked at: {event.data.get('reason')}")
            return EXIT_INCOMPLETE
    return EXIT_OK


@click.command(short_help="Bring a region in line with the master.")
@region_argument
@click.option("--dry-run", is_flag=True, help="Only find out what would be done.")
@click.option("--image", "images", multiple=True, metavar="NAME", help="Only this image. May be repeated.")
@click.option(
    "--idempotency-key", metavar="KEY", help="The same request with the same key starts nothing twice."
)
@click.option("--follow", "followed", is_flag=True, help="Show what happens until the task ends.")
@_TIMEOUT
@remote_options
def start(
    remote: Remote,
    region: str,
    dry_run: bool,
    images: tuple[str, ...],
    idempotency_key: str | None,
    followed: bool,
    timeout_seconds: float | None,
) -> int:
    """Bring REGION in line with the master, or find the task that is at it already."""
    task = remote.client.start(
        region, dry_run=dry_run, images=images or None, idempotency_key=idempotency_key
    )
    if followed:
        return _followed(remote, region, task.id, timeout_seconds)
    forms.show_task(remote.output, remote.form, "remote start", task)
    return EXIT_OK


@click.command(short_help="List tasks, newest first.")
@click.option("--region", metavar="REGION", help="Only tasks of this region.")
@click.option(
    "--status", type=click.Choice(["syncing", "synced", "failed"]), help="Only tasks in this status."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="At most so many.",
)
@remote_options
def tasks(remote: Remote, region: str | None, status: str | None, limit: int) -> int:
    """List tasks, newest first."""
    found = forms.listing(list(islice(remote.client.tasks(region, status), limit)), forms.TASK_COLUMNS)
    forms.show_listing(remote.output, remote.form, "remote tasks", "tasks", found)
    return EXIT_OK


@click.command(short_help="Show one task.")
@region_argument
@task_argument
@click.option("--items", "with_items", is_flag=True, help="List what it did to each image instead.")
@remote_options
def task(remote: Remote, region: str, task: str, with_items: bool) -> int:
    """Show TASK of REGION."""
    if with_items:
        items = forms.listing(list(remote.client.items(region, task)), forms.ITEM_COLUMNS)
        forms.show_listing(remote.output, remote.form, "remote task", "items", items)
    else:
        found = remote.client.task(region, task)
        forms.show_task(remote.output, remote.form, "remote task", found)
    return EXIT_OK


@click.command(short_help="Show what happens in a task until it ends.")
@region_argument
@task_argument
@_TIMEOUT
@remote_options
def follow(remote: Remote, region: str, task: str, timeout_seconds: float | None) -> int:
    """Show what happens in TASK of REGION until it ends; exit code 3 if it failed."""
    return _followed(remote, region, task, timeout_seconds)


def _followed(remote: Remote, region: str, task_id: str, timeout_seconds: float | None) -> int:
    for event in remote.client.follow(region, task_id, timeout_seconds):
        forms.show_event(remote.output, remote.form, region, event)
        if event.is_last and event.data.get("status") == "synced":
            return EXIT_OK
    return EXIT_INCOMPLETE


@click.command(short_help="Call off a task; what it has done stays done.")
@region_argument
@task_argument
@remote_options
def cancel(remote: Remote, region: str, task: str) -> int:
    """Call off TASK of REGION at its next chunk; what it has done stays done."""
    found = remote.client.cancel(region, task)
    forms.show_task(remote.output, remote.form, "remote cancel", found)
    return EXIT_OK


@click.command(short_help="Remove an ended task from the history.")
@region_argument
@task_argument
@remote_options
def delete(remote: Remote, region: str, task: str) -> int:
    """Remove TASK of REGION, which has ended, from the history."""
    remote.client.delete(region, task)
    return EXIT_OK
