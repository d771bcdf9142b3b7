"""Databases that are made once and copied at each start: migrated schemas, users, catalogue, token keys."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.lab.configs import database, keystone_conf
from tests.lab.places import SERVICES, LabError, lab_venv, template_directory
from tests.lab.plan import ACCOUNTS, ADMIN, FEDERATIONS, FederationPlan

BUILD_LIMIT_SECONDS = 180


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Exclusive among processes; the kernel frees it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure_template() -> Path:
    """The folder of prepared databases; built on first use, by one process while others wait."""
    target = template_directory()
    if target.is_dir():
        return target
    with file_lock(target.parent / "template.lock"):
        if not target.is_dir():
            _remove_old(target.parent)
            _build(target)
    return target


def _remove_old(parent: Path) -> None:
    for old in parent.glob("template-*"):
        shutil.rmtree(old, ignore_errors=True)


def _build(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="building-", dir=target.parent) as name:
        work = Path(name) / "template"
        work.mkdir()
        with ThreadPoolExecutor(4) as pool:
            schemas = [pool.submit(_migrate_keystone, work), pool.submit(_migrate_glance, work)]
            for schema in schemas:
                schema.result()
            seeds = [pool.submit(_seed, work, federation) for federation in FEDERATIONS]
            for seed in seeds:
                seed.result()
        (work / "keystone.db").unlink()
        for path in work.glob("*.db"):
            _use_write_ahead_log(path)
        work.rename(target)


def _run(arguments: list[str], **environment: str) -> str:
    """Run a program of the lab's environment; its output. ``LabError`` with its last words."""
    command = [str(lab_venv() / "bin" / arguments[0]), *arguments[1:]]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{arguments[0]} did not end within {BUILD_LIMIT_SECONDS} s") from error
    if done.returncode:
        raise LabError(f"{' '.join(arguments)} failed: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _migrate_keystone(work: Path) -> None:
    conf = work / "keystone-migrate.conf"
    conf.write_text(keystone_conf(work, work / "keystone.db", work / "keys"), encoding="utf-8")
    _run(["keystone-manage", "--config-file", str(conf), "db_sync"])


def _migrate_glance(work: Path) -> None:
    conf = work / "glance-migrate.conf"
    lines = ["[DEFAULT]", f"log_file = {work / 'glance.log'}", *database(work / "glance.db"), ""]
    conf.write_text("\n".join(lines), encoding="utf-8")
    _run(["glance-manage", "--config-file", str(conf), "db_sync"])


def _seed(work: Path, federation: FederationPlan) -> None:
    """A Keystone database with users and catalogue, its token keys and the ids of what was made."""
    home = work / federation.target
    home.mkdir()
    _make_keys(home)
    shutil.copyfile(work / "keystone.db", work / f"{federation.target}.db")
    conf = home / "keystone.conf"
    conf.write_text(keystone_conf(home, work / f"{federation.target}.db", home), encoding="utf-8")
    bootstrap = ["bootstrap", "--bootstrap-password", ADMIN.password]
    _run(["keystone-manage", "--config-file", str(conf), *bootstrap])
    plan = home / "plan.json"
    plan.write_text(json.dumps(_seed_plan(federation)), encoding="utf-8")
    script = str(SERVICES / "seed.py")
    made = _run(["python", script, str(plan)], OS_KEYSTONE_CONFIG_FILES=str(conf))
    (work / f"{federation.target}.json").write_text(made.splitlines()[-1], encoding="utf-8")


def _seed_plan(federation: FederationPlan) -> dict[str, object]:
    accounts = [{**asdict(account), "password": account.password} for account in ACCOUNTS]
    return {
        "admin_password": ADMIN.password,
        "regions": [region.name for region in federation.regions],
        "accounts": accounts,
    }


def _make_keys(home: Path) -> None:
    """Two Fernet keys a repository, as ``keystone-manage fernet_setup`` writes them."""
    for kind in ("fernet", "credential"):
        repository = home / kind
        repository.mkdir(mode=0o700)
        for index in ("0", "1"):
            key = repository / index
            key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
            key.chmod(0o600)


def _use_write_ahead_log(path: Path) -> None:
    """Readers and a writer side by side; the mode is kept in the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("VACUUM")
