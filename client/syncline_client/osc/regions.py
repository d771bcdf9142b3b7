"""``openstack sync region list|show|start``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence

from osc_lib.command import command

from syncline_client.osc import base, columns
from syncline_client.osc.columns import Row


class ListRegions(command.Lister):
    """List the regions with the number of images by status."""

    @base.told
    def take_action(self, parsed_args: Namespace) -> tuple[Sequence[str], Iterable[Row]]:  # noqa: ARG002
        """The table."""
        return columns.REGION_COLUMNS, columns.region_rows(base.client_of(self).regions())


class ShowRegion(command.Lister):
    """Show the images of a region as its last plan saw them."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """The arguments."""
        parser = super().get_parser(prog_name)
        base.add_region(parser)
        parser.add_argument("--image", metavar="<name>", help="Only the images of this name")
        parser.add_argument(
            "--all", action="store_true", help="Also images that the synchronisation has nothing to do with"
        )
        parser.add_argument(
            "--refresh", action="store_true", help="Look at the region anew first, and wait for it"
        )
        return parser

    @base.told
    def take_action(self, parsed_args: Namespace) -> tuple[Sequence[str], Iterable[Row]]:
        """The table."""
        client = base.client_of(self)
        wanted = {"image": parsed_args.image, "all": parsed_args.all}
        if parsed_args.refresh:
            task_id = client.region(parsed_args.region, refresh=True).task_id
            if task_id is not None:
                base.shown(client.wait(parsed_args.region, task_id, base.DAY_SECONDS))
        region = client.region(parsed_args.region, **wanted)
        return columns.IMAGE_COLUMNS, columns.image_rows(region.images)


class StartRegion(command.ShowOne):
    """Bring a region in line with the master."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """The arguments."""
        parser = super().get_parser(prog_name)
        base.add_region(parser)
        parser.add_argument("--dry-run", action="store_true", help="Only find out what would be done")
        parser.add_argument(
            "--image", metavar="<name>", action="append", help="Only this image (repeat for several)"
        )
        parser.add_argument(
            "--wait", action="store_true", help="Wait until the task has ended; exit code 1 if it failed"
        )
        return parser

    @base.told
    def take_action(self, parsed_args: Namespace) -> tuple[Sequence[str], Row]:
        """The task."""
        client = base.client_of(self)
        task = client.start(parsed_args.region, dry_run=parsed_args.dry_run, images=parsed_args.image)
        if parsed_args.wait:
            task = client.wait(parsed_args.region, task.id, base.DAY_SECONDS)
            return base.shown(task)
        return columns.task_fields(task)
