"""No secret reaches a log line, whoever wrote it there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.observe.secrets import MASK, SecretFilter, known_secrets
from app.settings import AuthSettings, JobSettings, ServiceSettings, StoreSettings

TOKEN = "gAAAAABm" + "x1_Y-" * 20
WEB_TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

SHOWN = {
    "database URL": ("postgresql+psycopg://sync:hunter2@db/sync is away", "hunter2"),
    "URL with an at sign in the password": ("amqp://u:p@ss@host:5672//", "p@ss"),
    "URL without user": ("redis://:hunter2@host/0", "hunter2"),
    "Fernet token": (f"token {TOKEN} was refused", TOKEN),
    "Fernet token in a path": (f"GET /v3/auth/tokens/{TOKEN}", TOKEN),
    "signed token": (f"got {WEB_TOKEN}.", WEB_TOKEN),
    "header": ("X-Auth-Token: abcdef0123456789abcdef", "abcdef0123456789"),
    "header in a dict": ("{'X-Subject-Token': 'abcdef0123456789'}", "abcdef0123456789"),
    "basic authorization": ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "bearer authorization": ("authorization: bearer abc.def", "abc.def"),
    "JSON": ('{"password": "top secret", "user": "u"}', "top secret"),
    "option": ("service_password = swordfish", "swordfish"),
    "query": ("/x?token=swordfish&limit=2", "swordfish"),
    "secret of an application credential": ("application_credential_secret=swordfish", "swordfish"),
}


@pytest.mark.parametrize(("text", "secret"), SHOWN.values(), ids=SHOWN)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    """Tokens, and passwords in URLs, headers, options and JSON, do not reach the log."""
    masked = SecretFilter()(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "GET '/regions/federation2:Madrid': 200",
        "task 27cee8de-e5b4-11f1-885e-02fc00000001: the database does not answer",
        "http://127.0.0.1:8080/regions",
        "image eyJaw is 5 MB",
        "mail to a@b.example",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    """Region names, ids and addresses can be read."""
    assert SecretFilter()(text) == text


@given(secret=st.text(min_size=4, max_size=40), before=st.text(), after=st.text())
def test_known_secrets_never_appear(secret: str, before: str, after: str) -> None:
    """A value that is known to be secret is masked wherever it stands."""
    masked = SecretFilter([secret])(f"{before}{secret}{after}")
    assert secret not in masked.replace(MASK, "") or secret in MASK


def test_secrets_of_the_settings_are_known() -> None:
    """Every secret option is masked, and of a URL its password; short words are left alone."""
    settings = ServiceSettings(
        service=StoreSettings(database_url="postgresql://sync:d%40tabase@db/sync"),
        auth=AuthSettings(service_password="key=stone"),
        jobs=JobSettings(broker_url="amqp://sync:br0ker@rabbit//"),
    )
    assert known_secrets(settings) == {"d@tabase", "key=stone", "br0ker"}
    assert SecretFilter(["abc"])("abcdef") == "abcdef"


def test_a_url_without_password_is_no_secret() -> None:
    """The path of a SQLite file can be read in the log."""
    settings = ServiceSettings(service=StoreSettings(database_url="sqlite:////var/lib/x.db"))
    assert known_secrets(settings) == set()


def test_a_broken_url_is_masked_whole() -> None:
    """A URL that cannot be read may hold a password anywhere."""
    settings = ServiceSettings(service=StoreSettings(database_url="postgresql://u:x@h:port/db"))
    assert known_secrets(settings) == {"postgresql://u:x@h:port/db"}
