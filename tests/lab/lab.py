"""A running lab as tests and people use it."""

from __future__ import annotations

import base64
import datetime
import shutil
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

from keystoneauth1.identity.v3 import ApplicationCredential as ApplicationCredentialLogin
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from tests.lab.client import RegionClient
from tests.lab.description import Account, Description, Federation, Region
from tests.lab.plan import MASTER_REGION

Section = Mapping[str, object | None]
IMAGE_TABLES = (
    "image_locations",
    "image_members",
    "image_properties",
    "image_tags",
    "cached_images",
    "task_info",
    "tasks",
    "images",
)


@dataclass
class Lab:
    """Two federations with four regions: addresses, credentials, clients, configuration, clean-up."""

    description: Description
    _sessions: dict[tuple[str, str], Session] = field(default_factory=dict, repr=False)
    _clients: dict[tuple[str, str], RegionClient] = field(default_factory=dict, repr=False)

    @property
    def regions(self) -> dict[str, Region]:
        """All regions by full name (``Burgos``, ``federation2:Madrid``)."""
        return {region.full: region for entry in self.description.federations for region in entry.regions}

    def federation(self, target: str = "master") -> Federation:
        """One Keystone and what belongs to it."""
        return {entry.target: entry for entry in self.description.federations}[target]

    def account(self, name: str = "syncer", target: str = "master") -> Account:
        """A user: ``admin``, ``syncer``, ``other``, ``member`` or ``nobody``."""
        return self.federation(target).account(name)

    def session(self, account: str = "syncer", target: str = "master") -> Session:
        """A keystoneauth session, made once for each account."""
        key = (account, target)
        if key not in self._sessions:
            who = self.account(account, target)
            login = Password(
                f"{who.auth_url}/v3",
                username=who.name,
                password=who.password,
                project_name=who.project or None,
                user_domain_id="default",
                project_domain_id="default" if who.project else None,
            )
            self._sessions[key] = Session(auth=login, timeout=60)
        return self._sessions[key]

    def client(self, region: str = MASTER_REGION, account: str = "syncer") -> RegionClient:
        """Set up and look at one region (full name) as one account."""
        key = (region, account)
        if key not in self._clients:
            place = self.regions[region]
            self._clients[key] = RegionClient(place, self.session(account, place.target))
        return self._clients[key]

    def conf(self, sections: Mapping[str, Section] | None = None) -> str:
        """The text of a glancesync.conf for both federations.

        ``sections`` adds or replaces options: ``{"master": {"replace": "any"}}``; the value None removes one.
        """
        merged: dict[str, dict[str, object | None]] = {"main": {"master_region": MASTER_REGION}}
        for federation in self.description.federations:
            merged[federation.target] = {"credential": self.credential(target=federation.target)}
        for name, options in (sections or {}).items():
            merged.setdefault(name, {}).update(options)
        blocks = []
        for name, options in merged.items():
            lines = [f"{key} = {value}" for key, value in options.items() if value is not None]
            blocks.append("\n".join([f"[{name}]", *lines, ""]))
        return "\n".join(blocks)

    def credential(self, account: str = "syncer", target: str = "master") -> str:
        """The value of the option ``credential`` for an account."""
        who = self.account(account, target)
        password = base64.b64encode(who.password.encode()).decode()
        return f"{who.name},{password},{who.auth_url}/v3,{who.project}"

    def openrc(self, account: str = "syncer", target: str = "master") -> dict[str, str]:
        """The OS_* variables of an account."""
        who = self.account(account, target)
        return {
            "OS_AUTH_URL": f"{who.auth_url}/v3",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": who.name,
            "OS_PASSWORD": who.password,
            "OS_PROJECT_NAME": who.project,
            "OS_TENANT_NAME": who.project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": self.federation(target).regions[0].name,
        }

    def token(
        self, account: str = "syncer", target: str = "master", lifetime_seconds: int | None = None
    ) -> str:
        """A fresh token; with a lifetime it is bound to an application credential that ends by then."""
        who = self.account(account, target)
        session = self.session(account, target)
        if lifetime_seconds is None:
            # a session of its own: the shared one hands out the same token again and again
            login = Password(
                f"{who.auth_url}/v3", user_id=who.user_id, password=who.password, project_id=who.project_id
            )
            return str(Session(auth=login).get_token())
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lifetime_seconds)
        wanted = {"name": uuid.uuid4().hex, "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        made = session.post(
            f"{who.auth_url}/v3/users/{who.user_id}/application_credentials",
            json={"application_credential": wanted},
        ).json()["application_credential"]
        short = ApplicationCredentialLogin(
            f"{who.auth_url}/v3",
            application_credential_id=made["id"],
            application_credential_secret=made["secret"],
        )
        return str(Session(auth=short).get_token())

    def revoke(self, token: str, target: str = "master") -> None:
        """Make a token invalid at once, everywhere in its federation."""
        url = f"{self.federation(target).auth_url}/v3/auth/tokens"
        self.session("admin", target).delete(url, headers={"X-Subject-Token": token})

    def reset(self) -> None:
        """Remove every image of every region, behind Glance's back because that takes no time."""
        for region in self.regions.values():
            self._empty(region)

    @staticmethod
    def _empty(region: Region) -> None:
        database = region.directory / "glance.db"
        with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            for table in IMAGE_TABLES:
                connection.execute(f"DELETE FROM {table}")
            connection.execute("COMMIT")
        for kind in ("stores", "staging", "tasks"):
            for path in (region.directory / kind).rglob("*"):
                if path.is_dir() and path.parent.name != "stores":
                    shutil.rmtree(path, ignore_errors=True)
                elif path.is_file():
                    path.unlink(missing_ok=True)
