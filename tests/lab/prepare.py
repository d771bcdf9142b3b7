"""Files, sockets and records of a lab that is about to start."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.lab.configs import PASTE, glance_conf, keystone_conf
from tests.lab.description import Account, ApplicationCredential, Federation, Region
from tests.lab.plan import ACCOUNTS, ADMIN, FederationPlan, RegionPlan

HOST = "127.0.0.1"
GLANCE_PASSWORD = next(account.password for account in ACCOUNTS if account.name == "glance")


@dataclass(frozen=True, slots=True)
class Service:
    """One gunicorn to start: which application, where, with what in its environment."""

    name: str
    application: str
    directory: Path
    listener: socket.socket
    url: str
    environment: dict[str, str]
    probe: str


def listen() -> tuple[socket.socket, str]:
    """A listening socket on a free port, and its address. It is handed on open: nobody can take the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, 0))
    listener.listen(128)
    return listener, f"http://{HOST}:{listener.getsockname()[1]}"


def prepare_federation(home: Path, template: Path, plan: FederationPlan) -> tuple[list[Service], Federation]:
    """Everything that one federation needs, short of running it."""
    keystone = _prepare_keystone(home, template, plan)
    glances = [_prepare_glance(home, template, region, keystone.url) for region in plan.regions]
    urls = {region.name: glance.url for region, glance in zip(plan.regions, glances, strict=True)}
    _write_catalog(keystone.directory / "keystone.db", keystone.url, urls)
    made = json.loads((template / f"{plan.target}.json").read_text(encoding="utf-8"))
    federation = Federation(
        target=plan.target,
        auth_url=keystone.url,
        directory=keystone.directory,
        regions=tuple(
            Region(
                region.name, plan.target, glance.url, glance.directory, region.stores, region.import_methods
            )
            for region, glance in zip(plan.regions, glances, strict=True)
        ),
        accounts=tuple(
            Account(
                name=account.name,
                password=account.password,
                project=account.project,
                auth_url=keystone.url,
                **made["accounts"][account.name],
            )
            for account in (ADMIN, *ACCOUNTS)
        ),
        application_credential=ApplicationCredential(**made["application_credential"]),
    )
    return [keystone, *glances], federation


def _prepare_keystone(home: Path, template: Path, plan: FederationPlan) -> Service:
    directory = home / f"keystone-{plan.target}"
    directory.mkdir(parents=True)
    for keys in ("fernet", "credential"):
        shutil.copytree(template / plan.target / keys, directory / keys)
    database = directory / "keystone.db"
    shutil.copyfile(template / f"{plan.target}.db", database)
    conf = directory / "keystone.conf"
    conf.write_text(keystone_conf(directory, database, directory), encoding="utf-8")
    listener, url = listen()
    environment = {"OS_KEYSTONE_CONFIG_FILES": str(conf)}
    return Service(f"keystone-{plan.target}", "keystone_app", directory, listener, url, environment, "/v3")


def _prepare_glance(home: Path, template: Path, plan: RegionPlan, auth_url: str) -> Service:
    directory = home / f"glance-{plan.name}"
    for part in ("staging", "tasks", "cache", *(f"stores/{store}" for store in plan.stores or ("main",))):
        (directory / part).mkdir(parents=True)
    shutil.copyfile(template / "glance.db", directory / "glance.db")
    listener, url = listen()
    conf = glance_conf(directory, plan, url, auth_url, GLANCE_PASSWORD)
    (directory / "glance-api.conf").write_text(conf, encoding="utf-8")
    (directory / "glance-api-paste.ini").write_text(PASTE, encoding="utf-8")
    environment = {"OS_GLANCE_CONFIG_DIR": str(directory)}
    return Service(f"glance-{plan.name}", "glance_app", directory, listener, url, environment, "/")


def _write_catalog(database: Path, auth_url: str, image_urls: dict[str, str]) -> None:
    """Put the addresses of this run into the catalogue."""
    with closing(sqlite3.connect(database)) as connection, connection:
        services = dict(connection.execute("SELECT type, id FROM service"))
        change = "UPDATE endpoint SET url = ? WHERE service_id = ?"
        connection.execute(change, (f"{auth_url}/v3", services["identity"]))
        for region, url in image_urls.items():
            connection.execute(f"{change} AND region_id = ?", (url, services["image"], region))
