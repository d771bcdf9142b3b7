"""What the lab consists of: federations, regions, accounts. Constants only, no addresses."""

from __future__ import annotations

from dataclasses import dataclass

MASTER_REGION = "Valladolid"
PASSWORD_SUFFIX = "-pass%=1"  # a percent sign and an equals sign, because users have such passwords


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """One Glance: ``stores`` empty means the old single-store configuration."""

    name: str
    stores: tuple[str, ...]
    import_methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """One Keystone user; without project it has no role anywhere."""

    name: str
    project: str = ""
    roles: tuple[str, ...] = ()

    @property
    def password(self) -> str:
        """Derived, so that a person can guess it."""
        return f"{self.name}{PASSWORD_SUFFIX}"


@dataclass(frozen=True, slots=True)
class FederationPlan:
    """One Keystone and its regions; ``target`` is the section of glancesync.conf."""

    target: str
    regions: tuple[RegionPlan, ...]


ALL_METHODS = ("glance-direct", "web-download", "glance-download", "copy-image")
FEDERATIONS = (
    FederationPlan(
        "master",
        (
            RegionPlan(MASTER_REGION, ("main",), ALL_METHODS),
            RegionPlan("Burgos", ("fast", "slow"), ALL_METHODS),
            RegionPlan("Caceres", ("main",), ALL_METHODS),
        ),
    ),
    FederationPlan("federation2", (RegionPlan("Madrid", (), ("glance-direct", "web-download")),)),
)
ADMIN = AccountPlan("admin", "admin", ("admin",))
ACCOUNTS = (
    AccountPlan("syncer", "images", ("admin", "member")),
    AccountPlan("other", "other-images", ("admin", "member")),
    AccountPlan("member", "images", ("member",)),
    AccountPlan("nobody"),
    AccountPlan("glance", "service", ("admin", "service")),
)
