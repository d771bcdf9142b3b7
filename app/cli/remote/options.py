"""Options that every ``run.py remote`` command takes, and the record they become."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click
from syncline_client import Client, SyncClientError

from app.cli.failures import Session
from app.cli.options import Command, debug_option
from app.cli.output import Output
from app.cli.remote.failures import house_error
from app.cli.remote.forms import Format
from app.cli.remote.login import Access, open_client


@dataclass(frozen=True, slots=True)
class Remote:
    """The service that a command speaks with, and how it shows what the service says."""

    client: Client
    form: Format
    output: Output


_ENDPOINT = click.option(
    "--endpoint",
    envvar="OS_SYNC_ENDPOINT",
    metavar="URL",
    help="Address of the service; without it, the catalogue's entry of type sync. "
    "Alone, without credentials: a service that runs with noauth.",
)
_CLOUD = click.option("--os-cloud", metavar="NAME", help="Entry of clouds.yaml; else OS_CLOUD or OS_*.")
_NOAUTH = click.option("--noauth", is_flag=True, help="Send no token, whatever credentials there are.")
_FORMAT = click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    default=Format.TABLE.value,
    help="table (default), json, or value: one line of tab-separated values per row.",
)
region_argument = click.argument("region")
task_argument = click.argument("task")


def remote_options(command: Command) -> Command:
    """Add the options; the command gets them as one ``Remote``."""

    @wraps(command)
    def with_remote(
        *, endpoint: str | None, os_cloud: str | None, noauth: bool, form: str, **own: object
    ) -> int:
        session = click.get_current_context().ensure_object(Session)
        access = Access(endpoint, os_cloud, noauth)
        try:
            client = open_client(access, os.environ, Path.cwd(), session)
            return command(Remote(client, Format(form), Output()), **own)
        except SyncClientError as error:
            raise house_error(error) from error

    return _ENDPOINT(_CLOUD(_NOAUTH(_FORMAT(debug_option(with_remote)))))
