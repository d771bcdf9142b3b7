"""Real PostgreSQL, RabbitMQ and Redis for tests: on free ports, with their data in a temporary directory.

A server starts when the first test asks for it and ends with the test session; it also ends when
the session is killed. Nothing outside the temporary directory is touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import amqp
import psycopg
import pytest
import redis

HINT = "run scripts/debian-packages, or install postgresql, rabbitmq-server and redis-server"
START_SECONDS = 60.0
RABBITMQ_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float, what: str, every_seconds: float = 0.02) -> None:
    """Poll until the condition holds; fail the test when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds} s")
        time.sleep(every_seconds)


class Server:
    """One server program in the foreground, with a directory of its own."""

    name = "server"

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"syncline-{self.name}-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        raise LookupError(self.name)

    def environment(self) -> dict[str, str]:
        """Variables on top of the usual ones."""
        return {}

    def answers(self) -> bool:
        """Whether clients are served."""
        raise LookupError(self.name)

    def start(self) -> None:
        """Start the program and wait until it serves."""
        # The kernel ends the server when this process dies, however that happens.
        command = ["setpriv", "--pdeathsig", "KILL", *self.command()]
        with (self.directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **self.environment()},
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = (self.directory / "output.log").read_text(errors="replace")[-3000:]
                self.kill()
                pytest.fail(f"{self.name} does not start:\n{tail}")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the program to end and wait for it; kill it where it does not."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the program and all it started, at once."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            finally:
                self._process.wait()

    def close(self) -> None:
        """End the program and remove its directory."""
        try:
            self.stop()
        finally:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)


class PostgresServer(Server):
    """PostgreSQL without durability: a killed test leaves nothing worth keeping."""

    name = "postgresql"

    def __init__(self) -> None:
        super().__init__()
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self._as_user = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        initdb = [str(self._bin / "initdb"), "--auth=trust", "--username=test", "--no-sync", "data"]
        subprocess.run(
            ["setpriv", *self._as_user, *initdb] if self._as_user else initdb,
            cwd=self.directory,
            check=True,
            capture_output=True,
        )

    def command(self) -> Sequence[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        settings = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        return [*self._as_user, str(self._bin / "postgres"), "-D", "data", *settings]

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """A new database, empty or a copy; returns its URL."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')  # type: ignore[arg-type]
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, and whoever still uses it."""
        name = url.rsplit("/", 1)[1]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[arg-type]

    def restart(self) -> None:
        """Break all connections, stop, start again on the same port."""
        self.stop(signal.SIGINT)
        self.start()


class RabbitServer(Server):
    """RabbitMQ with a name service of its own, so that none of the machine's is touched."""

    name = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self._names_port = free_port()
        self._names: subprocess.Popen[bytes] | None = None
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 10MB\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )

    def command(self) -> Sequence[str]:
        return [str(RABBITMQ_PROGRAM)]

    def environment(self) -> dict[str, str]:
        here = str(self.directory)
        return {
            "HOME": here,
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"syncline{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_PID_FILE": f"{here}/pid",
            # The wrapper becomes the server instead of starting it, so that signals reach it.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 1:1 +sbwt none +sbwtdcpu none",
        }

    def start(self) -> None:
        if self._names is None:
            self._names = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "epmd", "-port", str(self._names_port)],
                env={"PATH": os.environ["PATH"], "ERL_EPMD_ADDRESS": "127.0.0.1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        super().start()

    def answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def close(self) -> None:
        super().close()
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    def restart(self) -> None:
        """Stop and start again on the same port; messages that were not kept are gone."""
        self.kill()
        self.start()

    @property
    def url(self) -> str:
        """What Celery connects to."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"


class RedisServer(Server):
    """Redis that keeps nothing on disk."""

    name = "redis"

    def command(self) -> Sequence[str]:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        return ["redis-server", *where, "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def restart(self) -> None:
        """Stop and start again on the same port, empty."""
        self.kill()
        self.start()

    @property
    def url(self) -> str:
        """What Celery connects to."""
        return f"redis://127.0.0.1:{self.port}/0"


def _serve(server: type[Server], present: bool) -> Iterator[Server]:
    if not present:
        pytest.skip(f"{server.name} is not installed: {HINT}")
    running = server()
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL for this session."""
    yield from _serve(PostgresServer, any(Path("/usr/lib/postgresql").glob("*/bin/postgres")))


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[Server]:
    """A RabbitMQ for this session."""
    yield from _serve(RabbitServer, RABBITMQ_PROGRAM.exists())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis for this session."""
    yield from _serve(RedisServer, shutil.which("redis-server") is not None)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a PostgreSQL database with all tables, to be copied."""
    from app.schema import upgrade

    url = postgres_server.create()
    upgrade(url)
    return url.rsplit("/", 1)[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own with all tables; each test runs on SQLite and on PostgreSQL."""
    from app.schema import upgrade

    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'syncline.db'}"
        upgrade(url)
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create(request.getfixturevalue("migrated_template"))
    try:
        yield url
    finally:
        server.drop(url)


@pytest.fixture(params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> Server:
    """A broker; each test runs on RabbitMQ and on Redis."""
    name = "rabbit_server" if request.param == "rabbitmq" else "redis_server"
    server: Server = request.getfixturevalue(name)
    return server
