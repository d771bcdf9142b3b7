"""The command group of ``run.py``."""

from __future__ import annotations

import sys

import click

from app.cli.failures import Session, install_hook, prepare_streams, wants_debug
from app.cli.lazy import Entry, LazyGroup
from app.cli.options import debug_option

_COMMANDS = "app.cli.commands"
ENTRIES = {
    "sync": Entry(f"{_COMMANDS}.sync:sync", "Make regions equal to the master."),
    "status": Entry(f"{_COMMANDS}.status:status", "Show what differs, without changing anything."),
    "regions": Entry(f"{_COMMANDS}.regions:regions", "List the regions that can be named."),
    "backup": Entry(f"{_COMMANDS}.backup:backup", "Save the metadata of regions to files."),
    "restore": Entry(f"{_COMMANDS}.restore:restore", "Set metadata back to a backup."),
    "images": Entry(f"{_COMMANDS}.images:images", "List, rename, change or delete single images."),
    "config": Entry(f"{_COMMANDS}.config:config", "Explain, check or show the configuration."),
    "runserver": Entry(f"{_COMMANDS}.service:runserver", "Answer requests, for trying things out."),
    "gunicornserver": Entry(f"{_COMMANDS}.service:gunicornserver", "Answer requests, in production."),
    "worker": Entry(f"{_COMMANDS}.service:worker", "Do the work: synchronise regions."),
    "beat": Entry(f"{_COMMANDS}.service:beat", "Keep order among jobs, where no worker does."),
    "db": Entry(f"{_COMMANDS}.database:db", "Bring the database's tables up to date."),
    "shell": Entry(f"{_COMMANDS}.service:shell", "A Python prompt with the service's parts."),
    "remote": Entry(f"{_COMMANDS}.remote:remote", "Speak with a running service over REST."),
}
EXIT_CODES = (
    "Exit codes: 0 done; 1 configuration or connection; 2 wrong usage; "
    "3 a region failed or needs a person; 130 or 143 stopped by a signal."
)


@click.group(
    cls=LazyGroup,
    entries=ENTRIES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@debug_option
def cli() -> None:
    """Keep the images of OpenStack regions in line with a master region."""


def main() -> None:
    """Run the program with the arguments of the process."""
    session = Session(debug=wants_debug(sys.argv[1:]))
    install_hook(session)
    prepare_streams()
    cli(obj=session)
