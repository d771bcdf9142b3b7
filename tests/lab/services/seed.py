"""Fill a fresh Keystone database. Runs in the lab's environment; talks to Keystone's own WSGI application.

Usage: ``python seed.py PLAN.json`` with ``OS_KEYSTONE_CONFIG_FILES`` set; prints the ids as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

UNKNOWN_URL = "http://127.0.0.1:1/"


class Keystone:
    """Just enough of the v3 API to create things."""

    def __init__(self, password: str) -> None:
        from keystone.wsgi.api import application
        from werkzeug.test import Client

        self._client = Client(application)
        self._headers: dict[str, str] = {}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        _, token = self.login({"name": "admin", "domain": {"id": "default"}, "password": password}, scope)
        self._headers = {"X-Auth-Token": token}

    def login(self, user: dict[str, Any], scope: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """A token by password: its description and itself."""
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = self._client.post("/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        self._check(answer)
        return answer.get_json()["token"], answer.headers["X-Subject-Token"]

    def create(self, kind: str, **fields: Any) -> dict[str, Any]:
        """POST one resource, e.g. ``create("project", name="x")``."""
        answer = self._client.post(f"/v3/{kind}s", json={kind: fields}, headers=self._headers)
        self._check(answer)
        return dict(answer.get_json()[kind])

    def ids(self, kind: str) -> dict[str, str]:
        """Name -> id of all resources of a kind."""
        answer = self._client.get(f"/v3/{kind}s", headers=self._headers)
        self._check(answer)
        return {entry["name"]: entry["id"] for entry in answer.get_json()[f"{kind}s"]}

    def put(self, path: str) -> None:
        """Make an assignment."""
        self._check(self._client.put(path, headers=self._headers))

    def post_as(self, token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST as somebody else than the administrator."""
        answer = self._client.post(path, json=body, headers={"X-Auth-Token": token})
        self._check(answer)
        return dict(answer.get_json())

    @staticmethod
    def _check(answer: Any) -> None:
        if answer.status_code >= 400:
            raise SystemExit(f"Keystone answered {answer.status}: {answer.get_data(as_text=True)}")


def create_catalog(keystone: Keystone, regions: list[str]) -> None:
    """Services and endpoints; the addresses are set at each start of the lab."""
    image = keystone.create("service", type="image", name="glance")["id"]
    identity = keystone.create("service", type="identity", name="keystone")["id"]
    for region in regions:
        keystone.create("region", id=region)
    for region in regions:
        for interface in ("public", "internal", "admin"):
            for service in (image, identity):
                keystone.create(
                    "endpoint", service_id=service, interface=interface, region_id=region, url=UNKNOWN_URL
                )


def create_accounts(keystone: Keystone, accounts: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Users, projects and roles: account name -> its ids."""
    roles = keystone.ids("role")
    projects = keystone.ids("project")
    made = {"admin": {"user_id": keystone.ids("user")["admin"], "project_id": projects["admin"]}}
    for account in accounts:
        project = account["project"]
        if project and project not in projects:
            projects[project] = keystone.create("project", name=project, domain_id="default")["id"]
        user = keystone.create(
            "user", name=account["name"], password=account["password"], domain_id="default"
        )["id"]
        for role in account["roles"]:
            keystone.put(f"/v3/projects/{projects[project]}/users/{user}/roles/{roles[role]}")
        made[account["name"]] = {"user_id": user, "project_id": projects.get(project, "")}
    return made


def create_application_credential(
    keystone: Keystone, account: dict[str, Any], ids: dict[str, str]
) -> dict[str, str]:
    """An application credential without end for one account: its id, name and secret."""
    _, token = keystone.login(
        {"id": ids["user_id"], "password": account["password"]}, {"project": {"id": ids["project_id"]}}
    )
    path = f"/v3/users/{ids['user_id']}/application_credentials"
    body = {"application_credential": {"name": "lab", "secret": "lab-application-secret"}}
    made = keystone.post_as(token, path, body)["application_credential"]
    return {"id": made["id"], "name": made["name"], "secret": made["secret"]}


def main() -> None:
    """Read the plan, fill the database, print the ids."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    del sys.argv[1:]
    keystone = Keystone(plan["admin_password"])
    create_catalog(keystone, plan["regions"])
    ids = create_accounts(keystone, plan["accounts"])
    syncer = plan["accounts"][0]
    credential = create_application_credential(keystone, syncer, ids[syncer["name"]])
    sys.stdout.write(json.dumps({"accounts": ids, "application_credential": credential}) + "\n")


if __name__ == "__main__":
    main()
