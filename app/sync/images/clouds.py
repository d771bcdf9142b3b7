"""From the word on the command line to the regions it means."""

from __future__ import annotations

from pathlib import Path

from app.errors import UsageError
from app.sync.images.conf.model import Settings
from app.sync.images.stores.base import Cloud

OPENSTACK = "openstack"


def needs_credentials(spec: str) -> bool:
    """Whether this kind of cloud is reached with a Keystone credential."""
    return spec == OPENSTACK


def open_cloud(spec: str, settings: Settings) -> Cloud:
    """The cloud that ``spec`` names: ``openstack``, ``directory:DIR`` or ``backup:DIR``.

    Raises:
        UsageError: the word is none of these, or the directory does not exist.

    """
    # The stores are imported here because the OpenStack libraries alone take half a second to load.
    kind, _, place = spec.partition(":")
    if kind == OPENSTACK and not place:
        from app.sync.images.stores.glance import OpenStackCloud

        return OpenStackCloud(settings)
    if kind not in ("directory", "backup") or not place:
        raise UsageError(
            f"unknown cloud {spec!r}", remedy="use openstack, directory:DIR or backup:DIR", where="--cloud"
        )
    folder = Path(place)
    if not folder.is_dir():
        raise UsageError(f"{place} is not a directory", where="--cloud")
    if kind == "directory":
        from app.sync.images.stores.directory import DirectoryCloud

        return DirectoryCloud(folder, settings)
    from app.sync.images.stores.backup import BackupCloud

    return BackupCloud(folder, settings)
