"""What is wrong or odd about a configuration, all of it and not only the first thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType

from app.errors import ConfigurationError
from app.sync.status import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at.

    Attributes:
        line: line of the file, counted from 1; None if it is not about a line.
        section: empty if it is about the whole file.
        option: empty if it is about the whole section.
        severity: ``ERROR`` keeps the configuration from loading, ``WARNING`` does not.
        origin: the file, ``--config`` or ``environment``.

    """

    line: int | None
    section: str
    option: str
    severity: Level
    message: str
    remedy: str = ""
    origin: str = ""

    @property
    def where(self) -> str:
        """File, line, section and option as they stand at the head of a message."""
        return where(self.origin, self.line, self.section, self.option)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.remedy})" if self.remedy else text


def where(origin: str, line: int | None, section: str, option: str) -> str:
    """``file, line 3, [master] retries``; parts that are empty are left out."""
    place = " ".join(part for part in (f"[{section}]" if section else "", option) if part)
    return ", ".join(part for part in (origin, f"line {line}" if line else "", place) if part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands; what findings about it are labelled with."""

    origin: str
    line: int | None = None
    section: str = ""
    option: str = ""

    def __str__(self) -> str:
        return where(self.origin, self.line, self.section, self.option)

    def error(
        self, message: str, remedy: str = "", kind: type[ConfigurationError] = ConfigurationError
    ) -> ConfigurationError:
        """An exception about this place."""
        return kind(message, where=str(self), remedy=remedy)


@dataclass(slots=True)
class Diagnosis:
    """Collects findings, and the exceptions behind those that are errors."""

    findings: list[Finding] = field(default_factory=list)
    errors: list[ConfigurationError] = field(default_factory=list)
    _places: dict[str, Place] = field(default_factory=dict)

    def learn(self, places: Iterable[Place]) -> None:
        """Places that an exception may name in its ``where``."""
        self._places.update((str(place), place) for place in places)

    def add(self, severity: Level, place: Place, message: str, remedy: str = "") -> None:
        """Note something about a place, once."""
        finding = Finding(place.line, place.section, place.option, severity, message, remedy, place.origin)
        if finding not in self.findings:
            self.findings.append(finding)

    def warn(self, place: Place, message: str, remedy: str = "") -> None:
        """Note something that does not keep the configuration from being used."""
        self.add(Level.WARNING, place, message, remedy)

    def fail(self, place: Place, error: ConfigurationError) -> None:
        """Note an exception; ``place`` counts unless the exception names a better one."""
        self.errors.append(error)
        better = self._places.get(error.where, place)
        elsewhere = error.where and error.where != str(better)
        message = f"{error.where}: {error.what}" if elsewhere else error.what
        self.add(Level.ERROR, better, message, error.remedy)

    def collect(self, place: Place) -> Collecting:
        """Turn a ``ConfigurationError`` of a ``with`` block into a finding; the block ends there."""
        return Collecting(self, place)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings that are no errors, one line each."""
        return tuple(str(item) for item in self.findings if item.severity is not Level.ERROR)


@dataclass(frozen=True, slots=True)
class Collecting:
    """The context that ``Diagnosis.collect`` opens."""

    diagnosis: Diagnosis
    place: Place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, ConfigurationError):
            return False
        self.diagnosis.fail(self.place, error)
        return True
