"""What an exception that nobody foresaw looks like."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.cli.connect import secrets_of
from app.cli.failures import Session, wants_debug
from app.sync.images.conf.model import Credential

CRASH = """
import threading, sys
from app.cli.failures import Session, install_hook
session = Session(debug={debug}, secrets={{"s3cret-word"}})
install_hook(session)
def crash():
    raise ValueError("cannot use s3cret-word")
if {thread}:
    worker = threading.Thread(target=crash); worker.start(); worker.join()
else:
    crash()
"""


def crashed(*, debug: bool, thread: bool = False) -> subprocess.CompletedProcess[str]:
    """A program that meets a defect."""
    code = CRASH.format(debug=debug, thread=thread)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("thread", [False, True], ids=["main", "worker-thread"])
def test_a_defect_is_one_line_without_the_message(thread: bool) -> None:
    """An unexpected exception shows its type and asks for a report; its text may hold a secret."""
    done = crashed(debug=False, thread=thread)
    assert done.returncode == (0 if thread else 1)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ERROR:unexpected ValueError: ")
    assert "--debug" in done.stderr


@pytest.mark.parametrize("thread", [False, True], ids=["main", "worker-thread"])
def test_debug_shows_the_traceback_without_secrets(thread: bool) -> None:
    """With --debug the traceback is shown, and a password in it is masked."""
    done = crashed(debug=True, thread=thread)
    assert "Traceback" in done.stderr
    assert "cannot use ***" in done.stderr
    assert "s3cret-word" not in done.stderr


def test_longer_secrets_are_masked_before_shorter_ones() -> None:
    """A secret that contains another one does not show its remainder."""
    assert Session(secrets={"abcd", "abcdefgh"}).masked("<abcdefgh>") == "<***>"


@pytest.mark.parametrize("field", ["password", "application_credential_secret", "token"])
def test_every_hidden_field_is_a_secret(field: str) -> None:
    """Whatever a credential hides from its own representation is masked everywhere."""
    credential = Credential("http://keystone", username="somebody", **{field: "hidden-value"})
    assert secrets_of(credential) == {"hidden-value"}


def test_debug_is_known_before_parsing() -> None:
    """A defect while arguments are parsed can be traced too."""
    assert wants_debug(["sync", "--debug"])
    assert not wants_debug(["sync"])
