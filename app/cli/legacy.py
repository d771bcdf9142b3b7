"""``sync.py``: the command line of GlanceSync over the same commands (spec images 7.1)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.cli.failures import Session, guarded, install_hook, prepare_streams, wants_debug
from app.cli.options import OPENSTACK, Common, is_override

DESCRIPTION = "Synchronise the images of the regions with those of the master region."
EPILOG = "Regions are NAME, TARGET:NAME or TARGET: (all of a target); put them before --config or after --."


ORIGINAL = (
    "--help",
    "--parallel",
    "--config",
    "--dry-run",
    "--show-status",
    "--show-regions",
    "--make-backup",
)
ALIASES = {"--make-backups": "--make-backup"}


def expanded(argument: str) -> str:
    """An abbreviation of an option of the original, written out.

    Options that the original did not have must not make its abbreviations ambiguous
    (``--c`` was ``--config`` before there was ``--cloud``).
    """
    option, equals, value = argument.partition("=")
    option = ALIASES.get(option, option)
    matches = [name for name in ORIGINAL if name.startswith(option)]
    is_abbreviation = option.startswith("--") and len(option) > len("--") and len(matches) == 1
    return f"{matches[0] if is_abbreviation else option}{equals}{value}"


def written_out(arguments: Sequence[str]) -> list[str]:
    """The arguments with abbreviations written out, up to a bare ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*map(expanded, arguments[:end]), *arguments[end:]]


def _override(text: str) -> str:
    if not is_override(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return text


def _add_modes(parser: argparse.ArgumentParser) -> None:
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--dry-run", action="store_true", help="tell what would be done and write nothing")
    modes.add_argument("--show-status", action="store_true", help="print the status of every image as CSV")
    modes.add_argument("--show-regions", action="store_true", help="print the regions of all targets")
    modes.add_argument(
        "--make-backup",
        action="store_true",
        help="save the metadata of the regions and of the master region",
    )


def parser() -> argparse.ArgumentParser:
    """The options of the original, and the three that choose cloud, file and progress."""
    result = argparse.ArgumentParser(prog="sync.py", description=DESCRIPTION, epilog=EPILOG)
    result.add_argument(
        "regions", metavar="region", nargs="*", help="a region, or a target followed by a colon"
    )
    result.add_argument(
        "--parallel", action="store_true", help="several regions at once, each with its own log file"
    )
    result.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        type=_override,
        metavar="KEY=VALUE",
        help="override options: section.option=value, or option=value as default of all sections",
    )
    _add_modes(result)
    result.add_argument("--cloud", default=OPENSTACK, help="openstack (default), directory:DIR or backup:DIR")
    result.add_argument("--config-file", type=Path, metavar="FILE", help="configuration to read")
    result.add_argument("--no-progress", action="store_true", help="no bars, even on a terminal")
    result.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
    return result


def run(options: argparse.Namespace, session: Session) -> int:
    """Do what the parsed options ask; ``--parallel`` only changes how a run goes, never what it does."""
    common = Common(options.cloud, options.config_file, tuple(options.config), session=session)
    regions = tuple(options.regions)
    if options.show_status:
        from app.cli.commands.status import run_status

        return run_status(common, regions)
    if options.show_regions:
        from app.cli.commands.regions import run_regions

        return run_regions(common, regions, everything=True)
    if options.make_backup:
        from app.cli.commands.backup import run_backup

        return run_backup(common, regions)
    from app.cli.commands.sync import Request, run_sync

    progress = False if options.no_progress else None
    return run_sync(common, Request(regions, options.parallel, options.dry_run, progress=progress))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with the arguments of the process, and end it."""
    given = sys.argv[1:] if arguments is None else arguments
    session = Session(debug=wants_debug(given))
    install_hook(session)
    prepare_streams()
    options = parser().parse_args(written_out(given))
    sys.exit(guarded(lambda: run(options, session)))
