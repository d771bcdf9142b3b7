"""``openstack sync task list|show|cancel``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from itertools import islice

from osc_lib.command import command

from syncline_client.osc import base, columns
from syncline_client.osc.columns import Row

LISTED = 100


class ListTasks(command.Lister):
    """List tasks, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """The arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--region", metavar="<region>", help="Only tasks of this region")
        parser.add_argument(
            "--status", choices=("syncing", "synced", "failed"), help="Only tasks in this status"
        )
        parser.add_argument(
            "--limit", metavar="<number>", type=int, default=LISTED, help=f"At most so many, default {LISTED}"
        )
        return parser

    @base.told
    def take_action(self, parsed_args: Namespace) -> tuple[Sequence[str], Iterable[Row]]:
        """The table."""
        found = base.client_of(self).tasks(parsed_args.region, parsed_args.status)
        tasks = list(islice(found, max(parsed_args.limit, 0)))
        return columns.TASK_COLUMNS, columns.task_rows(tasks)


class ShowTask(command.ShowOne):
    """Show one task."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """The arguments."""
        parser = super().get_parser(prog_name)
        base.add_task(parser)
        return parser

    @base.told
    def take_action(self, parsed_args: Namespace) -> tuple[Sequence[str], Row]:
        """The task."""
        return columns.task_fields(base.client_of(self).task(parsed_args.region, parsed_args.task))


class CancelTask(command.Command):
    """Call off a task at its next chunk; what it has done stays done."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """The arguments."""
        parser = super().get_parser(prog_name)
        base.add_task(parser)
        return parser

    @base.told
    def take_action(self, parsed_args: Namespace) -> None:
        """Call it off."""
        base.client_of(self).cancel(parsed_args.region, parsed_args.task)
