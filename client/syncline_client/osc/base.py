"""What the commands share: the client, its errors in osc-lib's form, how to wait for a task."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from osc_lib import exceptions

from syncline_client.api import Client
from syncline_client.errors import SyncClientError
from syncline_client.osc.columns import Row, task_fields
from syncline_client.results import Task

DAY_SECONDS = 86400.0
Answer = TypeVar("Answer")


def told(action: Callable[[Any, Namespace], Answer]) -> Callable[[Any, Namespace], Answer]:
    """Let a command end with one line and exit code 1 when the service or the network fails."""

    @wraps(action)
    def with_errors_told(command: Any, arguments: Namespace) -> Answer:  # noqa: ANN401 - any command
        try:
            return action(command, arguments)
        except SyncClientError as error:
            raise exceptions.CommandError(str(error)) from error

    return with_errors_told


def client_of(command: Any) -> Client:  # noqa: ANN401 - any command of osc-lib
    """The client that the plugin made for this run."""
    return cast("Client", command.app.client_manager.sync)


def add_region(parser: ArgumentParser) -> None:
    """Add the argument that names a region."""
    parser.add_argument(
        "region", metavar="<region>", help="Full name of the region, e.g. Burgos or t2:Madrid"
    )


def add_task(parser: ArgumentParser) -> None:
    """Add the arguments that name a task."""
    add_region(parser)
    parser.add_argument("task", metavar="<task>", help="Id of the task")


def shown(task: Task) -> tuple[Sequence[str], Row]:
    """The task as a table.

    Raises:
        CommandError: it has failed, so that scripts need not look at the table.

    """
    if task.has_failed:
        raise exceptions.CommandError(f"task {task.id} failed: {task.reason or 'no reason was given'}")
    return task_fields(task)
