"""What a running lab is, as records that travel between processes as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A Keystone user and the project it works in (empty: none)."""

    name: str
    password: str
    user_id: str
    project: str
    project_id: str
    auth_url: str


@dataclass(frozen=True, slots=True)
class ApplicationCredential:
    """An application credential of the account ``syncer``."""

    id: str
    name: str
    secret: str


@dataclass(frozen=True, slots=True)
class Region:
    """A running Glance. ``directory`` holds its database, stores, staging area and log."""

    name: str
    target: str
    url: str
    directory: Path
    stores: tuple[str, ...]
    import_methods: tuple[str, ...]

    @property
    def full(self) -> str:
        """The name in the product's output."""
        return self.name if self.target == "master" else f"{self.target}:{self.name}"


@dataclass(frozen=True, slots=True)
class Federation:
    """A running Keystone with its regions and accounts."""

    target: str
    auth_url: str
    directory: Path
    regions: tuple[Region, ...]
    accounts: tuple[Account, ...]
    application_credential: ApplicationCredential

    def account(self, name: str) -> Account:
        """The account of that name; ``KeyError`` if there is none."""
        return {account.name: account for account in self.accounts}[name]


@dataclass(frozen=True, slots=True)
class Description:
    """A whole running lab; ``control_port`` is where its users hold a connection open."""

    directory: Path
    control_port: int
    federations: tuple[Federation, ...]

    def to_json(self) -> str:
        """Text for ``from_json``."""
        return json.dumps(asdict(self), default=str, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Description:
        """The records that ``to_json`` wrote."""
        data = json.loads(text)
        return cls(
            Path(data["directory"]),
            data["control_port"],
            tuple(_federation(entry) for entry in data["federations"]),
        )


def _federation(data: dict[str, object]) -> Federation:
    fields = dict(data)
    fields["directory"] = Path(str(data["directory"]))
    fields["regions"] = tuple(_region(entry) for entry in data["regions"])  # type: ignore[attr-defined]
    fields["accounts"] = tuple(Account(**entry) for entry in data["accounts"])  # type: ignore[attr-defined]
    fields["application_credential"] = ApplicationCredential(**data["application_credential"])  # type: ignore[arg-type]
    return Federation(**fields)  # type: ignore[arg-type]


def _region(data: dict[str, object]) -> Region:
    fields = dict(data)
    fields["directory"] = Path(str(data["directory"]))
    fields["stores"] = tuple(data["stores"])  # type: ignore[arg-type]
    fields["import_methods"] = tuple(data["import_methods"])  # type: ignore[arg-type]
    return Region(**fields)  # type: ignore[arg-type]
