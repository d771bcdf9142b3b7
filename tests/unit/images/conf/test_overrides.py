"""Options given with --config (spec 2.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigurationError, CredentialError, UsageError
from app.sync.images.conf.overrides import parse_overrides

FILE = """
[main]
master_region = Valladolid
max_children = 2
[DEFAULT]
metadata_condition = image.is_public
replace = a
[master]
credential = alice,d29uZGVy,http://keystone.example,images
replace = b
[other]
credential = bob,d29uZGVy,http://keystone2.example,copies
"""


@pytest.mark.parametrize(
    ("item", "section", "option", "value"),
    [
        pytest.param("master.retries=5", "master", "retries", "5", id="section and option"),
        pytest.param("retries=5", "DEFAULT", "retries", "5", id="bare option"),
        pytest.param("DEFAULT.retries=5", "DEFAULT", "retries", "5", id="DEFAULT named"),
        pytest.param("Other.Retries=5", "Other", "retries", "5", id="case of both parts"),
        pytest.param(" master.retries = 5 ", "master", "retries", "5", id="blanks"),
        pytest.param("metadata_condition=", "DEFAULT", "metadata_condition", "", id="blank value"),
        pytest.param(
            "metadata_condition=image.name == 'a=b'",
            "DEFAULT",
            "metadata_condition",
            "image.name == 'a=b'",
            id="equals signs in the value",
        ),
        pytest.param(
            "keystone_url=http://a.b.c:5000",
            "DEFAULT",
            "keystone_url",
            "http://a.b.c:5000",
            id="dots in value",
        ),
        pytest.param(
            "other.endpoint_override.Madrid=http://g",
            "other",
            "endpoint_override.Madrid",
            "http://g",
            id="endpoint of a region",
        ),
        pytest.param(
            "endpoint_override.Ma.drid=http://g",
            "DEFAULT",
            "endpoint_override.Ma.drid",
            "http://g",
            id="endpoint of a region, bare",
        ),
    ],
)
def test_parts(item: str, section: str, option: str, value: str) -> None:
    """An override names a section (or means DEFAULT) and splits at the first equals sign."""
    (entry,) = parse_overrides([item])
    assert (entry.section, entry.option, entry.value) == (section, option, value)
    assert entry.line is None


@pytest.mark.parametrize(
    "item",
    [
        pytest.param("retries", id="no equals sign"),
        pytest.param("", id="empty"),
        pytest.param("=5", id="no name"),
        pytest.param("master.=5", id="no option"),
        pytest.param(".retries=5", id="no section"),
        pytest.param("a.b.c=5", id="three parts"),
    ],
)
def test_malformed(item: str) -> None:
    """An override that names no option of a section is refused as a usage error."""
    with pytest.raises(UsageError) as caught:
        parse_overrides(["master.retries=5", item])
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_malformed_item_is_not_repeated() -> None:
    """A secret in a mistyped override does not reach the message."""
    with pytest.raises(UsageError) as caught:
        parse_overrides(["master.password:hunter2"])
    assert "hunter2" not in str(caught.value)
    assert "master.password" in str(caught.value)


@given(st.text(max_size=40))
def test_any_text(item: str) -> None:
    """Every text is an override or a usage error."""
    try:
        (entry,) = parse_overrides([item])
    except UsageError:
        return
    assert "=" in item
    assert entry.section
    assert entry.option


@pytest.mark.parametrize(
    ("overrides", "target", "expected"),
    [
        pytest.param(["replace=x"], "master", {"b"}, id="bare key is weaker than the section"),
        pytest.param(["DEFAULT.replace=x"], "master", {"b"}, id="so is DEFAULT named"),
        pytest.param(["replace=x"], "other", {"x"}, id="bare key replaces DEFAULT"),
        pytest.param(["master.replace=x"], "master", {"x"}, id="section key replaces the section's"),
        pytest.param(["master.replace=x"], "other", {"a"}, id="and touches no other section"),
        pytest.param(["master.replace="], "master", set(), id="blank empties a list"),
        pytest.param(["replace=x", "replace=y"], "other", {"y"}, id="the last one wins"),
        pytest.param(["master.replace=x, ,y"], "master", {"x", "y"}, id="lists as in the file"),
    ],
)
def test_strength(load_text, overrides: list[str], target: str, expected: set[str]) -> None:
    """Overrides count as if they stood at the end of the file."""
    assert load_text(FILE, overrides).targets[target].policy.replace == expected


@pytest.mark.parametrize(
    "key", ["metadata_condition", "DEFAULT.metadata_condition", "other.metadata_condition"]
)
def test_blank_condition_cancels_the_default(load_text, key: str) -> None:
    """A condition of the file is blanked by the command line."""
    assert load_text(FILE).targets["other"].policy.condition is not None
    assert load_text(FILE, [f"{key}="]).targets["other"].policy.condition is None


def test_main_is_overridden(load_text) -> None:
    """Options of main are overridden by their section, not by a bare key that the file beats."""
    assert load_text(FILE, ["main.max_children=7"]).max_children == 7
    assert load_text(FILE, ["max_children=7"]).max_children == 2


def test_unknown_section_is_created(load_text) -> None:
    """A section that the file lacks can be given on the command line alone."""
    credential = "third.credential=eve,d29uZGVy,http://keystone3.example,more"
    settings = load_text(FILE, [credential, "third.retries=9"])
    assert settings.targets["third"].retries == 9
    assert settings.targets["third"].credential.username == "eve"


def test_mistyped_section_is_noticed(load_text) -> None:
    """A typing error in a section's name does not pass silently: the new target has no credential."""
    with pytest.raises(CredentialError, match=r"\[mastre\]"):
        load_text(FILE, ["mastre.retries=9"])


def test_percent_signs_are_doubled(load_text) -> None:
    """Interpolation holds in overrides too."""
    assert load_text(FILE, ["master.replace=%(rename)s", "rename=r"]).targets["master"].policy.replace == {
        "r"
    }
    with pytest.raises(ConfigurationError, match="--config"):
        load_text(FILE, ["master.replace=5%"])


def test_password_is_literal(load_text) -> None:
    """A password given on the command line needs no doubled percent sign."""
    settings = load_text(FILE, ["DEFAULT.user=u", "password=a%b", "keystone_url=http://k", "tenant=t"])
    assert settings.targets["master"].credential.password == "a%b"


def test_bad_value_names_the_command_line(load_text) -> None:
    """The message about a bad override says where it came from."""
    with pytest.raises(ConfigurationError) as caught:
        load_text(FILE, ["main.max_children=0"])
    assert caught.value.where == "--config, [main] max_children"
