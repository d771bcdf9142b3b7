"""Lines and log files of a run (spec images 7.3, 7.4)."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

import pytest

from app.cli.listeners import (
    RegionLines,
    RegionLogs,
    log_directory_name,
    make_log_directory,
    region_of,
    together,
)
from app.cli.output import Output
from app.errors import StoreError
from app.sync.events import Event, ItemStarted, RegionFinished, RegionStarted
from app.sync.status import Level, RegionState, Status
from tests.unit.cli.builders import noticed, report

NOON = datetime(2026, 1, 2, 12, 34, 56)  # noqa: DTZ001
LABELS = {"Burgos": "master:Burgos", "other:Madrid": "other:Madrid"}


def test_sequential_lines_follow_a_header_per_region(capsys: pytest.CaptureFixture[str]) -> None:
    """Each region's lines come after ======<region as given>, warnings and errors too, all on stdout."""
    lines = RegionLines(Output(), LABELS)
    for event in (
        RegionStarted("Burgos", 2, 10),
        noticed("Burgos", "Burgos: Image uploaded."),
        noticed("Burgos", "Burgos: odd", Level.WARNING),
        RegionFinished(report()),
        noticed("other:Madrid", "other:Madrid: down", Level.ERROR),
        RegionFinished(report(region="other:Madrid", state=RegionState.FAILED)),
    ):
        lines(event)
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "======master:Burgos",
        "INFO:Burgos: Image uploaded.",
        "WARNING:Burgos: odd",
        "======other:Madrid",
        "ERROR:other:Madrid: down",
    ]
    assert shown.err == ""


def test_a_silent_region_still_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    """A region that ends without a line is seen to have been worked on."""
    RegionLines(Output(), LABELS)(RegionFinished(report()))
    assert capsys.readouterr().out == "======master:Burgos\n"


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        (RegionState.OK, ""),
        (RegionState.PARTIAL, " with errors"),
        (RegionState.FAILED, " with errors"),
        (RegionState.CANCELLED, " with errors"),
    ],
)
def test_parallel_tells_each_end_and_logs_bare_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], state: RegionState, ending: str
) -> None:
    """In a parallel run stdout says which region has finished; its messages are in its own file."""
    with RegionLogs(Output(), LABELS, tmp_path) as logs:
        logs(noticed("Burgos", "Burgos: a\nb", Level.WARNING))
        logs(RegionFinished(report(state=state)))
    assert capsys.readouterr().out == f"Region master:Burgos has finished{ending}\n"
    assert (tmp_path / "master:Burgos.txt").read_text() == "Burgos: a\\nb\n"
    assert (tmp_path / "other:Madrid.txt").read_text() == ""


def test_parallel_logs_can_be_followed(tmp_path: Path) -> None:
    """A line is in its log file as soon as it is said."""
    with RegionLogs(Output(), LABELS, tmp_path) as logs:
        logs(noticed("Burgos", "Burgos: first"))
        assert (tmp_path / "master:Burgos.txt").read_text() == "Burgos: first\n"


def test_parallel_notice_of_another_region_goes_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning about the master is printed, for it has no log file."""
    with RegionLogs(Output(), LABELS, tmp_path) as logs:
        logs(noticed("Valladolid", "duplicates", Level.WARNING))
    assert capsys.readouterr().out == "WARNING:duplicates\n"


def test_parallel_lines_of_threads_never_mix(tmp_path: Path) -> None:
    """Regions that work at the same time each find only their own lines, whole, in their file."""
    names = [f"R{number}" for number in range(6)]
    with RegionLogs(Output(), {name: name for name in names}, tmp_path) as logs:

        def talk(name: str) -> None:
            for number in range(50):
                logs(noticed(name, f"{name}: line {number}"))

        threads = [threading.Thread(target=talk, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in names:
        expected = [f"{name}: line {number}" for number in range(50)]
        assert (tmp_path / f"{name}.txt").read_text().splitlines() == expected


def test_a_full_log_disk_does_not_end_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A log that cannot be written is reported once and the region goes on."""
    (tmp_path / "Burgos.txt").symlink_to("/dev/full")
    with RegionLogs(Output(), {"Burgos": "Burgos"}, tmp_path) as logs:
        logs(noticed("Burgos", "Burgos: one"))
        logs(noticed("Burgos", "Burgos: two", Level.WARNING))
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["WARNING:Burgos: its log cannot be written: No space left on device"]
    assert shown.out == "WARNING:Burgos: two\n"


def test_log_directory_is_named_by_the_minute() -> None:
    """The directory is called sync_YYYYMMDD_HHMM."""
    assert log_directory_name(NOON) == "sync_20260102_1234"


def test_log_directory_of_the_same_minute_gets_a_counter(tmp_path: Path) -> None:
    """A second and third run in one minute get directories of their own."""
    made = [make_log_directory(tmp_path, NOON).name for _ in range(3)]
    assert made == ["sync_20260102_1234", "sync_20260102_1234_1", "sync_20260102_1234_2"]


def test_log_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """Without a place for logs the run ends before it starts, naming the place."""
    with pytest.raises(StoreError, match="log directory") as caught:
        make_log_directory(tmp_path / "missing", NOON)
    assert "missing" in caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize(
    "event",
    [
        RegionStarted("R", 1, 1),
        noticed("R", "x"),
        ItemStarted("R", "i", Status.OK, 1),
        RegionFinished(report(region="R")),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_event_names_its_region(event: Event) -> None:
    """No event is shown under the wrong region."""
    assert region_of(event) == "R"


def test_together_tells_members_that_joined_later() -> None:
    """Bars and lines see the same events, also when they join after the service is made."""
    members: list = []
    tell = together(members)
    heard: list[Event] = []
    tell(RegionStarted("early", 0, 0))
    members.append(heard.append)
    tell(RegionStarted("late", 0, 0))
    assert heard == [RegionStarted("late", 0, 0)]


def test_log_file_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A region whose log file cannot be created ends the run before it starts, naming the file."""
    with pytest.raises(StoreError, match="log file"), RegionLogs(Output(), {"R": "R" * 300}, tmp_path):
        pass
