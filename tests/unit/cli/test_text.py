"""What names look like in lines, CSV records and file names."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.text import csv_rows, file_name, notice_line, one_line
from app.sync.status import Level, Notice


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("debian 12", "debian 12", id="ordinary"),
        pytest.param("naïve 🐧 日本", "naïve 🐧 日本", id="letters-and-emoji"),
        pytest.param("👩‍💻", "👩‍💻", id="joined-emoji"),
        pytest.param("a\nERROR:forged", "a\\nERROR:forged", id="line-feed"),
        pytest.param("a\r\tb", "a\\r\\tb", id="return-and-tab"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="terminal-escape"),
        pytest.param("a\u2028b\x85c", "a\\u2028b\\x85c", id="unicode-line-ends"),
        pytest.param("gpj\u202ejs", "gpj\\u202ejs", id="right-to-left-override"),
        pytest.param("a\ud800b", "a\\ud800b", id="lone-surrogate"),
        pytest.param("C:\\new", "C:\\new", id="backslash-stays"),
    ],
)
def test_one_line_shows_what_would_break_a_line(text: str, shown: str) -> None:
    """A name with control characters cannot forge a log line; ordinary names stay as they are."""
    assert one_line(text) == shown


@given(st.text())
def test_one_line_is_always_one_line_and_encodable(text: str) -> None:
    """Whatever a server calls an image, its line is one line of valid UTF-8."""
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


def test_notice_line_has_level_and_message() -> None:
    """The command line prints LEVEL:message."""
    assert notice_line(Notice(Level.WARNING, "Burgos: a\nb")) == "WARNING:Burgos: a\\nb"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3)))
def test_csv_rows_read_back_as_they_were(rows: list[list[str]]) -> None:
    """Names with commas, quotes and line breaks survive the CSV report."""
    text = csv_rows(rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows


def test_csv_rows_are_excel_records() -> None:
    """Records end in CRLF and are quoted only where needed."""
    assert csv_rows([["ok", "West", "kernel, 6.1"]]) == 'ok,West,"kernel, 6.1"\r\n'


@pytest.mark.parametrize(
    ("label", "name"),
    [
        pytest.param("Burgos", "Burgos", id="ordinary"),
        pytest.param("master:Burgos", "master:Burgos", id="as-given"),
        pytest.param("../../etc/x", "%2E.%2F..%2Fetc%2Fx", id="path-trick"),
        pytest.param("..", "%2E.", id="parent"),
        pytest.param("a%2Fb", "a%252Fb", id="not-mistaken-for-an-escape"),
        pytest.param("a\x00b", "a%00b", id="nul"),
    ],
)
def test_file_name_is_one_path_component(label: str, name: str) -> None:
    """A region's log file lies in the log directory, whatever the region is called."""
    assert file_name(label) == name


@given(st.text(min_size=1), st.text(min_size=1))
def test_file_names_of_two_labels_differ(one: str, other: str) -> None:
    """Two regions never share a log file."""
    assert (file_name(one) == file_name(other)) == (one == other)
    assert "/" not in file_name(one)
    assert "\0" not in file_name(one)
