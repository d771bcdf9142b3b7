"""The file syntax of the original tool, and what a file and overrides say together (spec images 2.2, 2.7).

The original read its file with Python 2's parser, whose rules on comments and continuation lines differ
from today's; and no standard parser keeps line numbers. So lines are taken apart here; defaults and
``%`` interpolation are left to ``configparser``.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from app.errors import ConfigurationError
from app.sync.images.conf.findings import Diagnosis, Place
from app.sync.images.conf.option import DEFAULT, MAIN, MASTER, OVERRIDE_PREFIX

FILE_LIMIT_BYTES = 1024 * 1024
_HEADER = re.compile(r"\[(?P<name>[^]]+)\]")
_OPTION = re.compile(r"(?P<name>[^:=\s][^:=]*)[:=](?P<value>.*)")
_TRAILING_COMMENT = re.compile(r"\s;.*")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_REFERENCE = re.compile(r"%\(([^)]+)\)s")


def normal_name(option: str) -> str:
    """Option names ignore case; the region in ``endpoint_override.<region>`` does not."""
    name = option.strip()
    lower = name.lower()
    if lower.startswith(OVERRIDE_PREFIX):
        return OVERRIDE_PREFIX + name[len(OVERRIDE_PREFIX) :]
    return lower


@dataclass(frozen=True, slots=True)
class Entry:
    """One option as it was written, continuation lines joined."""

    section: str
    option: str
    value: str
    origin: str
    line: int | None = None

    @property
    def place(self) -> Place:
        """Label for findings."""
        return Place(self.origin, self.line, self.section, self.option)


@dataclass(slots=True)
class Scan:
    """What the lines of one file come to."""

    sections: dict[str, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def exists(path: Path) -> bool:
    """Whether something is there; what cannot be looked at counts, so that reading it tells why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_text(path: Path) -> str:
    """The text of a small file.

    Bytes that are not UTF-8 become lone surrogates, so that they do no harm in comments.

    Raises:
        ConfigurationError: it cannot be read, or is larger than ``FILE_LIMIT_BYTES``.

    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror or type(error).__name__}",
            where=str(path),
            remedy="check the path and its permissions",
        ) from error
    except ValueError as error:
        raise ConfigurationError("the path cannot be used", where=repr(str(path))) from error
    if len(data) > FILE_LIMIT_BYTES:
        raise ConfigurationError(
            f"the file is larger than {FILE_LIMIT_BYTES} bytes",
            where=str(path),
            remedy="check that it is the right file",
        )
    return data.decode("utf-8-sig", "surrogateescape")


def scan(text: str, origin: str, diagnosis: Diagnosis) -> Scan:
    """Take a file apart (2.2). Lines that fit no rule become findings; the rest is still read."""
    scanner = _Scanner(origin, diagnosis)
    for number, line in enumerate(text.split("\n"), 1):
        scanner.feed(number, line)
    scanner.finish()
    return scanner.result


class _Scanner:
    """State between lines: the section, and the option that indented lines continue."""

    def __init__(self, origin: str, diagnosis: Diagnosis) -> None:
        self.result = Scan()
        self._origin = origin
        self._diagnosis = diagnosis
        self._section: str | None = None
        self._option = ""
        self._line = 0
        self._values: list[str] = []
        self._skips_indented = False

    def feed(self, number: int, line: str) -> None:
        """Read one line; its number counts from 1."""
        if not line.strip() or line[0] in "#;":
            return
        if _NOT_UTF8.search(line):
            self._refuse(number, "the line is not UTF-8 text", "save the file as UTF-8")
        elif line[0].isspace():
            self._continue(number, line.strip())
        elif header := _HEADER.match(line):
            self._open(header["name"], number)
        elif option := _OPTION.match(line):
            self._start(number, option["name"], option["value"])
        else:
            self._refuse(
                number,
                "the line is neither a comment, a section, an option nor the continuation of one",
                "write `option = value`, or indent the line if it continues the one above",
            )

    def finish(self) -> None:
        """The option at hand is complete."""
        if self._option and self._section is not None:
            # a backslash at the end of a line was kept in the value and spoilt lists (2.2)
            value = "\n".join(self._values).replace("\\\n", " ")
            entry = Entry(self._section, self._option, value, self._origin, self._line)
            self.result.entries.append(entry)
        self._option = ""
        self._skips_indented = False

    def _open(self, name: str, number: int) -> None:
        self.finish()
        self._section = name
        self.result.sections.setdefault(name, number)

    def _start(self, number: int, name: str, value: str) -> None:
        self.finish()
        if self._section is None:
            self._refuse(
                number, "an option stands before the first section", "put [main] or [master] above it"
            )
            return
        text = _TRAILING_COMMENT.sub("", value, count=1).strip()
        self._option, self._line = normal_name(name), number
        # Python 2's parser read a pair of quotes as an empty value
        self._values = ["" if text == '""' else text]

    def _continue(self, number: int, text: str) -> None:
        if self._option:
            self._values.append(text)
        elif not self._skips_indented:
            self._refuse(number, "an indented line continues no option", "remove the blanks before it")

    def _refuse(self, number: int, message: str, remedy: str) -> None:
        self.finish()
        self._skips_indented = True
        place = Place(self._origin, number, self._section or "")
        self._diagnosis.fail(place, place.error(message, remedy))


class _Lenient(configparser.BasicInterpolation):
    """Interpolation that complains when a value is read, not when it is stored."""

    def before_set(
        self,
        parser: object,  # noqa: ARG002
        section: str,  # noqa: ARG002
        option: str,  # noqa: ARG002
        value: str,
    ) -> str:
        return value

    def before_get(
        self,
        parser: MutableMapping[str, Mapping[str, str]],
        section: str,
        option: str,
        value: str,
        defaults: Mapping[str, str],
    ) -> str:
        if _expanded_size(value, defaults, FILE_LIMIT_BYTES) > FILE_LIMIT_BYTES:
            raise configparser.InterpolationDepthError(option, section, value)
        return super().before_get(parser, section, option, value, defaults)


def _expanded_size(value: str, options: Mapping[str, str], budget: int, depth: int = 1) -> int:
    """Length of a value with its references replaced, as far as it does not exceed the budget."""
    size = len(value)
    for name in _REFERENCE.findall(value) if depth <= configparser.MAX_INTERPOLATION_DEPTH else ():
        if size > budget:
            break
        size += _expanded_size(options.get(normal_name(name), ""), options, budget - size, depth + 1)
    return size


class _Parser(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return normal_name(optionstr)


class Document:
    """All sections of a configuration: file first, then overrides, ``[DEFAULT]`` below each section.

    Attributes:
        source: the file's path, or ``environment``.
        folder: what relative paths in it are relative to.
        repeated: options that the same section sets again further down.

    """

    def __init__(
        self,
        source: str,
        folder: Path,
        sections: Mapping[str, int] = MappingProxyType({}),
        entries: Iterable[Entry] = (),
    ) -> None:
        self.source = source
        self.folder = folder
        self._lines = sections
        self._own: dict[str, dict[str, Entry]] = {name: {} for name in (MAIN, MASTER, *sections)}
        self.repeated: list[Entry] = []
        for entry in entries:
            options = self._own.setdefault(entry.section, {})
            earlier = options.get(entry.option)
            if earlier is not None and earlier.origin == entry.origin:
                self.repeated.append(earlier)
            options[entry.option] = entry
        self._defaults = self._own.pop(DEFAULT, {})
        self._parser = self._filled_parser()

    def _filled_parser(self) -> _Parser:
        parser = _Parser(interpolation=_Lenient(), strict=False)
        sections = {DEFAULT: self._defaults, **self._own}
        parser.read_dict(
            {
                name: {option: entry.value for option, entry in options.items()}
                for name, options in sections.items()
            }
        )
        return parser

    @property
    def targets(self) -> tuple[str, ...]:
        """Every section that is neither ``main`` nor ``DEFAULT``; ``master`` first."""
        return tuple(name for name in self._own if name != MAIN)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every option in force, where it was written."""
        sections = (self._defaults, *self._own.values())
        return tuple(entry for options in sections for entry in options.values())

    @property
    def referenced(self) -> frozenset[str]:
        """Names that some value interpolates: they serve a purpose even if no option is called so."""
        return frozenset(
            normal_name(name) for entry in self.entries for name in _REFERENCE.findall(entry.value)
        )

    def section_place(self, section: str) -> Place:
        """Label for findings about a whole section."""
        return Place(self.source, self._lines.get(section), section)

    def entry(self, section: str, option: str) -> Entry | None:
        """The option as the section sees it: its own, else ``[DEFAULT]``'s, else None."""
        return self._own.get(section, {}).get(option) or self._defaults.get(option)

    def names(self, section: str) -> tuple[str, ...]:
        """Names of the options that the section sees."""
        return tuple(dict.fromkeys((*self._defaults, *self._own.get(section, {}))))

    def text(self, section: str, option: str, *, literal: bool) -> str:
        """The option's value; blank if it is absent.

        Args:
            literal: leave ``%`` alone, as for passwords.

        Raises:
            ConfigurationError: a ``%`` that is not doubled, a reference to an unknown option, or references
            that lead to more than ``FILE_LIMIT_BYTES``.

        """
        entry = self.entry(section, option)
        if entry is None:
            return ""
        try:
            return self._parser.get(section, option, raw=literal).strip()
        except configparser.InterpolationError as error:
            endless = isinstance(error, configparser.InterpolationDepthError)
            raise entry.place.error(
                "the references in the value have no end"
                if endless
                else "a % in the value refers to no option",
                "write %% for a percent sign, %(name)s for the value of option name",
            ) from error
