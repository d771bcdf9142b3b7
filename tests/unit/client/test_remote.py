"""``run.py remote``: how the service is found, how answers and failures are shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from keystoneauth1.noauth import NoAuth
from syncline_client import (
    AnswerError,
    Client,
    ConflictError,
    EndpointError,
    Event,
    ForbiddenError,
    Image,
    NotFoundError,
    RegionSummary,
    RequestError,
    ServerError,
    StatusError,
    SyncClientError,
    Task,
    TaskItem,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)
from syncline_client.errors import Refusal

from app import errors
from app.cli.failures import Session
from app.cli.output import Output
from app.cli.remote import forms
from app.cli.remote.failures import house_error
from app.cli.remote.forms import Format
from app.cli.remote.login import Access, open_client
from app.errors import ConfigurationError, CredentialError, SynclineError
from tests.unit.client.scripted import Asked, reply, serving

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VARIABLES = {"OS_USERNAME": "ana", "OS_PASSWORD": "sesame-77", "OS_PROJECT_NAME": "images"}
CLOUDS = """\
clouds:
  lab:
    region_name: Burgos
    auth:
      auth_url: {url}
      username: clara
      password: sesame-88
      project_name: images
"""


def keystone(url: str) -> dict[str, object]:
    """A token whose catalogue has the service, at the same address, in two regions."""
    endpoints = [
        {"interface": interface, "region": region, "region_id": region, "url": f"{url}/{region}-{interface}"}
        for region in ("Burgos", "Caceres")
        for interface in ("public", "internal")
    ]
    project = {"id": "p", "name": "images", "domain": {"id": "default", "name": "Default"}}
    return {
        "token": {
            "methods": ["password"],
            "expires_at": "2126-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "ana", "domain": project["domain"]},
            "project": project,
            "roles": [],
            "catalog": [{"type": "sync", "name": "syncline", "id": "1", "endpoints": endpoints}],
        }
    }


def asked_with(
    access: Access, environ: Mapping[str, str], folder: Path, session: Session | None = None
) -> list[Asked]:
    """What Keystone and the service are asked when the regions are listed. ``{url}`` stands for both."""
    with serving() as server:
        texts = {name: value.format(url=server.url) for name, value in environ.items()}
        (folder / "clouds.yaml").write_text(CLOUDS.format(url=f"{server.url}/v3"), encoding="utf-8")
        address = access.endpoint and access.endpoint.format(url=server.url)
        client = open_client(
            Access(address, access.cloud, access.noauth), texts, folder, session or Session()
        )
        token = reply(keystone(server.url), 201, x_subject_token="token-1")
        server.left = [*([] if is_noauth(client) else [token]), reply({"regions": []})]
        client.regions()
        assert server.left == []
        return server.asked


def is_noauth(client: Client) -> bool:
    """Whether the client asks no Keystone."""
    return isinstance(client._transport._adapter.session.auth, NoAuth)


LOGIN = VARIABLES | {"OS_AUTH_URL": "{url}/v3"}


@pytest.mark.parametrize(
    ("access", "environ", "paths"),
    [
        pytest.param(Access("{url}"), {}, ["/regions"], id="endpoint-alone"),
        pytest.param(Access("{url}", noauth=True), LOGIN, ["/regions"], id="no-token-wanted"),
        pytest.param(Access("{url}"), LOGIN, ["/v3/auth/tokens", "/regions"], id="endpoint-and-login"),
        pytest.param(Access(), LOGIN, ["/v3/auth/tokens", "/Burgos-public/regions"], id="catalogue"),
        pytest.param(
            Access(), LOGIN | {"OS_REGION_NAME": "Caceres", "OS_INTERFACE": "internal"},
            ["/v3/auth/tokens", "/Caceres-internal/regions"], id="region-and-interface",
        ),
        pytest.param(Access(cloud="lab"), {}, ["/v3/auth/tokens", "/Burgos-public/regions"], id="os-cloud"),
        pytest.param(
            Access(), {"OS_CLOUD": "lab"}, ["/v3/auth/tokens", "/Burgos-public/regions"],
            id="os-cloud-variable",
        ),
    ],
)  # fmt: skip
def test_where_the_service_is_found(
    tmp_path: Path, access: Access, environ: dict[str, str], paths: list[str]
) -> None:
    """An address, the OS_* variables or an entry of clouds.yaml lead to the service."""
    asked = asked_with(access, environ, tmp_path)
    assert [request.path for request in asked] == paths
    token = asked[-1].headers.get("X-Auth-Token")
    assert token == ("token-1" if len(paths) > 1 else "notused")


def test_named_cloud_beats_the_variables(tmp_path: Path) -> None:
    """Who names an entry of clouds.yaml logs in as that entry says."""
    session = Session()
    asked = asked_with(Access(cloud="lab"), LOGIN, tmp_path, session)
    user = asked[0].body["auth"]["identity"]["password"]["user"]
    assert (user["name"], user["password"]) == ("clara", "sesame-88")
    assert "sesame-88" in session.secrets


@pytest.mark.parametrize(
    ("access", "environ", "said"),
    [
        pytest.param(Access(), {}, "OS_AUTH_URL", id="nothing"),
        pytest.param(Access(), {"OS_AUTH_URL": "http://k/v3"}, "OS_USERNAME, OS_PASSWORD", id="half"),
        pytest.param(Access(cloud="nowhere"), {}, "nowhere", id="no-such-cloud"),
    ],
)
def test_missing_credentials_are_named(
    tmp_path: Path, access: Access, environ: dict[str, str], said: str
) -> None:
    """What is missing is named, as the variable that it can be given in."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS.format(url="http://k/v3"), encoding="utf-8")
    with pytest.raises(CredentialError, match=said) as caught:
        open_client(access, environ, tmp_path, Session())
    assert caught.value.remedy


def refused(kind: type[StatusError], status: int, code: str = "") -> SyncClientError:
    """A refusal of the service."""
    return kind(Refusal(status, "no", code, "req-1"))


@pytest.mark.parametrize(
    ("error", "kind", "exit_code"),
    [
        pytest.param(EndpointError("x"), ConfigurationError, 1, id="endpoint"),
        pytest.param(UnreachableError("x"), errors.UnreachableError, 1, id="unreachable"),
        pytest.param(TimedOutError("x"), errors.RemoteTimeoutError, 1, id="time"),
        pytest.param(AnswerError("x"), errors.BadAnswerError, 1, id="answer"),
        pytest.param(SyncClientError("x"), errors.RemoteError, 1, id="other"),
        pytest.param(refused(RequestError, 422), errors.UsageError, 2, id="request"),
        pytest.param(refused(UnauthenticatedError, 401), errors.AuthenticationError, 1, id="401"),
        pytest.param(refused(ForbiddenError, 403), errors.ForbiddenError, 1, id="403"),
        pytest.param(refused(NotFoundError, 404), errors.NotFoundError, 1, id="404"),
        pytest.param(
            refused(NotFoundError, 404, "unknown_region"), errors.UnknownRegionError, 2, id="region"
        ),
        pytest.param(refused(RequestError, 400, "unknown_region"), errors.UnknownRegionError, 2, id="legacy"),
        pytest.param(refused(ConflictError, 409), errors.ConflictError, 1, id="409"),
        pytest.param(refused(ConflictError, 409, "busy"), errors.BusyError, 3, id="busy"),
        pytest.param(
            refused(RequestError, 422, "idempotency_mismatch"), errors.IdempotencyError, 2, id="key"
        ),
        pytest.param(refused(UnavailableError, 503), errors.RemoteFaultError, 1, id="503"),
        pytest.param(refused(ServerError, 500), errors.RemoteError, 1, id="500"),
    ],
)
def test_failures_have_the_house_exit_codes(
    error: SyncClientError, kind: type[SynclineError], exit_code: int
) -> None:
    """Over REST a failure ends the program with the code that it has on the spot."""
    ours = house_error(error)
    assert (type(ours), ours.exit_code) == (kind, exit_code)
    assert ours.what == str(error)


REGION = RegionSummary("t2:Madrid", {"pending_upload": 1, "ok": 2}, NOON, None, "down\nnow", "t1")
TASK = Task("t1", "failed", "t2:Madrid", "sync", "lost", counts={"ok": 1}, created_at=NOON)


@pytest.mark.parametrize(
    ("answer", "columns", "line"),
    [
        (
            REGION,
            forms.REGION_COLUMNS,
            f"t2:Madrid\tok=2,pending_upload=1\t{NOON.isoformat()}\t-\tt1\tdown\\nnow",
        ),
        (Image("a b", "ok", "1", None, "active", 5), forms.IMAGE_COLUMNS, "a b\tok\tactive\t5\t1\t-"),
        (TASK, forms.TASK_COLUMNS, f"t1\tt2:Madrid\tsync\tfailed\t{NOON.isoformat()}\t-\tlost"),
        (TaskItem("a", "ok", "ok", "unchanged"), forms.ITEM_COLUMNS, "a\tok\tok\tunchanged\t0\t0\t-\t-"),
    ],
    ids=["region", "image", "task", "item"],
)
def test_lists_in_every_form(
    capsys: pytest.CaptureFixture[str], answer: forms.Answer, columns: tuple[str, ...], line: str
) -> None:
    """A row is a line of values for scripts, a JSON object for programs, a row of a table for people."""
    found = forms.listing([answer], columns)
    forms.show_listing(Output(), Format.VALUE, "remote x", "rows", found)
    assert capsys.readouterr().out == f"{line}\n"
    forms.show_listing(Output(), Format.JSON, "remote x", "rows", found)
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["command"]) == (1, "remote x")
    assert document["rows"] == [forms.record(answer)]
    forms.show_listing(Output(), Format.TABLE, "remote x", "rows", found)
    table = capsys.readouterr().out
    assert all(column in table for column in columns)
    assert all(value in table for value in line.split("\t"))


@pytest.mark.parametrize(
    ("form", "said"),
    [(Format.VALUE, "t1\tfailed\n"), (Format.JSON, '"reason": "lost"'), (Format.TABLE, "lost")],
    ids=str,
)
def test_one_task_in_every_form(capsys: pytest.CaptureFixture[str], form: Format, said: str) -> None:
    """A single task is shown in the form asked for."""
    forms.show_task(Output(), form, "remote task", TASK)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("started", {"items": 2, "bytes": 9}, "2 images, 9 bytes to bring"),
        ("item_started", {"name": "a", "status": "pending_upload"}, "a: pending_upload"),
        ("progress", {"name": "a", "sent_bytes": 5}, "a: 5 bytes sent"),
        ("item_finished", {"name": "a", "result": "done", "status": "ok", "error": None}, "a: done, ok"),
        ("item_finished", {"name": "a", "result": "failed", "status": "x", "error": "e"}, "a: failed, x (e)"),
        ("notice", {"level": "WARNING", "message": "m"}, "WARNING:m"),
        ("task", {"items_done": 1, "items_total": 2}, "1 of 2 images"),
        ("ended", {"status": "synced", "reason": None}, "synced"),
        ("ended", {"status": "failed", "reason": "lost"}, "failed: lost"),
        ("later", {"a": 1}, 'later {"a": 1}'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_events_in_words(
    capsys: pytest.CaptureFixture[str], kind: str, data: dict[str, object], line: str
) -> None:
    """Whoever follows a task reads what happens in it; programs get the event itself, one per line."""
    event = Event(kind, data, "7")
    forms.show_event(Output(), Format.TABLE, "B", event)
    assert capsys.readouterr().out == f"B: {line}\n"
    forms.show_event(Output(), Format.JSON, "B", event)
    assert json.loads(capsys.readouterr().out) == {"id": "7", "event": kind, "region": "B", "data": data}


HEAVY = ("keystoneauth1", "requests", "rich", "syncline_client", "yaml")


@pytest.mark.parametrize("arguments", [["--help"], ["remote", "--help"]], ids=["program", "remote"])
def test_help_loads_no_client(arguments: list[str]) -> None:
    """The help of the program and of remote answers at once: neither client nor keystoneauth is loaded."""
    code = (
        "import sys\nfrom app.cli.main import cli\n"
        f"try: cli({arguments!r})\nexcept SystemExit: pass\n"
        f"sys.stderr.write(','.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert "Commands:" in done.stdout
    assert done.stderr == ""


def test_client_of_the_checkout_is_found(tmp_path: Path) -> None:
    """``run.py`` of a checkout needs no installed client, wherever it is called from."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "remote", "start", "--help"],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "--idempotency-key" in done.stdout
