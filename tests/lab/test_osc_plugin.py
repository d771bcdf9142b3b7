"""``openstack sync ...`` and ``run.py remote`` with real Keystone tokens against a real service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from syncline_client import (
    Client,
    EndpointError,
    ForbiddenError,
    UnauthenticatedError,
)

from tests.functional.client.osc import install, openstack
from tests.functional.client.service import IMAGES, REGIONS, ROOT, Service, serving
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

MASTER = "Valladolid"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the client into."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def service(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over directories that asks the lab's Keystone about every token."""
    account = lab.account("glance")
    settings = {
        "SYNCLINE_AUTH_STRATEGY": "keystone",
        "SYNCLINE_KEYSTONE_URL": account.auth_url,
        "SYNCLINE_SERVICE_USERNAME": account.name,
        "SYNCLINE_SERVICE_PASSWORD": account.password,
        "SYNCLINE_SERVICE_PROJECT_NAME": account.project,
    }
    with serving(tmp_path_factory.mktemp("guarded"), worker=True, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def catalogued(lab: Lab, service: Service) -> Iterator[Service]:
    """The service in the lab's catalogue, as an operator registers it."""
    keystone = Adapter(lab.session("admin"), endpoint_override=f"{lab.account('admin').auth_url}/v3")
    made = keystone.post("/services", json={"service": {"type": "sync", "name": "syncline"}}).json()[
        "service"
    ]
    endpoint = {"service_id": made["id"], "interface": "public", "region_id": MASTER, "url": service.url}
    keystone.post("/endpoints", json={"endpoint": endpoint})
    yield service
    keystone.delete(f"/services/{made['id']}")


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clouds.yaml: an entry for each account."""
    folder = tmp_path_factory.mktemp("home")
    entries = {name: entry(lab, name) for name in ("syncer", "member")}
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entries}), encoding="utf-8")
    return folder


def entry(lab: Lab, account: str) -> dict[str, object]:
    """An account's entry of clouds.yaml."""
    who = lab.account(account)
    return {
        "region_name": MASTER,
        "auth": {
            "auth_url": f"{who.auth_url}/v3",
            "username": who.name,
            "password": who.password,
            "project_name": who.project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
    }


def rows(done: subprocess.CompletedProcess[str]) -> list[dict]:
    """What a successful call printed as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_openstack_command_with_clouds_yaml(installed: Path, home: Path, catalogued: Service) -> None:
    """With an entry of clouds.yaml, ``openstack sync`` finds the service and brings a region in line."""

    def call(*arguments: str) -> list[dict]:
        return rows(openstack(installed, home, "--os-cloud", "syncer", "sync", *arguments, "-f", "json"))

    assert {region["Name"] for region in call("region", "list")} == set(REGIONS)
    task: dict = call("region", "start", "Burgos", "--wait")  # type: ignore[assignment]
    assert (task["status"], task["region"], task["requester"]) == ("synced", "Burgos", "syncer")
    images = {image["Name"]: image["Status"] for image in call("region", "show", "Burgos")}
    assert images == dict.fromkeys(IMAGES, "ok")
    listed = call("task", "list", "--region", "Burgos", "--status", "synced")
    assert task["id"] in [row["ID"] for row in listed]
    shown: dict = call("task", "show", "Burgos", task["id"])  # type: ignore[assignment]
    assert shown["counts"] == "ok=2"
    refused = openstack(
        installed, home, "--os-cloud", "syncer", "sync", "task", "cancel", "Burgos", task["id"]
    )
    assert refused.returncode == 1
    assert "HTTP 409" in refused.stderr


def test_address_in_the_environment(lab: Lab, installed: Path, home: Path, service: Service) -> None:
    """OS_* variables and OS_SYNC_ENDPOINT do without clouds.yaml and without an entry in the catalogue."""
    environment = lab.openrc("syncer") | {"OS_SYNC_ENDPOINT": service.url}
    done = openstack(installed, home, "sync", "region", "list", "-f", "json", **environment)
    assert {region["Name"] for region in rows(done)} == set(REGIONS)


def test_refusals_are_told(lab: Lab, installed: Path, home: Path, service: Service) -> None:
    """An unknown region ends the command with the service's words and the id of the request."""
    environment = lab.openrc("syncer") | {"OS_SYNC_ENDPOINT": service.url}
    done = openstack(installed, home, "sync", "region", "show", "Nowhere", **environment)
    assert done.returncode == 1
    assert "Nowhere" in done.stderr
    assert "request req-" in done.stderr


def test_remote_with_a_real_token(home: Path, catalogued: Service) -> None:
    """``run.py remote --os-cloud`` logs in at Keystone, finds the service, and follows a task to its end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "run.py"),
            "remote",
            "start",
            "Caceres",
            "--follow",
            "--os-cloud",
            "member",
        ],
        cwd=home,
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Caceres: synced"


def test_roles_count(lab: Lab, service: Service) -> None:
    """A member may start and follow, but removing tasks takes the administrator's role."""
    member = Client(service.url, lab.session("member"))
    task = member.wait("other:Madrid", member.start("other:Madrid").id, timeout_seconds=60)
    assert task.status == "synced"
    with pytest.raises(ForbiddenError) as caught:
        member.delete("other:Madrid", task.id)
    assert caught.value.request_id
    Client(service.url, lab.session("syncer")).delete("other:Madrid", task.id)


def test_revoked_token_is_not_accepted(lab: Lab, service: Service) -> None:
    """A revoked token is a 401 of the service, told as such."""
    token = lab.token("syncer")
    lab.revoke(token)
    client = Client(service.url, Session(auth=Token(service.url, token)))
    with pytest.raises(UnauthenticatedError):
        client.regions()


def test_no_entry_in_the_catalogue(lab: Lab) -> None:
    """Where the catalogue has no service of type sync, that is what the error says."""
    with pytest.raises(EndpointError):
        Client(None, lab.session("other"), region_name="Caceres").regions()
