"""The service's settings: environment over file over defaults, checked at once when it starts.

Every field of the groups below is an option of the file section named in ``SECTIONS`` and,
as ``SYNCLINE_<FIELD>``, an environment variable; a secret may also come from the file named by
``SYNCLINE_<FIELD>_FILE``. The original's ``fiware-glancesync.cfg`` is read as well (spec images
10). Reading is ``app.settings_reader``'s part; this module says what the values are and which
do not go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any


class AuthStrategy(StrEnum):
    """Who checks callers: Keystone, or nobody (only on loopback)."""

    KEYSTONE = "keystone"
    NOAUTH = "noauth"


class DispatcherKind(StrEnum):
    """How workers learn of new jobs: a local wake-up, or a message through Celery's broker."""

    EMBEDDED = "embedded"
    CELERY = "celery"


class LogFormat(StrEnum):
    """How log lines look: one JSON object each, or text for a person at a terminal."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the service keeps what it must not forget.

    Attributes:
        state_dir: folder of the default SQLite file and of the workers' wake-up sockets.
        database_url: SQLAlchemy URL; may hold a password, so it is never shown.

    """

    state_dir: Path = Path("/var/lib/syncline")
    database_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Which images are synchronised, and by which rules.

    Attributes:
        config_file: the ``glancesync.conf``; empty: looked for in the usual places (spec images 2.1).
        cloud: where images live: ``openstack``, ``directory:DIR`` or ``backup:DIR``.

    """

    config_file: str = ""
    cloud: str = "openstack"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the web process answers and where (spec images 9.1, 9.4, 10).

    Attributes:
        web_threads: requests that one web process answers at once.
        web_timeout_seconds: how long a web process may be silent before it is replaced.
        web_grace_seconds: what requests under way are given to end when the service stops or reloads.
        server_header: value of the header ``Server`` on every answer.
        legacy_status_codes: give the original's codes (spec images 9.2, 9.3).
        legacy_tasks: keep the original's rule of one task per region until it is deleted (9.5).

    """

    host: str = "127.0.0.1"
    port: int = 8080
    web_workers: int = 2
    web_threads: int = 8
    web_timeout_seconds: int = 60
    web_grace_seconds: int = 30
    pidfile: str = ""
    log_level: str = "info"
    log_format: LogFormat = LogFormat.JSON
    server_header: str = "Syncline"
    owner: str = "Syncline"
    version: str = "1.7.0"
    status: str = "SUPPORTED"
    updated: str = "2015-12-12T13:16:21Z"
    api_info_url: str = ""
    legacy_status_codes: bool = False
    legacy_tasks: bool = False


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who is asked about tokens, and what roles may do (spec images 9.2 [P]).

    Attributes:
        keystone_url: identity endpoint, with or without ``/v3``.
        keystone_interface: which of the catalogue's identity endpoints validates tokens.
        policy_file: rules by action; empty: ``settings/policy.yaml``.
        member_role: the role that may start a sync; ``admin_role`` also deletes.
        allowed_projects, allowed_domains: ids; empty: all.

    """

    auth_strategy: AuthStrategy = AuthStrategy.KEYSTONE
    keystone_url: str = ""
    service_username: str = ""
    service_password: str = field(default="", repr=False)
    service_project_name: str = ""
    service_project_id: str = ""
    service_user_domain_name: str = "Default"
    service_project_domain_name: str = "Default"
    keystone_cacert: str = ""
    keystone_interface: str = "public"
    policy_file: str = ""
    reader_role: str = "reader"
    member_role: str = "member"
    admin_role: str = "admin"
    allowed_projects: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    token_cache_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that comes again: every ``every_seconds`` from midnight UTC plus ``offset_seconds``.

    Attributes:
        jitter_seconds: each run starts up to so much later, so that not all start at once.

    """

    name: str
    kind: str
    every_seconds: float
    payload: Mapping[str, Any] = field(default_factory=dict)
    offset_seconds: float = 0.0
    jitter_seconds: float = 0.0
    lane: str = "default"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How jobs are handed out, kept and given up.

    Attributes:
        workers: worker processes of one ``run.py worker``.
        lanes: what such a worker serves; ``default`` includes regions nobody else stands in.
        lease_seconds: how long a job is believed to be worked on without a sign of life.
        max_children: how many regions are synchronised at once, over all workers; 0: no bound.
        max_attempts: how often a job is tried before it is given up.
        rewake_seconds: how long a due job may wait before its wake-up is sent again.
        stop_grace_seconds: what a running job is given to end when its worker is stopped.
        retention_days: how long finished jobs are kept; 0: for ever.

    """

    dispatcher: DispatcherKind = DispatcherKind.EMBEDDED
    broker_url: str = field(default="", repr=False)
    workers: int = 2
    lanes: tuple[str, ...] = ("default",)
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 8.0
    busy_poll_seconds: float = 0.1
    idle_poll_seconds: float = 0.5
    max_children: int = 0
    max_attempts: int = 5
    rewake_seconds: float = 20.0
    stop_grace_seconds: float = 30.0
    retention_days: float = 30.0
    schedules: tuple[Schedule, ...] = ()


SECTIONS: Mapping[str, type] = {
    "service": StoreSettings,
    "images": ImageSettings,
    "api": ApiSettings,
    "auth": AuthSettings,
    "jobs": JobSettings,
}


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Everything the service was told. Its ``repr`` shows no secret.

    Attributes:
        source: the file that was read, or ``environment``.

    """

    service: StoreSettings = StoreSettings()
    images: ImageSettings = ImageSettings()
    api: ApiSettings = ApiSettings()
    auth: AuthSettings = AuthSettings()
    jobs: JobSettings = JobSettings()
    source: str = "environment"

    @property
    def database_url(self) -> str:
        """The database asked for, else a SQLite file in the state folder."""
        return self.service.database_url or f"sqlite:///{self.service.state_dir / 'syncline.db'}"

    def faults(self, *, web: bool = True) -> list[str]:
        """What is wrong with the values, one line each; empty when the service can start.

        Args:
            web: False where no request is answered (workers, command line): who checks callers
                does not matter there.

        """
        return [
            *_database_faults(self),
            *_api_faults(self.api),
            *(_auth_faults(self) if web else ()),
            *_job_faults(self.jobs),
            *_schedule_faults(self.jobs.schedules),
        ]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _database_faults(settings: ServiceSettings) -> Iterator[str]:
    # The command line reads settings too, and without a service it needs no SQLAlchemy.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        backend = make_url(settings.database_url).get_backend_name()
    except ArgumentError:
        # The text itself is not shown: it may be a URL with a password and one slip.
        yield "database_url: not a database URL"
        return
    if backend not in {"sqlite", "postgresql", "postgres"}:
        yield f"database_url: {backend} is not supported (sqlite, postgresql)"


def _api_faults(api: ApiSettings) -> Iterator[str]:
    if not 1 <= api.port <= 65535:
        yield f"port: {api.port} is not between 1 and 65535"
    for name in ("web_workers", "web_threads", "web_timeout_seconds", "web_grace_seconds"):
        if getattr(api, name) < 1:
            yield f"{name}: {getattr(api, name)} is less than 1"
    if api.log_level.lower() not in {"debug", "info", "warning", "error", "critical"}:
        yield f"log_level: {api.log_level} is none of debug, info, warning, error, critical"


def _auth_faults(settings: ServiceSettings) -> Iterator[str]:
    auth = settings.auth
    if auth.auth_strategy is AuthStrategy.NOAUTH:
        if not is_loopback(settings.api.host):
            yield f"auth_strategy: noauth is allowed on loopback only, host is {settings.api.host}"
        return
    for name in ("keystone_url", "service_username", "service_password"):
        if not getattr(auth, name):
            yield f"{name}: needed with auth_strategy keystone"
    if not (auth.service_project_name or auth.service_project_id):
        yield "service_project_name: needed with auth_strategy keystone (or service_project_id)"
    if auth.keystone_interface not in {"public", "internal", "admin"}:
        yield f"keystone_interface: {auth.keystone_interface} is none of public, internal, admin"
    if auth.token_cache_seconds < 0:
        yield f"token_cache_seconds: {auth.token_cache_seconds} is negative"


def _job_faults(jobs: JobSettings) -> Iterator[str]:
    if jobs.dispatcher is DispatcherKind.CELERY and not jobs.broker_url:
        yield "broker_url: needed with dispatcher celery"
    if not jobs.lanes:
        yield "lanes: at least one is needed"
    for name in ("workers", "max_attempts"):
        if getattr(jobs, name) < 1:
            yield f"{name}: {getattr(jobs, name)} is less than 1"
    for name in ("heartbeat_seconds", "busy_poll_seconds", "idle_poll_seconds", "rewake_seconds"):
        if getattr(jobs, name) <= 0:
            yield f"{name}: {getattr(jobs, name)} is not more than 0"
    for name in ("max_children", "retention_days", "stop_grace_seconds"):
        if getattr(jobs, name) < 0:
            yield f"{name}: {getattr(jobs, name)} is negative"
    if jobs.lease_seconds < 3 * jobs.heartbeat_seconds:
        yield (
            f"lease_seconds: {jobs.lease_seconds} is less than three heartbeats of {jobs.heartbeat_seconds}"
        )


def _schedule_faults(schedules: tuple[Schedule, ...]) -> Iterator[str]:
    for schedule in schedules:
        if schedule.every_seconds < 1:
            yield f"schedule {schedule.name}: every is less than a second"
        elif not 0 <= schedule.jitter_seconds < schedule.every_seconds:
            yield f"schedule {schedule.name}: jitter is negative or not less than every"
