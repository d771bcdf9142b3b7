"""From the text of an option to its value (spec images 2.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from app.errors import ConfigurationError
from app.sync.images.condition import parse_condition
from app.sync.images.conf.option import Kind, Option

_BOOLEANS = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}
_SHOWN_CHARACTERS = 60


def is_none(text: str) -> bool:
    """Whether the text is the word None, which old sample files have for "not set" (2.4)."""
    return text.strip().lower() == "none"


def shown(text: str) -> str:
    """A value quoted for a message, cut to a bearable length."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def items(text: str) -> tuple[str, ...]:
    """Elements between commas, trimmed, without blank and repeated ones; None means none."""
    if is_none(text):
        return ()
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def boolean(text: str) -> bool:
    """One of the eight words of the original, in any case.

    Raises:
        ConfigurationError: another word, or none.

    """
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ConfigurationError(
            f"{shown(text)} is neither yes nor no", remedy="write yes, true, on, 1, no, false, off or 0"
        ) from None


def http_url(text: str) -> str:
    """An http or https URL; blank stays blank.

    Raises:
        ConfigurationError: another scheme, no server, or a password in the URL.

    """
    remedy = "write http://server:port/path or https://server:port/path"
    try:
        parts = urlsplit(text)
        good = not text or (parts.scheme in ("http", "https") and bool(parts.hostname))
        has_user = parts.username is not None
        _ = parts.port
    except ValueError:
        good, has_user = False, False
    if "@" in text and (has_user or not good):
        raise ConfigurationError(
            "the URL holds a user name or password", remedy="give them in options of their own"
        )
    if not good or any(character.isspace() for character in text):
        raise ConfigurationError(f"{shown(text)} is not an HTTP URL", remedy=remedy)
    return text


def path_below(folder: Path, home: str, text: str) -> Path:
    """A path as the file means it: ``~`` is ``home``, relative to ``folder``."""
    if home and (text == "~" or text.startswith("~/")):
        return Path(home) / text[2:]
    return folder / text


def _number(option: Option, text: str, convert: Callable[[str], float]) -> float:
    try:
        number = convert(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < option.minimum:
        raise ConfigurationError(
            f"{shown(text)} is not a {_UNITS[option.kind]} of at least {option.minimum}",
            remedy=f"the default is {option.default}",
        )
    return number


_UNITS = {Kind.INTEGER: "whole number", Kind.SECONDS: "number of seconds"}


def _choice(option: Option, text: str) -> str:
    word = (text or option.default).lower()
    if not word:
        return ""
    if word not in option.choices:
        raise ConfigurationError(
            f"{shown(text)} is not a value of {option.name}",
            remedy=f"write one of {', '.join(option.choices)}",
        )
    # the choices of some options are members of an enumeration
    return option.choices[option.choices.index(word)]


def _list(option: Option, text: str) -> tuple[str, ...]:
    found = items(text)
    if not option.choices:
        return found
    return tuple(_choice(option, item) for item in found) or (option.default,)


def _pairs(_: Option, text: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for item in items(text):
        source, colon, destination = (part.strip() for part in item.partition(":"))
        if not (source and colon and destination):
            raise ConfigurationError(f"{shown(item)} is no pair", remedy="write a:b, c:d")
        pairs[source] = destination
    return MappingProxyType(pairs)


_PARSERS: Mapping[Kind, Callable[[Option, str], object]] = {
    Kind.TEXT: lambda _, text: text,
    Kind.LITERAL: lambda _, text: text,
    Kind.INTEGER: lambda option, text: int(_number(option, text, int)),
    Kind.SECONDS: lambda option, text: _number(option, text, float),
    Kind.BOOLEAN: lambda _, text: boolean(text),
    Kind.CHOICE: _choice,
    Kind.SET: lambda _, text: frozenset(items(text)),
    Kind.LIST: _list,
    Kind.MAP: _pairs,
    Kind.PATH: lambda _, text: "" if is_none(text) else text,
    Kind.URL: lambda _, text: http_url(text),
    Kind.CONDITION: lambda _, text: parse_condition(text) if text else None,
}


def parse(option: Option, text: str) -> object:
    """The value that the text of an option means; its type follows from ``option.kind``.

    Raises:
        ConfigurationError: the text is no value of the option. ``where`` is empty or the place inside
            the value.

    """
    return _PARSERS[option.kind](option, text)
