"""Live progress: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading

import pytest
from rich.console import Console
from rich.progress import Progress

from app.cli.output import Output
from app.cli.progress import LABEL_WIDTH, Bars, PlainProgress, live_progress
from app.sync.events import Event, RegionStarted
from app.sync.images.messages import MIB_BYTES
from app.sync.status import Result
from tests.unit.cli.builders import noticed, transfer_events

EVENTS: tuple[Event, ...] = (
    RegionStarted("Burgos", 2, 100 * MIB_BYTES),
    *transfer_events("Burgos", "debian", 50 * MIB_BYTES, (25 * MIB_BYTES,)),
    noticed("Burgos", "Burgos: Image uploaded."),
    *transfer_events("Burgos", "nasty\n[red]", 50 * MIB_BYTES, (), Result.FAILED),
)

ON_TERMINAL = """
from app.cli.output import Output
from app.cli.progress import live_progress
from app.sync.events import *
from app.sync.status import *
output = Output(survive=True)
with live_progress(output, None) as listener:
    listener(RegionStarted("Burgos", 1, 1048576))
    listener(ItemStarted("Burgos", "debian-12", Status.PENDING_UPLOAD, 1048576))
    listener(ItemProgressed("Burgos", "debian-12", 524288))
    output.line("INFO:Burgos: a line above [bold]the bars[/bold]")
output.line("INFO:after")
"""


def test_plain_progress_has_a_line_per_region_and_image() -> None:
    """Without a terminal, progress is a line per step with the share of bytes moved."""
    lines: list[str] = []
    progress = PlainProgress(lines.append)
    for event in EVENTS:
        progress(event)
    assert lines == [
        "[  0 %] Burgos: 2 images, 100.0 MB to bring",
        "[ 50 %] Burgos: debian, 50.0 MB: done",
        "[100 %] Burgos: nasty\n[red], 50.0 MB: failed",
    ]


def bars_after(*events: Event) -> Progress:
    """Bars that have seen these events, drawn on nothing."""
    progress = Progress(console=Console(file=io.StringIO(), force_terminal=True))
    bars = Bars(progress)
    for event in events:
        bars(event)
    return progress


def test_bars_show_every_image_under_way_and_the_whole() -> None:
    """While an image is copied there is a bar for it and one for the run, in bytes."""
    tasks = bars_after(*EVENTS[:3]).tasks
    assert [(task.description, task.completed, task.total) for task in tasks] == [
        ("total", 25 * MIB_BYTES, 100 * MIB_BYTES),
        ("Burgos: debian", 25 * MIB_BYTES, 50 * MIB_BYTES),
    ]


def test_bars_of_settled_images_go_away() -> None:
    """At the end only the bar of the run is left, and it is full."""
    (task,) = bars_after(*EVENTS).tasks
    assert (task.completed, task.total) == (100 * MIB_BYTES, 100 * MIB_BYTES)


def test_an_image_of_unknown_size_has_a_bar_without_end() -> None:
    """An image without a known size does not divide by zero."""
    tasks = bars_after(*transfer_events("R", "x", 0, (10,))[:2]).tasks
    assert tasks[1].total is None
    assert tasks[1].completed == 10


def test_long_and_hostile_names_fit_a_bar() -> None:
    """A name with line breaks or of any length takes one short label."""
    tasks = bars_after(*transfer_events("Burgos", "a\n" + "b" * 200, 10, ())[:1]).tasks
    assert "\n" not in tasks[1].description
    assert len(tasks[1].description) == LABEL_WIDTH


def test_bars_take_events_of_many_threads() -> None:
    """Regions that work at the same time move one consistent set of bars."""
    progress = Progress(console=Console(file=io.StringIO()))
    bars = Bars(progress)

    def copy(region: str) -> None:
        bars(RegionStarted(region, 20, 20 * 100))
        for number in range(20):
            for event in transfer_events(region, f"i{number}", 100, (10, 50, 100)):
                bars(event)

    threads = [threading.Thread(target=copy, args=(f"R{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (task,) = progress.tasks
    assert (task.completed, task.total) == (8000, 8000)


@pytest.mark.parametrize(("wanted", "shows"), [(None, False), (False, False), (True, True)])
def test_progress_off_a_terminal_is_only_shown_on_request(
    wanted: bool | None, shows: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job run by cron stays quiet on stderr unless --progress asks for lines."""
    with live_progress(Output(), wanted) as listener:
        assert (listener is not None) == shows
        if listener is not None:
            listener(RegionStarted("Burgos", 1, 0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert bool(shown.err) == shows


def terminal_text(code: str) -> str:
    """What a person sees of a program whose stdout and stderr are one terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    program = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    try:
        while True:
            piece = os.read(master, 65536)
            if not piece:
                break
            seen += piece
    except OSError:
        assert program.wait(30) == 0
    finally:
        os.close(master)
        program.kill()
        program.wait()
    return seen.decode()


def test_on_a_terminal_bars_are_drawn_and_lines_stay_whole() -> None:
    """A person sees a bar with bytes per image and in total, and log lines above them unchanged."""
    text = terminal_text(ON_TERMINAL)
    assert "Burgos: debian-12" in text
    assert "total" in text
    assert "0.5/1.0 MiB" in text or "512.0/1,024.0 KiB" in text
    assert "INFO:Burgos: a line above [bold]the bars[/bold]\r\n" in text
    assert "INFO:after\r\n" in text
