"""Who we are in a target: options, clouds.yaml and OS_* variables (spec images 2.4, 2.5, 14.10)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import ConfigurationError, CredentialError
from app.sync.images.conf.clouds import CloudEntry, read_cloud
from app.sync.images.conf.findings import Place
from app.sync.images.conf.identity import (
    FOUR,
    IDENTITY_OPTIONS,
    Fields,
    below,
    check_complete,
    missing_fields,
    to_credential,
    typed,
    without_secrets,
)
from app.sync.images.conf.model import Credential
from app.sync.images.conf.option import DEFAULT, MASTER, Option
from app.sync.images.conf.reader import Document, read_text
from app.sync.images.conf.schema_credentials import SECRETS
from app.sync.images.conf.values import parse, path_below


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the reading of a configuration depends on besides the file.

    Attributes:
        lenient: no server will be asked: a credential may be missing or wrong, and no secret is read.

    """

    environ: Mapping[str, str]
    working_directory: Path
    lenient: bool = False

    @property
    def home(self) -> str:
        """The user's home directory; blank if unknown."""
        return self.environ.get("HOME", "")


@dataclass(frozen=True, slots=True)
class Identity:
    """The credential of a target, and the cloud entry that it leans on (empty if none)."""

    credential: Credential | None
    cloud: CloudEntry = field(default_factory=CloudEntry)


def identify(document: Document, target: str, around: Surroundings) -> Identity:
    """The credential of a target.

    What the section (or ``[DEFAULT]``) says comes first, field by field. Target ``master`` then falls back
    on the OS_* variables and the entry that OS_CLOUD names; other targets do not.

    Raises:
        CredentialError: something is missing, undecodable, or of an unknown kind.
        ConfigurationError: an option or a file that it names cannot be read.

    """
    section = _Section(document, target, around)
    fields, cloud = section.fields()
    if target == MASTER:
        fields, cloud = _with_environment(fields, cloud, around)
    if around.lenient:
        return Identity(without_secrets(fields), cloud)
    check_complete(fields, document.section_place(target))
    return Identity(to_credential(fields, document.section_place(target)), cloud)


class _Section:
    """The credential options of one section."""

    def __init__(self, document: Document, target: str, around: Surroundings) -> None:
        self._document = document
        self._target = target
        self._around = around

    def fields(self) -> tuple[Fields, CloudEntry]:
        """Everything that the section says, the cloud entry it names included."""
        name = self._text("cloud")
        if name and not (self._is_default("cloud") and self._is_own("credential")):
            own = self._options(skip_defaults=self._is_own("cloud"))
            cloud = self._cloud(name)
            return typed(below(own, dict(cloud.identity), inherits_domains=True)), cloud
        own = self._options()
        if not self._has_all_four() and self._text("credential", literal=True):
            own |= self._four_in_one()
        return typed(own), CloudEntry()

    def _text(self, name: str, *, literal: bool = False) -> str:
        return self._document.text(self._target, name, literal=literal)

    def _place(self, name: str) -> Place:
        entry = self._document.entry(self._target, name)
        return entry.place if entry else Place(self._document.source, section=self._target, option=name)

    def _is_default(self, name: str) -> bool:
        entry = self._document.entry(self._target, name)
        return entry is not None and entry.section == DEFAULT

    def _is_own(self, name: str) -> bool:
        entry = self._document.entry(self._target, name)
        return entry is not None and entry.section != DEFAULT

    def _cloud(self, name: str) -> CloudEntry:
        try:
            return read_cloud(name, self._around.environ, self._around.working_directory)
        except CredentialError:
            # without a server to ask, an entry that does not exist is only a missing credential
            if self._around.lenient:
                return CloudEntry()
            raise

    def _options(self, *, skip_defaults: bool = False) -> Fields:
        found = {}
        for option in IDENTITY_OPTIONS:
            if skip_defaults and self._is_default(option.name):
                continue
            value = self._value(option)
            if value:
                found[option.attribute] = value
        for secret in SECRETS:
            if secret not in found and not self._around.lenient:
                found |= self._indirect(secret, skip_defaults=skip_defaults)
        return found

    def _value(self, option: Option) -> str:
        text = self._text(option.name, literal=option.is_secret)
        if self._around.lenient:
            return "" if option.is_secret else text
        try:
            return str(parse(option, text))
        except ConfigurationError as error:
            raise self._place(option.name).error(error.what, error.remedy) from error

    def _indirect(self, secret: str, *, skip_defaults: bool) -> Fields:
        for suffix, read in (("file", self._secret_in_file), ("env", self._secret_in_variable)):
            name = f"{secret}_{suffix}"
            text = self._text(name)
            if text and not (skip_defaults and self._is_default(name)):
                return {secret: read(text, self._place(name))}
        return {}

    def _secret_in_file(self, text: str, place: Place) -> str:
        path = path_below(self._document.folder, self._around.home, text)
        try:
            value = read_text(path).partition("\n")[0].rstrip("\r")
        except ConfigurationError as error:
            raise place.error(f"{path}: {error.what}", error.remedy, CredentialError) from error
        if not value or not _is_text(value):
            raise place.error(
                f"{path} does not begin with a line of text",
                "write the secret into its first line, in UTF-8",
                CredentialError,
            )
        return value

    def _secret_in_variable(self, text: str, place: Place) -> str:
        value = self._around.environ.get(text, "")
        if not value:
            raise place.error(f"the environment has no {text}", f"set {text}", CredentialError)
        return value

    def _has_all_four(self) -> bool:
        present = set(self._document.names(self._target))
        password = {"password", "password_file", "password_env"}
        return {"user", "keystone_url", "tenant"} <= present and bool(password & present)

    def _four_in_one(self) -> Fields:
        """The option ``credential``: user, base64 of the password, URL, project."""
        place = self._place("credential")
        parts = [part.strip() for part in self._text("credential", literal=True).split(",")]
        if len(parts) < len(FOUR) and not self._around.lenient:
            raise place.error(
                f"credential has {len(parts)} fields, not {len(FOUR)}",
                "write user,base64 of the password,Keystone URL,project",
                CredentialError,
            )
        found = dict(zip(FOUR, parts, strict=False))
        encoded = found.pop("password", "")
        if encoded and not self._around.lenient:
            found["password"] = decode_password(encoded, place)
        return {name: value for name, value in found.items() if value}


def _is_text(value: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in value)


def decode_password(encoded: str, place: Place) -> str:
    """The password in a ``credential``; characters outside the base64 alphabet are passed over.

    Raises:
        CredentialError: it is not base64 of a UTF-8 text; the message does not repeat it.

    """
    try:
        return base64.b64decode(encoded).decode("utf-8")
    except (binascii.Error, ValueError):
        # `from None`: the causes quote what they could not decode
        raise place.error(
            "the password (second field) is not base64 of a UTF-8 text",
            "encode it with base64, or use password or password_file",
            CredentialError,
        ) from None


def _with_environment(fields: Fields, cloud: CloudEntry, around: Surroundings) -> tuple[Fields, CloudEntry]:
    variables = _variables(around)
    fields = typed(below(fields, variables, inherits_domains=False))
    name = around.environ.get("OS_CLOUD", "")
    if not name or around.lenient or cloud != CloudEntry() or not missing_fields(fields):
        return fields, cloud
    cloud = read_cloud(name, around.environ, around.working_directory)
    return typed(below(fields, dict(cloud.identity), inherits_domains=True)), cloud


def _variables(around: Surroundings) -> Fields:
    found = {}
    for option in IDENTITY_OPTIONS:
        values = (around.environ.get(name, "") for name in option.env)
        value = next((value for value in values if value), "")
        if value and not (option.is_secret and around.lenient):
            found[option.attribute] = value
    return found
