"""From a document to ``Settings``: every option parsed, every error collected (spec images 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.errors import ConfigurationError
from app.sync.images.conf.clouds import CloudEntry
from app.sync.images.conf.credentials import Identity, Surroundings, identify
from app.sync.images.conf.findings import Diagnosis, Place
from app.sync.images.conf.model import Policy, Settings, Target, Tls
from app.sync.images.conf.oddities import examine_document, examine_target
from app.sync.images.conf.option import MAIN, MASTER, OVERRIDE_PREFIX, Option, Record
from app.sync.images.conf.reader import Document, Entry
from app.sync.images.conf.schema import BY_NAME, INTERFACES, OPTIONS, find_option
from app.sync.images.conf.values import is_none, parse, path_below

_TLS_FILES = ("cacert", "cert", "key")


def build_settings(document: Document, around: Surroundings, diagnosis: Diagnosis) -> Settings | None:
    """The settings that a document means; None if ``diagnosis`` holds an error."""
    diagnosis.learn(entry.place for entry in document.entries)
    builder = _Builder(document, around, diagnosis)
    examine_document(document, diagnosis)
    values = builder.values(MAIN, Record.SETTINGS)
    if "images_dir" in values:
        values["images_dir"] = path_below(document.folder, around.home, values["images_dir"])
    identities = {name: builder.identity(name) for name in document.targets}
    place = builder.place(MAIN, "master_region")
    with diagnosis.collect(place):
        values["master_region"] = _master_region(place, around, identities[MASTER].cloud, values)
    targets = {name: builder.target(name, identity) for name, identity in identities.items()}
    for target in targets.values():
        examine_target(target, document, diagnosis, has_images="images_dir" in values)
    if diagnosis.errors:
        return None
    values |= {"targets": MappingProxyType(targets), "source": document.source}
    return Settings(**values, warnings=diagnosis.warnings)


def _master_region(place: Place, around: Surroundings, cloud: CloudEntry, values: Mapping[str, Any]) -> str:
    """The option, else OS_REGION_NAME, else the region of master's cloud entry."""
    candidates = (
        values.get("master_region", ""),
        around.environ.get("OS_REGION_NAME", ""),
        cloud.region_name,
    )
    text = next((text for text in candidates if text and not is_none(text)), "")
    name = text.removeprefix(f"{MASTER}:")
    if not name:
        raise place.error(
            "the master region is not set",
            "set master_region in [main], or OS_REGION_NAME in the environment",
        )
    if ":" in name:
        raise place.error(f"{text!r} is no region of target {MASTER}", "write the bare name of the region")
    return name


class _Builder:
    """Reads the sections of one document."""

    def __init__(self, document: Document, around: Surroundings, diagnosis: Diagnosis) -> None:
        self._document = document
        self._around = around
        self._diagnosis = diagnosis

    def values(self, section: str, record: Record) -> dict[str, Any]:
        """Fields of a record that the section sets; unset and unreadable ones are left out."""
        found: dict[str, Any] = {}
        for option in OPTIONS:
            entry = self._document.entry(section, option.name)
            if option.record is not record or entry is None:
                continue
            with self._diagnosis.collect(entry.place):
                value = self._parsed(option, entry, section)
                if value != "":
                    found[option.attribute] = value
        return found

    def place(self, section: str, option: str) -> Place:
        """Where the option stands, or would have to stand."""
        entry = self._document.entry(section, option)
        return entry.place if entry else replace(self._document.section_place(section), option=option)

    def identity(self, name: str) -> Identity:
        """Who we are in a target; without credential if that cannot be told."""
        with self._diagnosis.collect(self._document.section_place(name)):
            return identify(self._document, name, self._around)
        return Identity(None)

    def target(self, name: str, identity: Identity) -> Target:
        """The record of a target section."""
        values = self.values(name, Record.TARGET)
        with self._diagnosis.collect(self.place(name, "interface")):
            values.setdefault("interface", self._interface(name, identity.cloud))
        self._check_deprecated(name)
        return Target(
            name=name,
            policy=Policy(**self.values(name, Record.POLICY)),
            credential=identity.credential,
            tls=self._tls(name, identity.cloud),
            endpoint_override=self._endpoints(name),
            **values,
        )

    def _parsed(self, option: Option, entry: Entry, section: str) -> object:
        text = self._document.text(section, entry.option, literal=option.is_secret)
        try:
            return parse(option, text)
        except ConfigurationError as error:
            what = f"{error.what}, {error.where}" if error.where else error.what
            raise entry.place.error(what, error.remedy) from error

    def _check_deprecated(self, name: str) -> None:
        entry = self._document.entry(name, "use_keystone_v3")
        if entry is not None:
            with self._diagnosis.collect(entry.place):
                self._parsed(BY_NAME[entry.option], entry, name)

    def _variable(self, option: str, target: str) -> str:
        names = BY_NAME[option].env if target == MASTER else ()
        return next((self._around.environ[name] for name in names if self._around.environ.get(name)), "")

    def _interface(self, name: str, cloud: CloudEntry) -> str:
        text = cloud.interface or self._variable("interface", name) or INTERFACES[0]
        interface = text.lower().removesuffix("url")
        if interface not in INTERFACES:
            place = self.place(name, "interface")
            raise place.error(f"interface {text!r} is not known", f"use one of {', '.join(INTERFACES)}")
        return interface

    def _endpoints(self, name: str) -> Mapping[str, str]:
        found = {}
        for option_name in self._document.names(name):
            entry, option = self._document.entry(name, option_name), find_option(option_name)
            if entry is None or option is None or not option_name.startswith(OVERRIDE_PREFIX):
                continue
            with self._diagnosis.collect(entry.place):
                url = str(self._parsed(option, entry, name)).rstrip("/")
                if url:
                    found[option_name.removeprefix(OVERRIDE_PREFIX)] = url
        return MappingProxyType(found)

    def _tls(self, name: str, cloud: CloudEntry) -> Tls:
        own = self.values(name, Record.TLS)
        files = {key: self._tls_file(name, key, own, cloud) for key in _TLS_FILES}
        tls = Tls(**files, insecure=own.get("insecure", not cloud.verify))
        for key in _TLS_FILES:
            place = self.place(name, key)
            with self._diagnosis.collect(place):
                self._check_tls_file(key, tls, place)
        return tls

    def _tls_file(self, name: str, key: str, own: Mapping[str, Any], cloud: CloudEntry) -> str | None:
        if key in own:
            return str(path_below(self._document.folder, self._around.home, own[key]))
        return cloud.tls.get(key) or self._variable(key, name) or None

    def _check_tls_file(self, key: str, tls: Tls, place: Place) -> None:
        if key == "key" and tls.key and not tls.cert:
            raise place.error("key is set without cert", "set cert too")
        path = asdict(tls)[key]
        if path and not self._around.lenient and not Path(path).is_file():
            raise place.error(f"{key}: there is no file {path}", "correct the path")
