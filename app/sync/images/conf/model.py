"""What a configuration means once it is read: frozen records without any syntax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from app.sync.images.condition import Condition


class ObsoleteMode(StrEnum):
    """How a retired image is marked in the regions (spec 6)."""

    RENAME = "rename"
    HIDE = "hide"
    BOTH = "both"


class VisibilityMode(StrEnum):
    """``public_only`` keeps the original's public / not public; ``exact`` copies the value (14.1)."""

    PUBLIC_ONLY = "public_only"
    EXACT = "exact"


class SetMode(StrEnum):
    """How a set (tags, members) follows the master's (14.2, 14.3)."""

    OFF = "off"
    MERGE = "merge"
    EXACT = "exact"


class SignaturePolicy(StrEnum):
    """What happens to a signature without a certificate mapping (14.7)."""

    DROP = "drop"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which master images a target wants and how its regions follow them. Pure values."""

    forcesyncs: frozenset[str] = frozenset()
    condition: Condition | None = None
    metadata_set: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()
    rename: frozenset[str] = frozenset()
    dontupdate: frozenset[str] = frozenset()
    only_tenant_images: bool = True
    modify_foreign: bool = False
    support_obsolete_images: bool = True
    obsolete_syncprops: frozenset[str] = frozenset()
    obsolete_mode: ObsoleteMode = ObsoleteMode.RENAME
    sync_visibility: VisibilityMode = VisibilityMode.PUBLIC_ONLY
    sync_hidden: bool = False
    sync_protected: bool = False
    unprotect: bool = False
    sync_deactivation: bool = False
    tags_mode: SetMode = SetMode.OFF
    members_mode: SetMode = SetMode.OFF
    project_map: Mapping[str, str] = field(default_factory=dict)
    certificate_map: Mapping[str, str] = field(default_factory=dict)
    signature_policy: SignaturePolicy = SignaturePolicy.DROP
    ignored_properties: tuple[str, ...] = ()
    stores: frozenset[str] = frozenset()
    provenance_properties: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """How to reach one Keystone. ``repr`` and ``str`` show no secret.

    Attributes:
        auth_url: with or without version; never the version 2 that is gone.
        auth_type: ``password``, ``v3applicationcredential`` or ``v3token``. A trust is a password (or
            token) with ``trust_id`` and without project. Names without any domain are in domain ``default``.

    """

    auth_url: str
    auth_type: str = "password"
    username: str = ""
    user_id: str = ""
    password: str = field(default="", repr=False)
    project_name: str = ""
    project_id: str = ""
    user_domain_name: str = ""
    user_domain_id: str = ""
    project_domain_name: str = ""
    project_domain_id: str = ""
    application_credential_id: str = ""
    application_credential_name: str = ""
    application_credential_secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    trust_id: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS options of one target (14.10)."""

    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One target section: who we are there, what we want there, how we go about it."""

    name: str
    policy: Policy
    credential: Credential | None = None
    tls: Tls = Tls()
    tenant_id: str = ""
    ignore_regions: frozenset[str] = frozenset()
    interface: str = "public"
    endpoint_override: Mapping[str, str] = field(default_factory=dict)
    transport: tuple[str, ...] = ("auto",)
    web_download_uri: str = ""
    list_images_timeout_seconds: float = 30.0
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0
    stall_timeout_seconds: float = 120.0
    import_timeout_seconds: float = 3600.0
    retries: int = 3
    all_stores_must_succeed: bool = True

    @property
    def project_hint(self) -> str:
        """Project id where no Keystone tells it: ``tenant_id``, else tenant name + ``id`` (spec 8.3)."""
        if self.tenant_id:
            return self.tenant_id
        tenant = self.credential.project_name if self.credential else ""
        return f"{tenant}id" if tenant else ""


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration. ``targets`` holds at least ``master``; ``warnings`` are lines for a person."""

    master_region: str
    targets: Mapping[str, Target]
    preferable_order: tuple[str, ...] = ()
    max_children: int = 1
    images_dir: Path | None = None
    source: str = "environment"
    warnings: tuple[str, ...] = ()
