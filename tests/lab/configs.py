"""The text of the services' configuration files. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.lab.plan import RegionPlan

PASTE = """\
[composite:glance-api-keystone]
paste.composite_factory = glance.api:root_app_factory
/: api
[composite:api]
paste.composite_factory = glance.api:pipeline_factory
keystone = versionnegotiation authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
"""


def escape(value: object) -> str:
    """A value for oslo.config, where a dollar sign starts a reference."""
    return str(value).replace("$", "$$")


def database(path: Path) -> list[str]:
    """Lines of the section ``[database]``: wait for a lock, do not sync to disk."""
    return [
        "[database]",
        f"connection = sqlite:///{escape(path)}?timeout=60",
        "sqlite_synchronous = false",
        "max_pool_size = 20",
    ]


def keystone_conf(directory: Path, database_path: Path, keys: Path) -> str:
    """``keystone.conf`` of one federation."""
    return "\n".join(
        [
            "[DEFAULT]",
            f"log_file = {escape(directory / 'keystone.log')}",
            *database(database_path),
            "[fernet_tokens]",
            f"key_repository = {escape(keys / 'fernet')}",
            "[fernet_receipts]",
            f"key_repository = {escape(keys / 'fernet')}",
            "[credential]",
            f"key_repository = {escape(keys / 'credential')}",
            "[token]",
            "expiration = 86400",
            "[cache]",
            "backend = dogpile.cache.memory",  # a token check takes 10 ms instead of 100
            "[identity]",
            "password_hash_rounds = 4",
            "[oslo_policy]",
            "policy_file = none.yaml",
            "",
        ]
    )


def stores(directory: Path, region: RegionPlan) -> list[str]:
    """Lines that give a Glance its stores, staging area and task area."""
    staging = escape(directory / "staging")
    if not region.stores:
        return [
            "[glance_store]",
            "stores = file",
            "default_store = file",
            f"filesystem_store_datadir = {escape(directory / 'stores' / 'main')}",
        ]
    lines = ["[glance_store]", f"default_backend = {region.stores[0]}"]
    for store in region.stores:
        lines += [f"[{store}]", f"filesystem_store_datadir = {escape(directory / 'stores' / store)}"]
    lines += ["[os_glance_staging_store]", f"filesystem_store_datadir = {staging}"]
    lines += ["[os_glance_tasks_store]", f"filesystem_store_datadir = {escape(directory / 'tasks')}"]
    return lines


def glance_conf(directory: Path, region: RegionPlan, url: str, auth_url: str, password: str) -> str:
    """``glance-api.conf`` of one region."""
    head = [
        "[DEFAULT]",
        f"log_file = {escape(directory / 'glance.log')}",
        f"worker_self_reference_url = {url}",
        f"enabled_import_methods = [{','.join(region.import_methods)}]",
        "show_multiple_locations = false",
        "image_member_quota = 100",
        f"image_cache_dir = {escape(directory / 'cache')}",
    ]
    if region.stores:
        head.append("enabled_backends = " + ",".join(f"{store}:file" for store in region.stores))
    else:
        head.append(f"node_staging_uri = file://{escape(directory / 'staging')}/")
    return "\n".join(
        [
            *head,
            *database(directory / "glance.db"),
            *stores(directory, region),
            *_import_filter(),
            *_keystone(auth_url, password),
            "[paste_deploy]",
            "flavor = keystone",
            f"config_file = {escape(directory / 'glance-api-paste.ini')}",
            "[oslo_policy]",
            "policy_file = none.yaml",
            "",
        ]
    )


def _import_filter() -> Iterable[str]:
    """Loopback is refused unless it is listed; an empty port list allows the ports of test servers."""
    return (
        "[import_filtering_opts]",
        "allowed_schemes = [http]",
        "allowed_hosts = [127.0.0.1,localhost]",
        "allowed_ports = []",
    )


def _keystone(auth_url: str, password: str) -> Iterable[str]:
    return (
        "[keystone_authtoken]",
        f"www_authenticate_uri = {auth_url}",
        f"auth_url = {auth_url}",
        "auth_type = password",
        "username = glance",
        f"password = {escape(password)}",
        "user_domain_id = default",
        "project_name = service",
        "project_domain_id = default",
        "service_type = image",
        "token_cache_time = -1",  # so that a revoked token is refused at once
    )
