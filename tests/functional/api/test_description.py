"""The API's own description, and the API held against it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api import description
from app.schema import upgrade
from app.settings import AuthSettings
from app.sync.region_state import UNMANAGED, KnownItem
from tests.functional.api.site import Site, outcome, service_settings

MANIFEST = description.ASSETS / "swagger-ui" / "manifest.json"
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
EVENTS = ("/regions/{region}/tasks/{task_id}/events", "get")
OPERATIONS = {
    ("/", "get"),
    ("/regions", "get"),
    ("/regions/{region}", "get"),
    ("/regions/{region}", "post"),
    ("/regions/{region}/tasks", "get"),
    ("/regions/{region}/tasks/{task_id}", "get"),
    ("/regions/{region}/tasks/{task_id}", "delete"),
    ("/regions/{region}/tasks/{task_id}/cancel", "post"),
    EVENTS,
    ("/tasks", "get"),
}

WITHOUT_INPUT = {
    ("/", "get"),
    ("/regions/{region}/tasks/{task_id}", "delete"),
    ("/regions/{region}/tasks/{task_id}/cancel", "post"),
}
"""Nothing wrong can be sent to these: they read neither query nor body."""

ATTEMPTS = [
    (*operation, mode)
    for operation in sorted(OPERATIONS - {EVENTS})
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation not in WITHOUT_INPUT
]


def test_the_description_names_every_resource(small_site: Site) -> None:
    """GET /openapi.json is an OpenAPI 3.1 document with every operation, summarised."""
    document = small_site.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    operations = {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    assert set(operations) == OPERATIONS
    assert all(operation["summary"] for operation in operations.values())
    assert all("default" in operation["responses"] for operation in operations.values())


def test_every_route_of_the_api_is_described(small_site: Site) -> None:
    """No resource of the API is missing from its description."""
    own = {"service", "regions", "tasks", "events"}
    rules = {
        rule.rule.replace("<", "{").replace(">", "}")
        for rule in small_site.app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in own
    }
    assert rules == set(small_site.get("/openapi.json").json["paths"])


def test_its_schemas_are_schemas(small_site: Site) -> None:
    """Every schema in the document is a valid one of JSON Schema 2020-12."""
    for schema in small_site.get("/openapi.json").json["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_tokens_are_described_where_they_are_needed(tmp_path: Path) -> None:
    """With Keystone the description says that a token goes into X-Auth-Token."""
    settings = service_settings(tmp_path, "")
    auth = AuthSettings(
        keystone_url="http://127.0.0.1:9",
        service_username="s",
        service_password="p",
        service_project_name="p",
    )
    site = Site.open(dataclasses.replace(settings, auth=auth))
    document = site.get("/openapi.json").json
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["in"], scheme["name"]) == ("header", "X-Auth-Token")
    assert document["security"]
    site.close()


def test_only_the_document_and_the_root_need_no_token(tmp_path: Path) -> None:
    """Without a token every resource but GET / answers 401 and names the Keystone to ask."""
    settings = service_settings(tmp_path, "")
    auth = AuthSettings(
        keystone_url="http://127.0.0.1:9/v2.0",
        service_username="s",
        service_password="p",
        service_project_name="p",
    )
    site = Site.open(dataclasses.replace(settings, auth=auth))
    for path, method in OPERATIONS - {("/", "get")}:
        answer = site.client.open(path.format(region="Burgos", task_id="x"), method=method.upper())
        assert (answer.status_code, answer.json["error"]["title"]) == (401, "Unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://127.0.0.1:9/v3"'
    for path in ("/", "/openapi.json", "/docs/api"):
        assert site.get(path, X_Auth_Token="whatever").status_code == 200
    assert site.client.options("/regions").status_code == 200
    site.close()


class TestPage:
    """The page to read the API and to try it out."""

    def test_the_page_loads_nothing_from_elsewhere(self, small_site: Site) -> None:
        """The page and its policy name no foreign host, and all its parts are served."""
        answer = small_site.get("/docs/api")
        assert answer.mimetype == "text/html"
        assert "http" not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        for name in ("/docs/api/page.js", "/docs/api/swagger-ui/swagger-ui.css", "/openapi.json"):
            assert small_site.get(name).status_code == 200
        assert "<script>" not in answer.text

    def test_the_vendored_files_are_those_of_the_manifest(self) -> None:
        """What is vendored is what its manifest says, byte by byte."""
        manifest = json.loads(MANIFEST.read_text())
        files = {path.name: path for path in MANIFEST.parent.iterdir() if path != MANIFEST}
        assert {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
        } == manifest["sha256"]

    @pytest.mark.parametrize("name", ["../page.html", "%2e%2e/page.html", "nothing.js", "..%2f..%2fparts.py"])
    def test_nothing_else_is_served(self, small_site: Site, name: str) -> None:
        """No other file can be reached through the page's folder."""
        assert small_site.get(f"/docs/api/swagger-ui/{name}").status_code in (404, 308)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service that has something to show."""
    home = tmp_path_factory.mktemp("described")
    settings = service_settings(home, "")
    upgrade(settings.database_url)
    site = Site.open(settings)
    site.knows(
        "Burgos", KnownItem("a", "ok", "active", 5, ("tags",), None, "m", "b"), KnownItem("b", UNMANAGED)
    )
    task_id = site.start("Burgos")
    site.works(task_id, [outcome("Burgos", "a")])
    site.ends(task_id)
    yield site
    site.close()


@pytest.mark.parametrize(("path", "method", "mode"), ATTEMPTS, ids=str)
def test_the_api_keeps_to_its_description(
    lived_in: Site, path: str, method: str, mode: GenerationMode
) -> None:
    """Whatever is sent, answers have a described status, type and form, and none is an internal error."""
    document = schemathesis.openapi.from_wsgi("/openapi.json", lived_in.app)

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        if "region" in case.path_parameters:
            case.path_parameters["region"] = "Burgos"
        answer = case.call()
        assert answer.status_code < 500
        case.validate_response(answer, checks=CHECKS)

    check()
