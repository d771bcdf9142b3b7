"""How a failure leaves the program: one line, one exit code, no secret (spec images 7.8)."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from app.cli.output import abandon_stdout
from app.cli.text import one_line
from app.errors import SynclineError

EXIT_OK = 0
EXIT_CONFIGURATION = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""What a shell reports of a program that a closed pipe ended."""

ISSUE_HINT = "this is a defect of syncline: please report it, with the output of the same command and --debug"
MASK = "***"


@dataclass(slots=True)
class Session:
    """What one call of the program knows about itself.

    ``secrets`` are texts that must not be printed, not even in a traceback.
    """

    debug: bool = False
    secrets: set[str] = field(default_factory=set)

    def masked(self, text: str) -> str:
        """The text without any secret of the configuration in use."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def guarded(work: Callable[[], int | None]) -> int:
    """Run a command and turn every failure that was foreseen into its exit code and one line."""
    try:
        return work() or EXIT_OK
    except SynclineError as error:
        sys.stderr.write(f"ERROR:{one_line(str(error))}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        abandon_stdout()
        return EXIT_BROKEN_PIPE


def _unexpected(
    session: Session, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if session.debug:
        sys.stderr.write(session.masked("".join(traceback.format_exception(kind, error, trace))))
    sys.stderr.write(f"ERROR:unexpected {kind.__name__}: {ISSUE_HINT}\n")


def _unexpected_in_thread(session: Session, crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        _unexpected(session, crash.exc_type, crash.exc_value, crash.exc_traceback)


def install_hook(session: Session) -> None:
    """Show an exception that nobody foresaw as its type and a hint; its text may hold a secret."""
    sys.excepthook = partial(_unexpected, session)
    threading.excepthook = partial(_unexpected_in_thread, session)


def prepare_streams() -> None:
    """Let a terminal or pipe of a narrow character set show escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def wants_debug(arguments: Sequence[str]) -> bool:
    """Whether tracebacks were asked for; looked at before parsing, which may fail itself."""
    return "--debug" in arguments
