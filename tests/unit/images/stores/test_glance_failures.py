"""One mapping from what servers answer to the error hierarchy (spec 14.11)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    AuthenticationError,
    BadAnswerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QuotaError,
    RemoteError,
    RemoteFaultError,
    RemoteTimeoutError,
)
from app.sync.images.stores.glance.failures import (
    EXPLANATION_CHARACTERS,
    explanation,
    failure,
    located,
    one_line,
    retry_after_seconds,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TOKEN = "gAAAAABm" + "x1_-" * 40


@pytest.mark.parametrize(
    ("status", "expected", "retryable"),
    [
        (400, RemoteError, False),
        (401, AuthenticationError, False),
        (403, ForbiddenError, False),
        (404, NotFoundError, False),
        (405, RemoteError, False),
        (408, RemoteTimeoutError, True),
        (409, ConflictError, False),
        (410, NotFoundError, False),
        (413, QuotaError, False),
        (415, RemoteError, False),
        (416, ConflictError, False),
        (429, RemoteFaultError, True),
        (500, RemoteFaultError, True),
        (502, RemoteFaultError, True),
        (503, RemoteFaultError, True),
        (504, RemoteTimeoutError, True),
        (507, QuotaError, False),
        (300, BadAnswerError, False),
        (302, BadAnswerError, False),
    ],
)
def test_status_decides_the_error(status: int, expected: type[RemoteError], retryable: bool) -> None:
    """Each failure says what failed, where, and whether trying again can help."""
    error = failure(status, {}, "because", doing="delete image 42", where="Burgos (http://x)", now=NOW)
    assert type(error) is expected
    assert error.retryable is retryable
    assert error.where == "Burgos (http://x)"
    assert error.what == f"cannot delete image 42: because (HTTP {status})"


@pytest.mark.parametrize("status", [429, 503])
def test_servers_patience_is_passed_on(status: int) -> None:
    """A server that asks for patience is believed (429 and 503 with Retry-After)."""
    error = failure(status, {"Retry-After": "7"}, "", doing="x", where="", now=NOW)
    assert isinstance(error, RemoteFaultError)
    assert error.retry_after_seconds == 7


def test_error_of_pure_code_learns_where_it_happened() -> None:
    """Every error of a region names the region, and keeps the place it already knows."""
    with pytest.raises(BadAnswerError) as caught, located("Burgos (http://x)"):
        raise BadAnswerError("endless", remedy="wait")
    assert (caught.value.what, caught.value.where, caught.value.remedy) == (
        "endless",
        "Burgos (http://x)",
        "wait",
    )
    with pytest.raises(ConflictError) as known, located("Burgos"):
        raise ConflictError("x", where="Caceres")
    assert known.value.where == "Caceres"


def test_redirect_names_the_address_it_points_to() -> None:
    """A redirected call is not followed with a token in hand; the person learns the right address."""
    error = failure(301, {"Location": "https://glance/v2"}, "", doing="x", where="")
    assert "https://glance/v2" in error.remedy


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("-5", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 12:00:30", 30.0),
        ("²", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    """Seconds or a date; what is neither counts as not given."""
    assert retry_after_seconds(value, NOW) == seconds


GLANCE_PAGE = """<html>
 <head>
  <title>403 Forbidden</title>
 </head>
 <body>
  <h1>403 Forbidden</h1>
  Image 42 is &#x27;protected&#x27; and cannot be deleted.<br /><br />
 </body>
</html>"""
CONFLICT_PAGE = """<html><head><title>409 Conflict</title></head><body><h1>409 Conflict</h1>
 There was a conflict when trying to complete your request.<br /><br />
Property nix does not exist.
</body></html>"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (GLANCE_PAGE, "Image 42 is 'protected' and cannot be deleted."),
        (CONFLICT_PAGE, "Property nix does not exist."),
        ('{"error": {"message": "No such user", "code": 401, "title": "Unauthorized"}}', "No such user"),
        ('{"message": "a<br>b\\n\\nc", "code": 400}', "a<br>b c"),
        ('{"badRequest": {"message": "bad", "code": 400}}', "bad"),
        ('{"code": 400}', ""),
        ("[1, 2]", ""),
        ("plain words", "plain words"),
        ("", ""),
        ("2 < 3 and 5 > 4", "2 4"),
        ("tab\tand\x1b[31mred\x00\u2028end", "tab and [31mred end"),
        ("[" * 5000, "[" * (EXPLANATION_CHARACTERS - 3) + "..."),
    ],
    ids=[
        "html", "conflict", "keystone", "json", "nested", "no-message", "list", "text", "empty", "less",
        "control", "deep",
    ],
)  # fmt: skip
def test_message_is_the_servers_own_words_in_one_line(body: str, said: str) -> None:
    """A person reads why, not markup."""
    assert explanation(body) == said


@pytest.mark.parametrize(
    "text",
    [
        f"token {TOKEN} refused",
        f'{{"error": {{"message": "bad token {TOKEN}"}}}}',
        "cannot reach http://user:hunter2@host/v3",
        "pki " + "A1b2" * 60,
    ],
)
def test_message_holds_no_secret(text: str) -> None:
    """Tokens and passwords that a server echoes do not get into messages."""
    said = explanation(text)
    assert "***" in said
    assert not any(secret in said for secret in (TOKEN, "hunter2", "A1b2A1b2"))


@given(st.text(max_size=2000))
def test_any_text_becomes_one_bounded_line(text: str) -> None:
    """No answer of whatever content breaks a log line or fills it."""
    for said in (explanation(text), one_line(text), explanation(json.dumps({"message": text}))):
        assert len(said) <= EXPLANATION_CHARACTERS
        assert said.isprintable()


def test_long_answer_is_only_looked_into() -> None:
    """A huge error page costs no time: only its beginning is examined."""
    assert len(explanation("<" * 5_000_000)) <= EXPLANATION_CHARACTERS
