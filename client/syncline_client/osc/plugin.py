"""What the openstack command line asks of a plugin: an API's name, its options, its client."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from syncline_client.api import Client

API_NAME = "sync"
API_VERSION_OPTION = "os_sync_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"
ENDPOINT_VARIABLE = "OS_SYNC_ENDPOINT"


def build_option_parser(parser: ArgumentParser) -> ArgumentParser:
    """Add the plugin's own options to those of every command."""
    parser.add_argument(
        "--os-sync-api-version",
        metavar="<sync-api-version>",
        default=os.environ.get("OS_SYNC_API_VERSION") or DEFAULT_API_VERSION,
        help=f"Sync API version, default: {DEFAULT_API_VERSION} (Env: OS_SYNC_API_VERSION)",
    )
    parser.add_argument(
        "--os-sync-endpoint",
        metavar="<sync-endpoint>",
        default=os.environ.get(ENDPOINT_VARIABLE) or None,
        help=f"Address of the sync service, in place of the catalogue's (Env: {ENDPOINT_VARIABLE})",
    )
    return parser


def make_client(instance: Any) -> Client:  # noqa: ANN401 - osc-lib's ClientManager, which has no types
    """The client of the commands, with the credential of the command line or of clouds.yaml.

    The address is that of ``--os-sync-endpoint`` or OS_SYNC_ENDPOINT, else ``sync_endpoint_override`` of
    the cloud's entry, else the catalogue's.
    """
    instance.setup_auth()
    config = instance.get_configuration()
    return Client(
        config.get("sync_endpoint") or config.get("sync_endpoint_override"),
        instance.session,
        region_name=instance.region_name or None,
        interface=instance.interface or "public",
    )
