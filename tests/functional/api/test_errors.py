"""Every error in one body that all clients read."""

from __future__ import annotations

import dataclasses
import socket
from typing import Any

import pytest
import requests
import responses
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.session import Session
from openstack import exceptions as sdk_errors

from app.errors import OverloadedError, SynclineError
from tests.functional.api.site import Site

PROBLEM = "application/problem+json"
UNKNOWN = "5f1a2b3c-0000-11ee-8000-0242ac120002"
TASK = f"/regions/Burgos/tasks/{UNKNOWN}"
LARGE = {"data": b"x" * 70_000}

CASES: dict[str, tuple[str, str, dict[str, Any], int, str, str]] = {
    "route": ("GET", "/nothing", {}, 404, "Item not found: ", "not_found"),
    "trailing slash": ("GET", "/regions/Burgos/", {}, 404, "Item not found: ", "not_found"),
    "region": ("GET", "/regions/Nowhere", {}, 404, "Item not found: ", "unknown_region"),
    "task": ("GET", TASK, {}, 404, "Item not found: ", "not_found"),
    "method": ("PUT", "/regions/Burgos", {}, 405, "Bad method", "method_not_allowed"),
    "post on a task": ("POST", TASK, {}, 405, "Bad method", "method_not_allowed"),
    "bad json": (
        "POST",
        "/regions/Burgos",
        {"data": "{", "content_type": "application/json"},
        400,
        "Bad request",
        "usage_error",
    ),
    "media type": (
        "POST",
        "/regions/Burgos",
        {"data": "x"},
        415,
        "Unsupported Media Type",
        "unsupported_media_type",
    ),
    "marker": ("GET", f"/tasks?marker={UNKNOWN}", {}, 400, "Bad request", "usage_error"),
    "query": ("GET", "/tasks?limit=x", {}, 422, "Unprocessable Entity", "invalid_request"),
    "too large": ("POST", "/regions/Burgos", LARGE, 413, "Request Entity Too Large", "body_too_large"),
    "last event": (
        "GET",
        f"{TASK}/events",
        {"headers": {"Last-Event-ID": "x"}},
        400,
        "Bad request",
        "usage_error",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "message", "code"), CASES.values(), ids=CASES
)
def test_each_error_has_the_envelope_and_the_members_of_rfc_9457(
    small_site: Site, method: str, path: str, options: dict[str, Any], status: int, message: str, code: str
) -> None:
    """The original's message, code and description beside type, title, status, detail, instance."""
    answer = small_site.client.open(path, method=method, **options)
    body = answer.json
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert (body["error"]["message"], body["error"]["code"]) == (message, status)
    assert body["error"]["description"] == body["detail"] != ""
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:syncline:error:{code}"
    assert body["title"]
    assert body["instance"] == path.partition("?")[0]
    assert body["request_id"] == answer.headers["X-Openstack-Request-Id"]


def test_a_405_says_what_is_allowed(small_site: Site) -> None:
    """The header Allow names the verbs of the resource."""
    allowed = small_site.client.put("/regions/Burgos").headers["Allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/*", "application/json"),
        (PROBLEM, PROBLEM),
        (f"application/json, {PROBLEM}", PROBLEM),
        (f"{PROBLEM};q=0", "application/json"),
    ],
)
def test_the_problem_type_is_for_those_who_name_it(
    small_site: Site, accept: str | None, media_type: str
) -> None:
    """The media type is application/problem+json only when Accept names that."""
    answer = small_site.get("/nothing", **({"Accept": accept} if accept else {}))
    assert answer.mimetype == media_type
    assert answer.json["error"]["code"] == 404


def replayed(site: Site, path: str) -> tuple[responses.RequestsMock, str]:
    """A server that answers as the site does, for clients that want a connection."""
    answer = site.get(path)
    http = responses.RequestsMock()
    kept = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    http.get(
        "http://sync.example/x",
        body=answer.data,
        status=answer.status_code,
        headers=kept,
        content_type=answer.content_type,
    )
    return http, "http://sync.example/x"


def test_keystoneauth_reads_errors(small_site: Site) -> None:
    """A keystoneauth client raises its own error with our message and request id."""
    http, url = replayed(small_site, "/regions/Nowhere")
    with http, pytest.raises(keystone_errors.NotFound) as caught:
        Session().get(url, authenticated=False)
    assert caught.value.message.startswith("Item not found: ")
    assert str(caught.value.request_id).startswith("req-")


def test_openstacksdk_reads_errors(small_site: Site) -> None:
    """The SDK raises its own error with our message and request id."""
    http, url = replayed(small_site, "/regions/Nowhere")
    with http, pytest.raises(sdk_errors.NotFoundException) as caught:
        sdk_errors.raise_from_response(requests.get(url, timeout=5))
    assert caught.value.details == "Item not found: "
    assert caught.value.request_id.startswith("req-")


@pytest.fixture
def broken(small_site: Site) -> Site:
    """A site with a view that fails in a way nobody foresaw, and one that fails by design."""
    # Flask lets no route be added once a request was served, so the views stand in for existing ones.
    views = small_site.app.view_functions

    def unforeseen(**_: object) -> None:
        raise ZeroDivisionError("secret detail")

    def overloaded(**_: object) -> None:
        raise OverloadedError("too much")

    def internal(**_: object) -> None:
        raise SynclineError("secret detail")

    views["regions.Regions"], views["tasks.Tasks"], views["service.Service"] = (
        unforeseen,
        overloaded,
        internal,
    )
    return small_site


@pytest.mark.parametrize("path", ["/regions", "/"], ids=["unforeseen", "our own"])
def test_an_internal_failure_tells_no_details(
    broken: Site, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A 500 has the original's message, no description and a request id; the log has the details."""
    answer = broken.get(path)
    assert answer.status_code == 500
    assert answer.json["error"] == {"message": "Unhandled exception", "code": 500}
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
    assert answer.json["request_id"] == answer.headers["X-Openstack-Request-Id"]


def test_a_503_says_when_to_come_back(broken: Site) -> None:
    """Retry-After is on every 503."""
    answer = broken.get("/tasks")
    assert (answer.status_code, answer.json["error"]["message"]) == (503, "Service Unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_database_that_is_away_is_a_503(small_site: Site, method: str) -> None:
    """A PostgreSQL that does not listen answers 503 rather than 500; what needs no database works."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody@127.0.0.1:{held.getsockname()[1]}/none"
        store = dataclasses.replace(small_site.settings.service, database_url=url)
        lost = Site.open(dataclasses.replace(small_site.settings, service=store))
        answer = lost.client.open("/regions/Burgos", method=method)
        assert (answer.status_code, answer.json["code"]) == (503, "unreachable")
        assert int(answer.headers["Retry-After"]) > 0
        assert lost.get("/").status_code == 200
        lost.close()
