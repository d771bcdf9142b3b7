"""The configuration in force as text without secrets."""

from __future__ import annotations

import pytest

from app.cli.effective import as_file, effective, option_text, shown
from app.sync.images.conf.model import Credential, ObsoleteMode, Policy, Settings, Target
from app.sync.images.conf.option import Kind, Option, Record
from app.sync.images.conf.schema import OPTIONS

PLAIN = Option("plain", Kind.URL, Record.TARGET, "A URL.")
SECRET = Option("secret", Kind.LITERAL, Record.CREDENTIAL, "A secret.")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (30.0, "30"),
        (0.5, "0.5"),
        ("text", "text"),
        (frozenset({"b", "a"}), "a, b"),
        (("b", "a"), "b, a"),
        ({"x": "1", "a": "2"}, "a:2, x:1"),
        (ObsoleteMode.BOTH, "both"),
    ],
)
def test_values_are_written_as_in_the_file(value: object, text: str) -> None:
    """Every kind of value is shown in the syntax that the file takes."""
    assert option_text(value) == text


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        pytest.param(SECRET, "word", "***", id="secret"),
        pytest.param(SECRET, "", "", id="no-secret"),
        pytest.param(PLAIN, "https://me:word@host/path", "https://***@host/path", id="within-a-url"),
        pytest.param(PLAIN, "https://host/a@b", "https://host/a@b", id="at-sign-in-a-path"),
        pytest.param(PLAIN, "a\nb", "a\\nb", id="one-line"),
    ],
)
def test_secrets_are_masked(option: Option, value: str, text: str) -> None:
    """A secret that is set becomes a mask; an unset one is seen to be unset."""
    assert shown(option, value) == text


def test_every_option_of_every_section_is_shown() -> None:
    """No option that is in force is missing from the report, and no secret is in it."""
    credential = Credential(
        "http://k", password="t0p-s3cret", token="t0p-s3cret", application_credential_secret="t0p-s3cret"
    )
    target = Target("master", Policy(), credential, endpoint_override={"Burgos": "http://b"})
    sections = effective(Settings("Valladolid", {"master": target}))
    wanted = {option.name for option in OPTIONS if option.record is not Record.NONE}
    seen = {name for section in sections.values() for name in section}
    assert wanted - seen == {"endpoint_override.<region>"}
    assert sections["master"]["endpoint_override.Burgos"] == "http://b"
    assert "t0p-s3cret" not in as_file(sections)


def test_a_target_without_credential_is_shown() -> None:
    """Clouds of files need no credential; the rest of their configuration is shown all the same."""
    sections = effective(Settings("V", {"master": Target("master", Policy())}))
    assert "replace" in sections["master"]
    assert "password" not in sections["master"]
