"""``GET /`` and what every answer carries."""

from __future__ import annotations

import json
import logging
import re

import pytest
import requests
import responses
from keystoneauth1.discover import Discover
from keystoneauth1.session import Session

from tests.functional.api.conftest import MakeSite
from tests.functional.api.site import Site

REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")
GLOBAL_ID = "req-0f8fad5b-d9cb-469f-a165-70867728950e"


def test_version_document_has_the_members_of_the_original_in_its_order(make_site: MakeSite) -> None:
    """GET / answers id, owner, status, version, updated, runningfrom and href with the settings' values."""
    site = make_site(owner="Us", version="1.7.0", api_info_url="https://docs.example/#", updated="2015-12-12")
    answer = site.get("/")
    members = json.loads(answer.data, object_pairs_hook=list)
    assert [name for name, _ in members][:7] == [
        "id", "owner", "status", "version", "updated", "runningfrom", "href",
    ]  # fmt: skip
    body = answer.json
    assert body["id"] == "v1.7.0"
    assert (body["owner"], body["status"], body["version"]) == ("Us", "SUPPORTED", "1.7.0")
    assert body["href"] == "https://docs.example/#"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", body["runningfrom"])
    assert answer.mimetype == "application/json"


def test_keystoneauth_discovers_the_api(small_site: Site) -> None:
    """A client that looks for versions the OpenStack way finds this one and its address."""
    with responses.RequestsMock() as http:
        http.get("http://sync.example:8080/", body=small_site.get("/").data, content_type="application/json")
        found = Discover(Session(), "http://sync.example:8080/", authenticated=False)
    assert found.url_for("1") == "http://sync.example:8080/"
    assert found.version_data()[0]["version"] == (1, 7, 0)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_verbs_are_refused_at_the_root(small_site: Site, method: str) -> None:
    """Only GET and HEAD are known at /; the 405 says so in Allow."""
    answer = getattr(small_site.client, method)("/")
    assert answer.status_code == 405
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))


def test_head_works_at_the_root(small_site: Site) -> None:
    """HEAD / answers like GET without a body."""
    answer = small_site.client.head("/", headers={"X-Auth-Token": ""})
    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/regions", "/regions/Nowhere", "/nothing", "/regions/Burgos/"])
def test_every_answer_carries_server_and_request_id(make_site: MakeSite, path: str) -> None:
    """The header Server has the configured value, and each answer has an id of its own."""
    site = make_site(server_header="Werkzeug")
    first, second = site.get(path), site.get(path)
    assert first.headers["Server"] == "Werkzeug"
    assert REQUEST_ID.fullmatch(first.headers["X-Openstack-Request-Id"])
    assert first.headers["X-Openstack-Request-Id"] != second.headers["X-Openstack-Request-Id"]


@pytest.mark.parametrize(
    ("sent", "logged"),
    [(GLOBAL_ID, GLOBAL_ID), ("req-1\r\nforged line", None), ("anything", None), (None, None)],
    ids=["id", "line break", "other text", "absent"],
)
def test_the_callers_own_id_is_logged_beside_ours(
    small_site: Site, caplog: pytest.LogCaptureFixture, sent: str | None, logged: str | None
) -> None:
    """An inbound request id is the global one and goes to the log, if it is one at all."""
    environ = {} if sent is None else {"HTTP_X_OPENSTACK_REQUEST_ID": sent}
    with caplog.at_level(logging.INFO, "app.api.requests"):
        answer = small_site.client.get("/", environ_overrides=environ)
    record = caplog.records[-1]
    assert record.request_id == answer.headers["X-Openstack-Request-Id"]  # type: ignore[attr-defined]
    assert record.global_request_id == logged  # type: ignore[attr-defined]


def test_no_log_line_can_be_forged_with_a_path(small_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Line breaks in a path reach the log as text."""
    with caplog.at_level(logging.INFO, "app.api.requests"):
        small_site.get("/regions/a%0d%0aforged")
    assert "\n" not in caplog.records[-1].getMessage()


def test_tokens_are_never_logged(small_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """What comes as X-Auth-Token is in no log line."""
    with caplog.at_level(logging.DEBUG):
        small_site.get("/regions", X_Auth_Token="gAAAAAB-secret")
    assert "gAAAAAB-secret" not in caplog.text


def test_requests_library_agrees_on_the_content_type(small_site: Site) -> None:
    """A plain HTTP client reads the body as UTF-8 JSON without being told."""
    with responses.RequestsMock() as http:
        answer = small_site.get("/")
        http.get("http://sync.example/", body=answer.data, content_type=answer.content_type)
        assert requests.get("http://sync.example/", timeout=5).json()["id"] == "v1.7.0"
