"""The tables' version: migrations from code and from Flask's ``db`` commands."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask_migrate import Migrate

from app.db import Database, make_engine, normal_url
from app.errors import DatabaseStateError

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_EXTENSION = "syncline_database"


def init_app(app: Flask, database: Database) -> None:
    """Make the database known to a Flask application, with the ``db`` commands of Flask-Migrate."""
    app.extensions[_EXTENSION] = database
    Migrate(app, database, directory=str(MIGRATIONS))


def current_database() -> Database:
    """The database of the running Flask application (needs its context)."""
    return cast("Database", current_app.extensions[_EXTENSION])


def _alembic(database_url: str) -> Config:
    config = Config(str(MIGRATIONS / "alembic.ini"))
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str) -> None:
    """Bring the tables to the newest version; safe when several processes do it at once.

    The folder of a SQLite file is made. Does nothing where nothing is to be done.
    """
    url = normal_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(_alembic(database_url), "head")


@cache
def newest_revisions() -> frozenset[str]:
    """The version of the tables that this version of the code needs."""
    return frozenset(ScriptDirectory(str(MIGRATIONS)).get_heads())


def at_head(database_url: str) -> bool:
    """Whether the tables are those of this version of the code. Leaves no connection open.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.

    """
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            return set(MigrationContext.configure(connection).get_current_heads()) == newest_revisions()
    finally:
        engine.dispose()


def require_head(database_url: str) -> None:
    """Refuse to work on tables of another version.

    Raises:
        DatabaseStateError: the migrations are not applied, or newer ones are.

    """
    if not at_head(database_url):
        raise DatabaseStateError(
            "the database's tables are not those of this version", remedy="run.py db upgrade"
        )
