"""The database handle: one engine per process, short transactions, and the database's own clock.

Knows nothing of Flask: workers and the command line use it too (``app.schema`` joins the two).
SQLite is the default, PostgreSQL what production uses; the rest of the code sees no difference.
Times that decide anything are taken by the database (``DatabaseTime``), so that the clocks of the
machines around it do not matter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from sqlite3 import SQLITE_BUSY
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteError
from time import monotonic, sleep
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    DateTime,
    Engine,
    Executable,
    Float,
    MetaData,
    Row,
    create_engine,
    event,
    literal_column,
)
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

SQLITE_BUSY_SECONDS = 30.0
_LOCK_STEP_SECONDS = (0.0002, 0.001)
_REST_SECONDS = 1.0
_READ = "read"
_SINGLE = "single"


class Base(DeclarativeBase):
    """The base of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time with zone; SQLite, which knows no zones, keeps it as UTC text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times (ValueError): they mean something else on every machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Times come back aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class DatabaseTime(FunctionElement[datetime]):
    """The database's present time, shifted by some seconds (negative: in the past)."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, shift_seconds: float | BindParameter[float] = 0.0) -> None:
        # A number becomes part of the statement: a parameter would have to be sent each time.
        if isinstance(shift_seconds, BindParameter):
            super().__init__(shift_seconds)
        elif shift_seconds:
            super().__init__(literal_column(f"{float(shift_seconds):.6f}", Float()))
        else:
            super().__init__()


@compiles(DatabaseTime, "sqlite")
def _sqlite_time(element: DatabaseTime, compiler: SQLCompiler, **kw: object) -> str:
    # Three zeros make the text as long as the microseconds that SQLAlchemy writes and compares.
    shift = compiler.process(element.clauses, **kw)
    moved = f", printf('%+.3f seconds', {shift})" if shift else ""
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now'{moved})"


@compiles(DatabaseTime, "postgresql")
def _postgresql_time(element: DatabaseTime, compiler: SQLCompiler, **kw: object) -> str:
    # Not now(): that is the start of the transaction, which may have waited for a lock since.
    shift = compiler.process(element.clauses, **kw)
    return f"(clock_timestamp() + make_interval(secs => {shift}))" if shift else "clock_timestamp()"


def normal_url(database_url: str) -> URL:
    """The URL with the driver that is installed (psycopg for PostgreSQL).

    Raises:
        sqlalchemy.exc.ArgumentError: it is no database URL.

    """
    url = make_url(database_url)
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    return url


def make_engine(database_url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine set up the same way everywhere; opens no connection yet.

    SQLite: write-ahead log, waiting instead of failing on a lock, BEGIN IMMEDIATE (a transaction
    that will write takes its place at once, so that none has to be repeated). PostgreSQL:
    connections that rested are tried before they are used, so that a restarted server goes unnoticed.

    Args:
        foreign_keys: off only for SQLite migrations, which rebuild whole tables.

    """
    url = normal_url(database_url)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS})
        _set_up_sqlite(engine, foreign_keys=foreign_keys)
        return engine
    # Which rows of the job table wait changes faster than any statistics. A bitmap scan would read
    # all of them, and all that no longer do, for the one that comes first in the index.
    options = "-c enable_bitmapscan=off"
    arguments = {"connect_timeout": 10, "autocommit": True, "options": options}
    engine = create_engine(url, connect_args=arguments)
    _set_up_postgresql(engine)
    _try_idle_connections(engine)
    return engine


def _set_up_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver begins none by itself: a single statement is then one question, not three.
        mode = connection.get_execution_options().get("mode")
        if mode == _READ:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif mode != _SINGLE:
            connection.exec_driver_sql("BEGIN")


def _try_idle_connections(engine: Engine) -> None:
    """Try a connection that has rested before it is used.

    As the pool's own ``pre_ping``, but not for one that worked a moment ago: that would double the
    questions asked of a busy database.
    """

    @event.listens_for(engine, "checkin")
    def rest(_raw: object, entry: ConnectionPoolEntry) -> None:
        entry.info["rests_since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def wake(raw: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if monotonic() - entry.info.get("rests_since", monotonic()) < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            # The pool answers this by closing the connection and opening another one.
            raise DisconnectionError from error


def _set_up_sqlite(engine: Engine, *, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(raw: SqliteConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would otherwise open transactions of its own kind at moments of its own.
        raw.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("mode")
        if mode == _READ:
            connection.exec_driver_sql("BEGIN")
        elif mode != _SINGLE:
            _begin_immediate(cast("SqliteConnection", connection.connection.dbapi_connection))


def _begin_immediate(raw: SqliteConnection) -> None:
    """Take the write lock, waiting for it in short steps.

    SQLite's own waiting soon sleeps 100 ms at a time, which leaves the lock unused most of the
    time when several processes write small transactions.
    """
    deadline = monotonic() + SQLITE_BUSY_SECONDS
    raw.execute("PRAGMA busy_timeout = 0").close()
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE").close()
            except SqliteError as error:
                if error.sqlite_errorcode != SQLITE_BUSY or monotonic() > deadline:
                    raise
                sleep(random.uniform(*_LOCK_STEP_SECONDS))  # noqa: S311  # spreads load
            else:
                return
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(SQLITE_BUSY_SECONDS * 1000)}").close()


class Database:
    """One database as one process sees it. Open it after forking, never before."""

    def __init__(self, database_url: str) -> None:
        self.engine = make_engine(database_url)
        self._read_engine = self.engine.execution_options(mode=_READ)
        self._single_engine = self.engine.execution_options(mode=_SINGLE)

    def __repr__(self) -> str:
        return f"Database({self.engine.url.render_as_string(hide_password=True)})"

    @property
    def is_sqlite(self) -> bool:
        """Whether one writer at a time is guaranteed by the database itself."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write; committed at the end, rolled back on any error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent look that takes no write lock."""
        with Session(self._read_engine, expire_on_commit=False) as session, session.begin():
            yield session

    def one(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Row[Any] | None:
        """Run one statement that is a whole transaction; the first row of its answer, if any.

        Much cheaper than ``write``: PostgreSQL is asked once, and SQLite's lock is held only while
        the statement runs.
        """
        with self._single_engine.connect() as connection:
            result = connection.execute(statement, parameters)
            return result.first() if result.returns_rows else None

    def dispose(self) -> None:
        """Close all connections; the object opens new ones when it is used again."""
        self.engine.dispose()
