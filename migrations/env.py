"""How Alembic reaches the database, alone or under Flask-Migrate."""

from __future__ import annotations

import importlib
from typing import Literal

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.db import Base, UtcDateTime, make_engine
from app.schema import current_database

MODEL_MODULES = ("app.jobs.models", "app.sync.models")
"""Every module that defines tables; a new part adds its own here."""

# Any number does, as long as nothing else in this database uses it.
ADVISORY_LOCK = 7_962_546_301
LOCK_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 300


def database_url() -> str:
    """The URL handed over by the caller, else that of the Flask application."""
    given = context.config.attributes.get("database_url")
    if given is not None:
        return str(given)
    return current_database().engine.url.render_as_string(hide_password=False)


def take_turn(connection: Connection) -> None:
    """Wait for other migrations; then never make the running service wait long for a table.

    SQLite needs neither: BEGIN IMMEDIATE has let one migration in already.
    """
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write plain types into new migrations: they must still run when our own have changed."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def migrate() -> None:
    """Run the migrations in one transaction, so that a failed one leaves nothing behind."""
    for module in MODEL_MODULES:
        importlib.import_module(module)
    engine = make_engine(database_url(), foreign_keys=False)
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=connection.dialect.name == "sqlite",
                render_item=render_item,
                transactional_ddl=True,
            )
            with context.begin_transaction():
                take_turn(connection)
                context.run_migrations()
    finally:
        engine.dispose()


def write_sql() -> None:
    """``upgrade --sql``: print the statements instead of running them."""
    for module in MODEL_MODULES:
        importlib.import_module(module)
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    migrate()
