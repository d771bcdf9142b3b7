"""``runserver``, ``gunicornserver``, ``worker``, ``beat``, ``shell``: the service (spec images 10)."""

from __future__ import annotations

import code
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from app.cli.failures import EXIT_CONFIGURATION
from app.cli.options import debug_option
from app.errors import ConfigurationError, DatabaseStateError, UsageError
from app.observe import logs
from app.settings import ServiceSettings
from app.settings_reader import load_settings

Command = Callable[..., int | None]

host_help = "Address to listen on. Default: option host of the settings."
port_help = "Port to listen on. Default: option port of the settings."
_PORT = click.IntRange(1, 65535)


def read_settings(*, web: bool = True, **api: object) -> ServiceSettings:
    """The settings with options of the command line in place of those of group ``api``.

    Where something is wrong with them the program ends with 1, after a line for each fault.
    """
    try:
        return with_api(load_settings(web=web), **api) if api else load_settings(web=web)
    except ConfigurationError as error:
        for line in error.what.splitlines():
            click.echo(f"ERROR:{line}", err=True)
        raise click.exceptions.Exit(EXIT_CONFIGURATION) from error


def with_api(settings: ServiceSettings, **options: object) -> ServiceSettings:
    """The settings with options of the command line in place of those of group ``api``.

    Raises:
        ConfigurationError: they do not go together with the rest.

    """
    given = {name: value for name, value in options.items() if value is not None}
    changed = replace(settings, api=replace(settings.api, **given))  # type: ignore[arg-type]
    if faults := changed.faults():
        raise ConfigurationError("\n".join(faults), remedy="each line names one option to mend")
    return changed


@contextmanager
def database_errors() -> Iterator[None]:
    """Tell in one line that the database is away.

    Raises:
        DatabaseStateError: it does not answer.

    """
    # SQLAlchemy takes a quarter second; the help needs none of it.
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        raise DatabaseStateError(
            f"the database does not answer: {type(error.orig).__name__}", remedy="see database_url"
        ) from error


def _with_database_errors(command: Command) -> Command:
    @wraps(command)
    def guarded(*args: Any, **options: Any) -> int | None:  # noqa: ANN401
        with database_errors():
            return command(*args, **options)

    return guarded


@click.command(short_help="Answer requests, for trying things out.")
@click.option("-t", "--host", help=host_help)
@click.option("-p", "--port", type=_PORT, help=port_help)
@click.option("--threaded", is_flag=True, help="Several requests at once, in threads.")
@click.option(
    "--processes", type=click.IntRange(1), default=1, help="Several requests at once, in processes."
)
@click.option("--passthrough-errors", is_flag=True, help="Let unexpected errors end the server.")
@click.option("-d", "--no-debug", is_flag=True, help="Accepted: there is no debugger that could be on.")
@click.option("-r", "--no-reload", is_flag=True, help="Accepted: there is no reloader that could be on.")
@debug_option
@_with_database_errors
def runserver(
    host: str | None,
    port: int | None,
    threaded: bool,
    processes: int,
    passthrough_errors: bool,
    no_debug: bool,
    no_reload: bool,
) -> None:
    """Answer requests with the development server of Werkzeug. Use gunicornserver in production."""
    del no_debug, no_reload
    if threaded and processes > 1:
        raise UsageError("--threaded and --processes do not go together", remedy="choose one")
    settings = read_settings(host=host, port=port)
    logs.configure(settings)
    from werkzeug.serving import run_simple

    from app import create_app

    run_simple(
        settings.api.host,
        settings.api.port,
        create_app(settings),
        use_reloader=False,
        use_debugger=False,
        threaded=threaded,
        processes=processes,
        passthrough_errors=passthrough_errors,
    )


@click.command(short_help="Answer requests, in production.")
@click.option("-H", "--host", help=host_help)
@click.option("-p", "--port", type=_PORT, help=port_help)
@click.option("-w", "--workers", type=click.IntRange(1), help="Web processes. Default: option web_workers.")
@debug_option
@_with_database_errors
def gunicornserver(host: str | None, port: int | None, workers: int | None) -> None:
    """Answer requests with gunicorn: SIGTERM ends in good order, SIGHUP reads the settings again.

    A fault in the settings ends the program with 1 and a line for each fault.
    """
    options: dict[str, Any] = {"host": host, "port": port, "web_workers": workers}
    settings = read_settings(**options)
    logs.configure(settings)
    from app.schema import require_head
    from app.serve.web import serve

    require_head(settings.database_url)
    serve(settings, lambda: with_api(load_settings(), **options))


@click.command(short_help="Do the work: synchronise regions.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes. Default: option workers.")
@click.option(
    "--lanes", metavar="LANE,...", help="Serve these instead of option lanes, e.g. region.Burgos,default."
)
@debug_option
@_with_database_errors
def worker(workers: int | None, lanes: str | None) -> None:
    """Do the work: synchronise regions, one at a time in each worker process.

    SIGTERM lets running work end or hands it to another worker, a second one ends at once; SIGHUP reads
    the settings again and replaces the processes as they end their work.
    """

    def chosen(settings: ServiceSettings) -> ServiceSettings:
        if workers is None:
            return settings
        return replace(settings, jobs=replace(settings.jobs, workers=workers))

    settings = chosen(read_settings(web=False))
    logs.configure(settings)
    from app.jobs.worker import run_worker
    from app.serve.folders import make_folder
    from app.serve.wiring import wiring

    make_folder(settings.service.state_dir)
    run_worker(settings, wiring, lanes=_lanes(lanes), reload=lambda: chosen(load_settings(web=False)))


def _lanes(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    if not names:
        raise UsageError("--lanes names no lane")
    return names


@click.command(short_help="Keep order among jobs, where no worker does.")
@debug_option
@_with_database_errors
def beat() -> None:
    """Start what is scheduled, and take back what dead workers held, until SIGTERM.

    Every worker does that too; of use where workers are started by something else. Any number may run.
    """
    settings = read_settings(web=False)
    logs.configure(settings)
    from app.jobs.worker import run_beat
    from app.serve.wiring import wiring

    run_beat(settings, wiring)


@click.command(short_help="A Python prompt with the service's parts.")
@debug_option
@_with_database_errors
def shell() -> None:
    """A Python prompt with app, settings and database, inside the application's context."""
    settings = read_settings()
    logs.configure(settings, level="warning")
    from app import create_app
    from app.schema import current_database

    app = create_app(settings)
    with app.app_context():
        names = {"app": app, "settings": settings, "database": current_database()}
        banner = f"Syncline {settings.source}: {', '.join(names)}"
        code.interact(banner=banner, local=names, exitmsg="")
