"""Without authentication: this machine only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app import create_app
from app.errors import ConfigurationError
from app.settings import ApiSettings
from tests.functional.api.site import Site, service_settings


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "sync.example"])
def test_it_refuses_to_bind_to_anything_but_loopback(tmp_path: Path, host: str) -> None:
    """An application without authentication is not even made for an address that others reach."""
    settings = dataclasses.replace(service_settings(tmp_path, ""), api=ApiSettings(host=host))
    with pytest.raises(ConfigurationError, match="loopback"):
        create_app(settings)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("192.0.2.1", 403),
        ("::ffff:192.0.2.1", 403),
        ("", 403),
    ],
)
def test_only_this_machine_is_served(small_site: Site, address: str, status: int) -> None:
    """Requests from elsewhere answer 403, however they came in."""
    answer = small_site.client.get("/regions", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8080"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
    ids=str,
)
def test_pages_of_other_sites_are_not_served(small_site: Site, headers: dict[str, str], status: int) -> None:
    """A page in a local browser can neither reach us under its own name nor from across sites."""
    assert small_site.client.post("/regions/Burgos", headers=headers).status_code == status
    assert len(small_site.get("/tasks").json["tasks"]) == (status == 200)
