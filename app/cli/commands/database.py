"""``db``: the database's tables, with the words of Flask-Migrate (spec images 10)."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask, g
from flask_migrate.cli import db as migrate_commands

from app import schema
from app.cli.commands.service import database_errors, read_settings
from app.db import Database, normal_url
from app.observe import logs
from app.serve.folders import make_folder
from app.settings import ServiceSettings


def _make_sqlite_folder(settings: ServiceSettings) -> None:
    url = normal_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        make_folder(Path(url.database).parent)


class _DatabaseGroup(click.Group):
    """A group that says in one line that the database is away."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with database_errors():
            return super().invoke(ctx)


@click.group(cls=_DatabaseGroup, short_help="Bring the database's tables up to date.")
@click.option("-d", "--directory", help="Folder of the migrations, for those who write new ones.")
@click.option("-x", "--x-arg", multiple=True, help="Argument for env.py of a folder of one's own.")
@click.pass_context
def db(context: click.Context, directory: str | None, x_arg: tuple[str, ...]) -> None:
    """Bring the database's tables up to date: ``db upgrade`` is all an operator needs.

    The other commands are those of Flask-Migrate, for developers.
    """
    settings = read_settings(web=False)
    logs.configure(settings)
    _make_sqlite_folder(settings)
    # Migrations need a database and no web application, so Keystone may be missing here.
    app = Flask("syncline")
    database = Database(settings.database_url)
    schema.init_app(app, database)
    context.call_on_close(database.dispose)
    context.with_resource(app.app_context())
    g.directory, g.x_arg = directory, x_arg


for _name, _command in migrate_commands.commands.items():
    db.add_command(_command, _name)
