"""From options to a service: read the configuration, say what is odd about it, open the cloud."""

from __future__ import annotations

import dataclasses
import os

from app.cli.failures import Session
from app.cli.options import Common
from app.cli.output import Output
from app.sync.images.clouds import needs_credentials, open_cloud
from app.sync.images.conf import load
from app.sync.images.conf.model import Credential, Settings
from app.sync.images.stores.base import Cloud

MIN_SECRET_LENGTH = 4
"""Shorter texts stand in ordinary words; masking them would make a traceback unreadable."""


def secrets_of(credential: Credential) -> set[str]:
    """Values of the fields that the record itself hides."""
    values = (
        str(getattr(credential, field.name)) for field in dataclasses.fields(credential) if not field.repr
    )
    return {value for value in values if len(value) >= MIN_SECRET_LENGTH}


def _remember_secrets(session: Session, settings: Settings) -> None:
    for target in settings.targets.values():
        if target.credential is not None:
            session.secrets |= secrets_of(target.credential)


def read_settings(common: Common, output: Output) -> Settings:
    """The configuration in force; its warnings go to standard error.

    Raises:
        ConfigurationError: a file, option, override or credential is missing or wrong.

    """
    settings = load(
        common.config_file, common.overrides, os.environ, need_credentials=needs_credentials(common.cloud)
    )
    _remember_secrets(common.session, settings)
    for warning in settings.warnings:
        output.warn(warning)
    return settings


def open_images(common: Common, output: Output) -> tuple[Settings, Cloud]:
    """The configuration and the cloud that it, and ``--cloud``, name."""
    settings = read_settings(common, output)
    return settings, open_cloud(common.cloud, settings)
