"""Where lines go, and what happens when nobody reads them any more."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from app.cli.output import Output
from app.sync.status import Level, Notice

TALK = """
import sys
from app.cli.failures import guarded, prepare_streams
from app.cli.output import Output
prepare_streams()
output = Output(survive={survive})
def work():
    sys.stdin.readline()
    for number in range(20000):
        output.line("x" * 100)
    sys.stderr.write("finished")
    return 0
sys.exit(guarded(work))
"""


def without_reader(survive: bool) -> tuple[int, str]:
    """Exit code and stderr of a program whose standard output is closed before it writes."""
    program = subprocess.Popen(
        [sys.executable, "-c", TALK.format(survive=survive)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    program.stdout.close()
    program.stdout = None
    _, errors = program.communicate(b"go\n", timeout=60)
    return program.returncode, errors.decode()


def test_a_run_survives_its_reader() -> None:
    """Copying goes on to its end when whoever read the lines has gone away."""
    assert without_reader(survive=True) == (0, "finished")


def test_a_report_ends_with_its_reader() -> None:
    """A report that nobody reads ends quietly, as any program in a pipe does."""
    assert without_reader(survive=False) == (141, "")


def test_line_and_aside_go_to_their_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of the report are on stdout; what must not stand in it is on stderr, escaped as well."""
    output = Output()
    output.line("INFO:a\nb")
    output.aside(Notice(Level.ERROR, "c\x1bd"))
    output.warn("e")
    shown = capsys.readouterr()
    assert shown.out == "INFO:a\\nb\n"
    assert shown.err == "ERROR:c\\x1bd\nWARNING:e\n"


def test_document_is_written_as_it_is(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """CSV records keep their CRLF."""
    Output().document("ok,R,x\r\n\n")
    assert capsysbinary.readouterr().out == b"ok,R,x\r\n\n"


def test_lines_step_aside_for_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json standard output holds the document alone."""
    output = Output(lines_to_stderr=True)
    output.line("INFO:busy")
    output.document("{}\n")
    assert capsys.readouterr() == ("{}\n", "INFO:busy\n")


def test_lines_go_above_the_bars(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal a line is written above the bars and does not tear them."""
    above: list[str] = []
    output = Output()
    output.above_bars = above.append
    output.line("one")
    output.error_line("two")
    assert above == ["one", "two"]
    assert capsys.readouterr() == ("", "")


def test_lines_of_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of regions that work at the same time are never mixed within a line."""
    output = Output()

    def talk(letter: str) -> None:
        for _ in range(200):
            output.line(letter * 50)

    threads = [threading.Thread(target=talk, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(letter * 50 for letter in "abcd" for _ in range(200))


def test_a_narrow_terminal_shows_escapes() -> None:
    """A name that the terminal's character set lacks is shown escaped instead of failing."""
    code = (
        "from app.cli.failures import prepare_streams\nfrom app.cli.output import Output\n"
        "prepare_streams()\nOutput().line('caf\\u00e9 \\U0001f427')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        timeout=30,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout == b"caf\\xe9 \\U0001f427\n"
