"""Service settings: environment over file over defaults, all faults told at once (spec images 10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.settings import AuthStrategy, DispatcherKind, Schedule, ServiceSettings, is_loopback
from app.settings_reader import LEGACY_OPTIONS, OPTIONS, duration_seconds, load_settings

NOAUTH = {"SYNCLINE_AUTH_STRATEGY": "noauth"}
SECRET = "hunter2"

LEGACY = f"""
[openstack]
KEYSTONE_URL: http://cloud.lab.fiware.org:4730
ADM_USER: admin
ADM_PASS: {SECRET}%%1
ADM_TENANT_ID: 00000000000000000000000000000001
ADM_TENANT_NAME: admin
USER_DOMAIN_NAME: default
AUTH_API_V3: v3
AUTH_API_V2: v2.0
REGION_LIST_API_V3: OS-EP-FILTER/endpoint_groups

[glancesync]
SETTINGS_TYPE: production
OWNER: Telefonica I+D
API_INFO_URL: http://docs.glancesync.apiary.io/#
VERSION: 1.7.0
STATUS: SUPPORTED
UPDATED: 2015-12-12T13:16:21Z
PORT: 8081
HOST: 0.0.0.0

[http]
CONTENT_TYPE: Content-Type
ACCEPT: Accept
JSON_TYPE: application/json
X_AUTH_TOKEN_HEADER: X-Auth-Token
X_SUBJECT_TOKEN_HEADER: X-Subject-Token
TOKENS_PATH_V2: tokens/
TOKENS_PATH_V3: auth/tokens/
SERVER: Werkzeug
SERVER_HEADER: server

[gunicorn]
WORKERS: 5
PIDFILE: tmp/processes.pid
LOGLEVEL: debug
"""


def load(text: str = "", /, *, path: Path | None = None, **environment: str) -> ServiceSettings:
    """Settings from these variables and, with a path, from a file of that content."""
    if path is not None:
        path.write_text(text)
        environment["SYNCLINE_SETTINGS_FILE"] = str(path)
    return load_settings(environment)


def faults(text: str = "", /, *, path: Path | None = None, **environment: str) -> list[str]:
    """What is wrong, one line each."""
    with pytest.raises(ConfigurationError) as caught:
        load(text, path=path, **environment)
    return caught.value.what.splitlines()


def test_with_nothing_but_noauth_the_defaults_serve_one_machine() -> None:
    """The defaults: SQLite in the state folder, embedded workers, loopback."""
    settings = load(**NOAUTH, SYNCLINE_STATE_DIR="/srv/x")
    assert settings.database_url == "sqlite:////srv/x/syncline.db"
    assert settings.jobs.dispatcher is DispatcherKind.EMBEDDED
    assert settings.api.host == "127.0.0.1"
    assert settings.source == "environment"


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    """Precedence of the three sources."""
    text = "[auth]\nauth_strategy = noauth\n[jobs]\nworkers = 3\nlease_seconds = 60\n"
    settings = load(text, path=tmp_path / "s.cfg", SYNCLINE_WORKERS="7")
    assert (settings.jobs.workers, settings.jobs.lease_seconds, settings.jobs.heartbeat_seconds) == (
        7,
        60.0,
        8.0,
    )
    assert settings.source == str(tmp_path / "s.cfg")


def test_the_originals_file_is_read(tmp_path: Path) -> None:
    """fiware-glancesync.cfg with all its options works as it is."""
    path = tmp_path / "fiware-glancesync.cfg"
    path.write_text(LEGACY)
    settings = load_settings({"GLANCESYNC_SETTINGS_FILE": str(path)})
    assert settings.auth.auth_strategy is AuthStrategy.KEYSTONE
    assert settings.auth.keystone_url == "http://cloud.lab.fiware.org:4730"
    assert settings.auth.service_username == "admin"
    assert settings.auth.service_password == f"{SECRET}%%1"
    assert (settings.api.host, settings.api.port, settings.api.web_workers) == ("0.0.0.0", 8081, 5)
    assert (settings.api.owner, settings.api.server_header) == ("Telefonica I+D", "Werkzeug")
    assert (settings.api.pidfile, settings.api.log_level) == ("tmp/processes.pid", "debug")


def test_every_option_of_the_original_is_known() -> None:
    """Nothing of the original's file leads nowhere."""
    assert {name for name in LEGACY_OPTIONS.values() if name is not None} <= set(OPTIONS)


def test_schedules_are_sections(tmp_path: Path) -> None:
    """[schedule NAME] with kind and every; the rest has defaults."""
    text = (
        "[auth]\nauth_strategy = noauth\n"
        "[schedule nightly]\nkind = sync\nevery = 1d\nat = 03:30\njitter = 10m\n"
        'lane = region.x\npayload = {"targets": ["master"]}\n'
        "[schedule often]\nkind = plan\nevery = 90\n"
    )
    settings = load(text, path=tmp_path / "s.cfg")
    assert settings.jobs.schedules == (
        Schedule("nightly", "sync", 86400.0, {"targets": ["master"]}, 12600.0, 600.0, "region.x"),
        Schedule("often", "plan", 90.0),
    )


FAULTS: dict[str, tuple[str, dict[str, str], str]] = {
    "unknown-option": ("[jobs]\nworker = 3\n", NOAUTH, "[jobs]: unknown option worker"),
    "wrong-section": ("[api]\nworkers = 3\n", NOAUTH, "[api]: unknown option workers"),
    "unknown-section": ("[celery]\nx = 3\n", NOAUTH, "[celery]: unknown option x"),
    "unknown-variable": ("", NOAUTH | {"SYNCLINE_WORKER": "3"}, "SYNCLINE_WORKER: unknown option"),
    "no-secret-file": ("", NOAUTH | {"SYNCLINE_PORT_FILE": "/x"}, "SYNCLINE_PORT_FILE: unknown option"),
    "not-a-number": ("", NOAUTH | {"SYNCLINE_PORT": "x"}, "port: 'x' is not a whole number"),
    "not-a-flag": ("", NOAUTH | {"SYNCLINE_LEGACY_TASKS": "perhaps"}, "is not true or false"),
    "not-a-choice": ("", NOAUTH | {"SYNCLINE_DISPATCHER": "cron"}, "is not one of embedded, celery"),
    "port": ("", NOAUTH | {"SYNCLINE_PORT": "70000"}, "port: 70000 is not between"),
    "web-workers": ("", NOAUTH | {"SYNCLINE_WEB_WORKERS": "0"}, "web_workers: 0"),
    "log-level": ("", NOAUTH | {"SYNCLINE_LOG_LEVEL": "loud"}, "log_level: loud"),
    "database": ("", NOAUTH | {"SYNCLINE_DATABASE_URL": "mysql://x/y"}, "mysql is not supported"),
    "no-url": ("", NOAUTH | {"SYNCLINE_DATABASE_URL": "nonsense"}, "database_url: not a database URL"),
    "open-noauth": ("", NOAUTH | {"SYNCLINE_HOST": "0.0.0.0"}, "noauth is allowed on loopback only"),
    "keystone": ("", {}, "keystone_url: needed"),
    "password": ("", {}, "service_password: needed"),
    "project": ("", {}, "service_project_name: needed"),
    "cache": ("", {"SYNCLINE_TOKEN_CACHE_SECONDS": "-1"}, "token_cache_seconds: -1"),
    "broker": ("", NOAUTH | {"SYNCLINE_DISPATCHER": "celery"}, "broker_url: needed"),
    "lanes": ("", NOAUTH | {"SYNCLINE_LANES": " , "}, "lanes: at least one"),
    "no-workers": ("", NOAUTH | {"SYNCLINE_WORKERS": "0"}, "workers: 0 is less than 1"),
    "poll": ("", NOAUTH | {"SYNCLINE_IDLE_POLL_SECONDS": "0"}, "idle_poll_seconds: 0.0"),
    "children": ("", NOAUTH | {"SYNCLINE_MAX_CHILDREN": "-1"}, "max_children: -1 is negative"),
    "lease": ("", NOAUTH | {"SYNCLINE_LEASE_SECONDS": "9"}, "less than three heartbeats"),
    "no-kind": ("[schedule s]\nevery = 1h\n", NOAUTH, "schedule s: kind is missing"),
    "no-period": ("[schedule s]\nkind = x\n", NOAUTH, "schedule s: every is missing"),
    "odd-period": ("[schedule s]\nkind = x\nevery = often\n", NOAUTH, "schedule s: every is not a number"),
    "odd-time": ("[schedule s]\nkind = x\nevery = 1d\nat = noon\n", NOAUTH, "at is not a time"),
    "odd-payload": ("[schedule s]\nkind = x\nevery = 1d\npayload = [1]\n", NOAUTH, "not a JSON object"),
    "odd-key": ("[schedule s]\nkind = x\nevery = 1d\ncron = x\n", NOAUTH, "unknown option cron"),
    "hasty": ("[schedule s]\nkind = x\nevery = 0.5\n", NOAUTH, "schedule s: every is less"),
    "jittery": ("[schedule s]\nkind = x\nevery = 1h\njitter = 2h\n", NOAUTH, "schedule s: jitter"),
    "no-ini": ("port = 3\n", NOAUTH, "s.cfg:1: not an INI file"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_by_its_option(tmp_path: Path, case: str) -> None:
    """Each wrong value gives a line that names the option and what is wrong with it."""
    text, environment, expected = FAULTS[case]
    found = faults(text, path=tmp_path / "s.cfg", **environment)
    assert any(expected in line for line in found), found


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """One start tells everything that is to be mended."""
    text = "[jobs]\nworkers = 0\nnonsense = 1\n[api]\nport = x\n"
    assert len(faults(text, path=tmp_path / "s.cfg", **NOAUTH)) == 3


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """A missing file is a fault, not silence."""
    (line,) = faults(SYNCLINE_SETTINGS_FILE=str(tmp_path / "none"), **NOAUTH)
    assert "cannot be read" in line


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    """SYNCLINE_SERVICE_PASSWORD_FILE names the file; its last line break does not count."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    settings = load(SYNCLINE_SERVICE_PASSWORD_FILE=str(path), **NOAUTH)
    assert settings.auth.service_password == SECRET
    (line,) = faults(SYNCLINE_SERVICE_PASSWORD_FILE=str(tmp_path / "none"), **NOAUTH)
    assert "cannot be read" in line


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the settings' text nor a fault repeats a password."""
    secrets = {
        "SYNCLINE_SERVICE_PASSWORD": SECRET,
        "SYNCLINE_DATABASE_URL": f"postgresql://u:{SECRET}@h/d",
        "SYNCLINE_BROKER_URL": f"amqp://u:{SECRET}@h//",
    }
    assert SECRET not in repr(load(**NOAUTH, **secrets))
    for text in (f"[auth]\nservice_password {SECRET}\n", f"{SECRET}\n"):
        assert SECRET not in str(faults(text, path=tmp_path / "s.cfg", **NOAUTH))
    assert SECRET not in str(faults(SYNCLINE_DATABASE_URL=f"://u:{SECRET}@h", **NOAUTH))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5s", 1.5), ("15m", 900.0), ("6h", 21600.0), ("1 d", 86400.0)]
)
def test_durations(text: str, seconds: float) -> None:
    """A number with an optional unit."""
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1w", "1h30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything else is an error, never a guess."""
    with pytest.raises(ValueError, match="not a number"):
        duration_seconds(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    """Only what nobody else can reach counts."""
    assert is_loopback(host) is expected
