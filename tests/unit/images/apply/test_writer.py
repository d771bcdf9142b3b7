"""Marks of a dead process are recognised; marks of a living one are respected (spec images 14.6)."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from app.sync.images.apply.writer import (
    FOREIGN_GRACE,
    Writer,
    has_lost_its_lease,
    is_abandoned,
    look_up,
    this_writer,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_own_marks_are_recognised():
    """A mark of the present process is its own."""
    assert look_up(this_writer()) is Writer.SELF


def test_marks_of_another_process_follow_its_life():
    """A mark counts as alive while its process lives and as gone afterwards."""
    code = "from app.sync.images.apply.writer import this_writer; print(this_writer(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    name = child.stdout.readline().strip()
    assert look_up(name) is Writer.ALIVE
    child.kill()
    child.wait(10)
    assert look_up(name) is Writer.GONE
    child.stdin.close()
    child.stdout.close()


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("0123456789abcdef:1:1", Writer.ELSEWHERE),
        ("", Writer.GONE),
        ("nonsense", Writer.GONE),
        ("a:b:c", Writer.GONE),
        ("../../etc/passwd:-1:x", Writer.GONE),
    ],
)
def test_foreign_and_broken_marks(mark, expected):
    """Another machine's mark is told apart from rubbish; neither raises."""
    assert look_up(mark) is expected


def test_reused_process_id_is_not_mistaken():
    """The same process id with another start time is another process."""
    machine, pid, start = this_writer().split(":")
    assert pid == str(os.getpid())
    assert look_up(f"{machine}:{pid}:{int(start) + 1}") is Writer.GONE


@pytest.mark.parametrize(
    ("writer", "age", "expected"),
    [
        (Writer.SELF, timedelta(0), True),
        (Writer.GONE, timedelta(0), True),
        (Writer.ALIVE, timedelta(days=400), False),
        (Writer.ELSEWHERE, FOREIGN_GRACE - timedelta(seconds=1), False),
        (Writer.ELSEWHERE, FOREIGN_GRACE + timedelta(seconds=1), True),
    ],
)
def test_who_may_be_cleaned_up_after(writer, age, expected):
    """Only a gone writer's images, or those of an unseen one after a day, may be removed."""
    assert is_abandoned(writer, (NOW - age).isoformat(), NOW) is expected
    assert is_abandoned(writer, (NOW - age).isoformat().replace("+00:00", ""), NOW) is expected


@pytest.mark.parametrize("created_at", [None, "", "yesterday"])
def test_unknown_age_of_an_unseen_writer_counts_as_old(created_at):
    """Without a readable date nothing would ever be cleaned."""
    assert is_abandoned(Writer.ELSEWHERE, created_at, NOW)


@pytest.mark.parametrize(
    ("marked_under_lease", "we_hold_it", "expected"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_who_holds_the_lease_takes_over_from_who_held_it(marked_under_lease, we_hold_it, expected):
    """Under a region's lease only marks made under that lease are known to be left behind."""
    mark = this_writer(leased=marked_under_lease)
    assert has_lost_its_lease(mark, leased=we_hold_it) is expected
    assert look_up(mark) is Writer.SELF
