"""Takes secrets out of text that is about to be written where people and programs read it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.settings import ServiceSettings

MASK = "***"
MIN_SECRET_LENGTH = 4
"""Shorter texts stand in ordinary words; masking them would make lines unreadable."""

_QUOTED_OR_BARE = r"""(?:"[^"]*"|'[^']*'|[^\s,;&}"']+)"""
_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/]+(@)", re.IGNORECASE), rf"\1{MASK}\2"),
    # Fernet tokens of Keystone, whatever stands around them
    (re.compile(r"\bgAAAA[A-Za-z0-9_=-]{16,}"), MASK),
    # JSON web signatures
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),
    # X-Auth-Token: value, Authorization: Bearer value
    (
        re.compile(
            r"(\bauthorization['\"]?\s*[:=]\s*['\"]?)(?:(?:basic|bearer)\s+)?[^\s'\",}]+", re.IGNORECASE
        ),
        rf"\1{MASK}",
    ),
    (
        re.compile(
            r"(\b(?:[a-z0-9]+[-_])*(?:password|passwd|secret|token|pwd)['\"]?\s*[:=]\s*)" + _QUOTED_OR_BARE,
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


class SecretFilter:
    """Masks what looks like a secret, and the values that are known to be one.

    Args:
        known: values that must never appear; too short ones are ignored.

    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted(
            {text for text in known if len(text) >= MIN_SECRET_LENGTH}, key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def known_secrets(settings: ServiceSettings) -> set[str]:
    """Every secret value of the settings, and the passwords inside their URLs."""
    groups = (settings.service, settings.images, settings.api, settings.auth, settings.jobs)
    values = {
        str(getattr(group, entry.name))
        for group in groups
        for entry in dataclasses.fields(group)
        if not entry.repr
    }
    return {secret for value in values for secret in _secret_parts(value) if secret}


def _secret_parts(value: str) -> tuple[str, ...]:
    """A URL's password; any other value as a whole."""
    if "://" not in value:
        return (value,)
    try:
        password = make_url(value).password
    except (ArgumentError, ValueError):
        return (value,)
    return (str(password),) if password else ()
