"""What there is to say about one option of ``glancesync.conf`` (spec images 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum

MAIN = "main"
DEFAULT = "DEFAULT"
MASTER = "master"
OVERRIDE_PREFIX = "endpoint_override."


class Kind(Enum):
    """How the text of an option is read; the value is how the sample names it."""

    TEXT = "text"
    LITERAL = "text, taken literally"
    INTEGER = "whole number"
    SECONDS = "seconds"
    BOOLEAN = "yes or no"
    CHOICE = "one of"
    SET = "list, separated by commas"
    LIST = "list in order, separated by commas"
    MAP = "list of a:b, separated by commas"
    PATH = "path"
    URL = "URL"
    CONDITION = "expression"


class Record(StrEnum):
    """The record of ``conf.model`` that an option ends in."""

    SETTINGS = "settings"
    TARGET = "target"
    POLICY = "policy"
    TLS = "tls"
    CREDENTIAL = "credential"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        field: name in the record, where it differs from ``name``.
        default: what an absent option means, as it would be written in the file.
        choices: allowed words; for a list, of each element.
        minimum: smallest number allowed.
        env: variables that stand in for the option in target ``master``, first one set wins.
        remark: what a user of the original tool should know.

    """

    name: str
    kind: Kind
    record: Record
    help: str
    default: str = ""
    field: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 0
    env: tuple[str, ...] = ()
    remark: str = ""
    group: str = ""

    @property
    def attribute(self) -> str:
        """The field of the record."""
        return self.field or self.name

    @property
    def section(self) -> str:
        """``main``, or ``master`` which stands for every target."""
        return MAIN if self.record is Record.SETTINGS else MASTER

    @property
    def is_secret(self) -> bool:
        """Whether the value is read literally, without ``%`` interpolation, and never shown."""
        return self.kind is Kind.LITERAL


def group(heading: str, *options: Option) -> tuple[Option, ...]:
    """The options under one heading of the sample."""
    return tuple(replace(option, group=heading) for option in options)
