"""The database handle and the migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import inspect, literal, select, text
from sqlalchemy.exc import StatementError

from app import schema
from app.db import Database, DatabaseTime, UtcDateTime, normal_url
from app.errors import DatabaseStateError
from tests.servers import PostgresServer

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'syncline.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create()
    try:
        yield url
    finally:
        server.drop(url)


def tables(url: str) -> set[str]:
    """The names of a database's tables."""
    database = Database(url)
    try:
        return set(inspect(database.engine).get_table_names())
    finally:
        database.dispose()


def test_the_database_tells_the_time_and_can_shift_it(database: Database) -> None:
    """Present time and shifts come from the database, aware, in UTC, with fractions of a second."""
    with database.read() as session:
        now, later, earlier = session.execute(
            select(DatabaseTime(), DatabaseTime(90.5), DatabaseTime(-0.25))
        ).one()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=20)
    assert later - now == pytest.approx(timedelta(seconds=90.5), abs=timedelta(seconds=0.2))
    assert now - earlier == pytest.approx(timedelta(seconds=0.25), abs=timedelta(seconds=0.2))


def test_times_written_and_times_told_compare(database: Database) -> None:
    """A time from Python and the database's own compare as times, whatever zone it came in."""
    madrid = timezone(timedelta(hours=1))
    past = (datetime.now(UTC) - timedelta(minutes=1)).astimezone(madrid)
    value = literal(past, UtcDateTime())
    with database.read() as session:
        assert session.execute(select(value < DatabaseTime(), value < DatabaseTime(-3600))).one() == (
            True,
            False,
        )


def test_a_time_without_zone_is_refused(database: Database) -> None:
    """A naive time means something else on every machine, so it is not stored."""
    with pytest.raises(StatementError, match="without zone"), database.read() as session:
        session.execute(select(literal(datetime(2026, 1, 1), UtcDateTime())))  # noqa: DTZ001  # the point


def test_an_error_undoes_the_whole_transaction(database: Database) -> None:
    """Nothing half-done stays."""
    with database.write() as session:
        session.execute(text("CREATE TABLE notes (n INTEGER)"))

    def write_and_fail() -> None:
        with database.write() as session:
            session.execute(text("INSERT INTO notes VALUES (1)"))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        write_and_fail()
    assert database.one(text("SELECT count(*) FROM notes"))[0] == 0  # type: ignore[index]


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    """While one transaction writes, others read what was there before."""
    with database.write() as session:
        session.execute(text("CREATE TABLE notes (n INTEGER)"))
    with database.write() as session:
        session.execute(text("INSERT INTO notes VALUES (1)"))
        with database.read() as reader:
            assert reader.execute(text("SELECT count(*) FROM notes")).scalar() == 0
    with database.read() as reader:
        assert reader.execute(text("SELECT count(*) FROM notes")).scalar() == 1


def test_writers_take_turns(database: Database) -> None:
    """Two writers never fail on each other's lock: the second one waits."""
    with database.write() as session:
        session.execute(text("CREATE TABLE counter (n INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    gate = threading.Barrier(8)

    def count(_: int) -> None:
        gate.wait(30)
        for _ in range(20):
            with database.write() as session:
                session.execute(text("UPDATE counter SET n = n + 1"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert database.one(text("SELECT n FROM counter"))[0] == 160  # type: ignore[index]


def test_sqlite_is_set_up_for_several_processes(tmp_path: Path) -> None:
    """Write-ahead log, patience, foreign keys and cheap commits are on for every connection."""
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 30000}
    with database.write() as session:
        found = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
    database.dispose()
    assert found == expected


def test_a_handle_shows_no_password() -> None:
    """A database URL's password is not in the handle's text."""
    shown = repr(Database("postgresql://syncline:hunter2@127.0.0.1/x"))
    assert "hunter2" not in shown
    assert "syncline" in shown


@pytest.mark.parametrize("name", ["postgres", "postgresql"])
def test_the_usual_names_of_postgresql_work(name: str) -> None:
    """The driver that is installed is used whichever way the URL is written."""
    assert normal_url(f"{name}://h/x").drivername == "postgresql+psycopg"


def test_upgrade_makes_the_tables_and_is_idempotent(empty_url: str) -> None:
    """An empty database gets its tables; a second upgrade changes nothing."""
    schema.upgrade(empty_url)
    assert schema.at_head(empty_url)
    assert {"jobs", "worker_lanes", "schedule_slots"} <= tables(empty_url)
    schema.upgrade(empty_url)
    schema.require_head(empty_url)


def test_work_on_old_tables_is_refused(empty_url: str) -> None:
    """A database that was not upgraded is refused with the remedy."""
    Path(empty_url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True) if "sqlite" in empty_url else None
    assert not schema.at_head(empty_url)
    with pytest.raises(DatabaseStateError, match=r"run\.py db upgrade"):
        schema.require_head(empty_url)


def test_upgrades_at_once_wait_for_each_other(empty_url: str) -> None:
    """Four processes upgrade the same empty database at the same time: all succeed."""
    code = "import sys; from app.schema import upgrade; upgrade(sys.argv[1])"
    running = [
        subprocess.Popen([sys.executable, "-c", code, empty_url], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    assert [code for _, code in ends] == [0, 0, 0, 0], ends
    assert schema.at_head(empty_url)


def test_migrations_make_what_the_models_say(empty_url: str) -> None:
    """Tables made by migrations are those of the models, and can be taken back."""
    schema.upgrade(empty_url)
    code = (
        "import sys; from alembic import command; from app.schema import _alembic;"
        "config = _alembic(sys.argv[1]); command.check(config); command.downgrade(config, 'base')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, empty_url], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert tables(empty_url) <= {"alembic_version"}


def test_flask_knows_the_database_and_its_commands(tmp_path: Path) -> None:
    """Inside Flask the same handle is used, and ``db upgrade`` works on it."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    app = Flask("x")
    database = Database(url)
    schema.init_app(app, database)
    done = app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert done.exit_code == 0, done.output
    with app.app_context():
        assert schema.current_database() is database
    assert schema.at_head(url)
    database.dispose()


def test_the_statements_can_be_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """``db upgrade --sql`` prints what would be done and does nothing."""
    config = schema._alembic("postgresql://nobody@127.0.0.1:1/none")
    command.upgrade(config, "head", sql=True)
    assert "CREATE TABLE jobs" in capsys.readouterr().out
