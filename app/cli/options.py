"""Options that every image command takes, and the record they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path

import click

from app.cli.failures import Session

OPENSTACK = "openstack"

Command = Callable[..., int]
"""The body of a command: its options in, an exit code out."""


@dataclass(frozen=True, slots=True)
class Common:
    """Where the images live and which configuration rules them.

    Attributes:
        cloud: ``openstack``, ``directory:DIR`` or ``backup:DIR``.
        config_file: the configuration; None looks in the usual places (spec images 2.1).
        overrides: ``section.option=value`` texts, in the order given (2.7).
        as_json: standard output carries one JSON document instead of lines.

    """

    cloud: str = OPENSTACK
    config_file: Path | None = None
    overrides: tuple[str, ...] = ()
    as_json: bool = False
    session: Session = field(default_factory=Session)


def is_override(text: str) -> bool:
    """Whether a text can be an override at all: a key, then ``=`` (2.7)."""
    return text.find("=") > 0


def _check_overrides(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not is_override(value):
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
    return values


def _note_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    session = context.ensure_object(Session)
    session.debug = session.debug or value


_CLOUD = click.option(
    "--cloud",
    default=OPENSTACK,
    metavar="CLOUD",
    help="Where images live: openstack (default), directory:DIR or backup:DIR.",
)
_CONFIG_FILE = click.option(
    "--config-file", type=click.Path(path_type=Path), metavar="FILE", help="Configuration to read."
)
_OVERRIDES = click.option(
    "--config",
    "overrides",
    multiple=True,
    metavar="K=V",
    callback=_check_overrides,
    help="Override section.option (or a default: option). May be repeated.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_note_debug,
    help="Show the traceback of an unexpected error.",
)


def config_options(command: Command) -> Command:
    """Add ``--config-file``, ``--config`` and ``--debug`` for a command that needs no cloud."""
    return _CONFIG_FILE(_OVERRIDES(debug_option(command)))


def image_options(command: Command) -> Command:
    """Add the common options of image commands; the command gets them as one ``Common``."""

    @wraps(command)
    def with_common(
        *, cloud: str, config_file: Path | None, overrides: tuple[str, ...], as_json: bool, **own: object
    ) -> int:
        session = click.get_current_context().ensure_object(Session)
        return command(Common(cloud, config_file, overrides, as_json, session), **own)

    return _CLOUD(_CONFIG_FILE(_OVERRIDES(_JSON(debug_option(with_common)))))


def regions_argument(command: Command) -> Command:
    """Add the region arguments (spec images 7.2)."""
    return click.argument("regions", nargs=-1, metavar="[REGION]...")(command)
