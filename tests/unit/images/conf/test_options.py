"""What each option means (spec 2.3, 2.4, 14)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigurationError
from app.sync.images.conf.model import (
    ObsoleteMode,
    Policy,
    SetMode,
    Settings,
    SignaturePolicy,
    Target,
    Tls,
    VisibilityMode,
)
from app.sync.images.conf.option import Kind, Record
from app.sync.images.conf.schema import BY_NAME, OPTIONS, TRANSPORTS, find_option
from app.sync.images.conf.values import boolean, http_url, items, parse, path_below, shown
from app.sync.images.transfer.choice import CONFIGURABLE

RECORDS = {Record.SETTINGS: Settings, Record.TARGET: Target, Record.POLICY: Policy, Record.TLS: Tls}
LISTS = ["forcesyncs", "metadata_set", "replace", "rename", "dontupdate", "obsolete_syncprops", "stores"]
BOOLEANS = [
    option.name for option in OPTIONS if option.kind is Kind.BOOLEAN and option.record is Record.POLICY
]


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        pytest.param("interface = internal", "interface", "internal", id="interface"),
        pytest.param("interface = Admin", "interface", "admin", id="choices ignore case"),
        pytest.param("interface =", "interface", "public", id="blank choice is the default"),
        pytest.param(
            "transport = stream, glance-direct", "transport", ("stream", "glance-direct"), id="order"
        ),
        pytest.param("transport = Local-File, auto", "transport", ("local-file", "auto"), id="auto last"),
        pytest.param("transport = None", "transport", ("auto",), id="no transport is the default"),
        pytest.param("ignore_regions = a, b,,a", "ignore_regions", {"a", "b"}, id="ignore_regions"),
        pytest.param("tenant_id = 77", "tenant_id", "77", id="tenant_id"),
        pytest.param("retries = 0", "retries", 0, id="no retries"),
        pytest.param("list_images_timeout = 60", "list_images_timeout_seconds", 60, id="listing"),
        pytest.param("connect_timeout = 2.5", "connect_timeout_seconds", 2.5, id="fractions of seconds"),
        pytest.param("read_timeout = 5", "read_timeout_seconds", 5, id="answers"),
        pytest.param("stall_timeout = 5", "stall_timeout_seconds", 5, id="stalls"),
        pytest.param("import_timeout = 5", "import_timeout_seconds", 5, id="imports"),
        pytest.param("all_stores_must_succeed = no", "all_stores_must_succeed", False, id="stores"),
        pytest.param(
            "web_download_uri = https://files.example/{id}/",
            "web_download_uri",
            "https://files.example/{id}/",
            id="web_download_uri",
        ),
        pytest.param(
            "Endpoint_Override.Burgos = http://g:9292/\nendpoint_override.x.y: https://h",
            "endpoint_override",
            {"Burgos": "http://g:9292", "x.y": "https://h"},
            id="endpoints keep the case of regions",
        ),
        pytest.param(
            "endpoint_override.a = http://g\n[DEFAULT]\nendpoint_override.a = http://x\n"
            "endpoint_override.b = http://h",
            "endpoint_override",
            {"a": "http://g", "b": "http://h"},
            id="endpoints from DEFAULT",
        ),
        pytest.param(
            "endpoint_override.a =\n[DEFAULT]\nendpoint_override.a = http://x",
            "endpoint_override",
            {},
            id="a blank endpoint cancels DEFAULT's",
        ),
    ],
)
def test_target_option(load_with, line: str, field: str, expected: object) -> None:
    """Each option of a target reaches its field."""
    assert getattr(load_with(line).targets["master"], field) == expected


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        pytest.param("forcesyncs = 003, 004", "forcesyncs", {"003", "004"}, id="forcesyncs"),
        pytest.param("forcesyncs = None", "forcesyncs", set(), id="None is empty"),
        pytest.param("forcesyncs = none", "forcesyncs", set(), id="none is empty"),
        pytest.param(
            "forcesyncs = None, 003", "forcesyncs", {"None", "003"}, id="None beside others is text"
        ),
        pytest.param("metadata_set = nid, type", "metadata_set", {"nid", "type"}, id="metadata_set"),
        pytest.param(
            "metadata_set = ,nid,, type,", "metadata_set", {"nid", "type"}, id="empty elements dropped"
        ),
        pytest.param("metadata_set = nid,\n  type", "metadata_set", {"nid", "type"}, id="several lines"),
        pytest.param("metadata_set = nid,\\\n  type", "metadata_set", {"nid", "type"}, id="backslash"),
        pytest.param("replace = any", "replace", {"any"}, id="any"),
        pytest.param("replace = ch1, any", "replace", {"ch1", "any"}, id="any at the end"),
        pytest.param("rename = any, ch2", "rename", {"ch2", "any"}, id="rename"),
        pytest.param("dontupdate = sha512:ab", "dontupdate", {"sha512:ab"}, id="hash with algorithm"),
        pytest.param(
            "obsolete_syncprops = p1,p3", "obsolete_syncprops", {"p1", "p3"}, id="obsolete_syncprops"
        ),
        pytest.param("obsolete_mode = hide", "obsolete_mode", ObsoleteMode.HIDE, id="obsolete_mode"),
        pytest.param(
            "sync_visibility = exact", "sync_visibility", VisibilityMode.EXACT, id="sync_visibility"
        ),
        pytest.param("tags_mode = merge", "tags_mode", SetMode.MERGE, id="tags_mode"),
        pytest.param("members_mode = exact", "members_mode", SetMode.EXACT, id="members_mode"),
        pytest.param(
            "signature_policy = require", "signature_policy", SignaturePolicy.REQUIRE, id="signature_policy"
        ),
        pytest.param("project_map = a:b, c : d", "project_map", {"a": "b", "c": "d"}, id="project_map"),
        pytest.param("project_map = None", "project_map", {}, id="no project_map"),
        pytest.param("certificate_map = a:b", "certificate_map", {"a": "b"}, id="certificate_map"),
        pytest.param(
            "ignored_properties = b*, a, b*", "ignored_properties", ("b*", "a"), id="ignored_properties"
        ),
        pytest.param("stores = fast, slow", "stores", {"fast", "slow"}, id="stores"),
        pytest.param("metadata_condition =", "condition", None, id="blank condition"),
    ],
)
def test_policy_option(load_with, line: str, field: str, expected: object) -> None:
    """Each rule of a target reaches its field."""
    value = getattr(load_with(line).targets["master"].policy, field)
    assert value == expected
    assert type(value) is type(getattr(Policy(), field)) or isinstance(expected, dict)


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("value", [True, False])
def test_policy_switch(load_with, name: str, value: bool) -> None:
    """Each switch can be turned on and off."""
    text = "on" if value else "off"
    assert getattr(load_with(f"{name} = {text}").targets["master"].policy, name) is value


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        pytest.param("preferable_order = b, other:a, b", "preferable_order", ("b", "other:a"), id="order"),
        pytest.param("preferable_order = None", "preferable_order", (), id="no order"),
        pytest.param("max_children = 4", "max_children", 4, id="max_children"),
        pytest.param("images_dir = /srv/images", "images_dir", Path("/srv/images"), id="images_dir"),
        pytest.param("images_dir = None", "images_dir", None, id="no images_dir"),
        pytest.param("images_dir = ~/images", "images_dir", Path("/home/u/images"), id="home directory"),
        pytest.param("[DEFAULT]\nmax_children = 4", "max_children", 4, id="main takes from DEFAULT"),
    ],
)
def test_main_option(load_with, line: str, field: str, expected: object) -> None:
    """Each option of main reaches its field."""
    section = "" if line.startswith("[") else "[main]\n"
    assert getattr(load_with(section + line, environ={"HOME": "/home/u"}), field) == expected


def test_relative_paths_start_at_the_file(load_with, tmp_path: Path) -> None:
    """A relative path means the same from wherever the tool is started."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.pem").touch()
    settings = load_with("cacert = tls/ca.pem\n[main]\nimages_dir = images")
    assert settings.images_dir == tmp_path / "images"
    assert settings.targets["master"].tls == Tls(cacert=str(tmp_path / "tls" / "ca.pem"))


def test_tls(load_with, tmp_path: Path) -> None:
    """TLS files come from the section, and for master else from the environment."""
    for name in ("ca", "cert", "key", "other"):
        (tmp_path / name).touch()
    environ = {f"OS_{name.upper()}": str(tmp_path / name) for name in ("cert", "key")}
    environ["OS_CACERT"] = str(tmp_path / "ca")
    lines = "cert = other\n[third]\ncredential = u,cA==,http://k,t"
    settings = load_with(lines, environ=environ)
    assert settings.targets["third"].tls == Tls()
    assert settings.targets["master"].tls == Tls(
        cacert=str(tmp_path / "ca"), cert=str(tmp_path / "other"), key=str(tmp_path / "key")
    )


@pytest.mark.parametrize("interface", ["internal", "internalURL"])
def test_interface_from_the_environment(load_with, interface: str) -> None:
    """OS_INTERFACE counts for master only, in both spellings of the OpenStack clients."""
    settings = load_with("[third]\ncredential = u,cA==,http://k,t", environ={"OS_INTERFACE": interface})
    assert settings.targets["master"].interface == "internal"
    assert settings.targets["third"].interface == "public"


def test_condition_is_compiled(load_with) -> None:
    """A condition is compiled when the file is read, its continuation lines joined."""
    lines = "metadata_condition = image.is_public and\\\n 'type' in\\\n   image.user_properties"
    condition = load_with(lines).targets["master"].policy.condition
    assert condition.text == "image.is_public and 'type' in image.user_properties"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("max_children = 0", "at least 1", id="no children"),
        pytest.param("max_children = -1", "at least 1", id="negative"),
        pytest.param("max_children = many", "'many'", id="no number"),
        pytest.param("max_children = 1.5", "whole number", id="fraction"),
        pytest.param("max_children =", "whole number", id="blank number"),
        pytest.param("retries = -1", "at least 0", id="negative retries"),
        pytest.param("list_images_timeout = 0", "number of seconds of at least 1", id="no time"),
        pytest.param("list_images_timeout = nan", "number of seconds", id="not a number"),
        pytest.param("read_timeout = inf", "number of seconds", id="no end"),
        pytest.param("only_tenant_images = maybe", "neither yes nor no", id="bad switch"),
        pytest.param("only_tenant_images =", "neither yes nor no", id="blank switch"),
        pytest.param("insecure = 2", "neither yes nor no", id="bad number as switch"),
        pytest.param("use_keystone_v3 = 3", "neither yes nor no", id="deprecated switch"),
        pytest.param("obsolete_mode = delete", "rename, hide, both", id="unknown mode"),
        pytest.param("interface = publicURL2", "public, internal, admin", id="unknown interface"),
        pytest.param("transport = stream, pigeon", "'pigeon'", id="unknown transport"),
        pytest.param("project_map = a:b, c", "'c' is no pair", id="half a pair"),
        pytest.param("project_map = :b", "no pair", id="pair without source"),
        pytest.param("web_download_uri = file:///etc", "not an HTTP URL", id="local URL"),
        pytest.param("endpoint_override.a = glance", "not an HTTP URL", id="endpoint without scheme"),
        pytest.param("metadata_condition = image.", "metadata_condition", id="condition syntax"),
        pytest.param("metadata_condition = __import__('os')", "metadata_condition", id="forbidden condition"),
        pytest.param("metadata_set = 5%", "%%", id="percent sign"),
        pytest.param("cacert = nowhere.pem", "no file", id="no such certificate"),
        pytest.param("key = key.pem", "without cert", id="key alone"),
    ],
)
def test_bad_value(load_with, line: str, words: str) -> None:
    """A wrong value is an error that names file, line, section, option and what is allowed."""
    name = line.partition(" =")[0]
    section = "main" if name == "max_children" else "master"
    with pytest.raises(ConfigurationError) as caught:
        load_with(f"[{section}]\n{line}")
    assert words in str(caught.value)
    assert caught.value.remedy
    assert caught.value.where.endswith(f"glancesync.conf, line 10, [{section}] {name}")


def test_bad_interface_in_the_environment(load_with) -> None:
    """A wrong OS_INTERFACE is reported like a wrong option."""
    with pytest.raises(ConfigurationError, match="'intern' is not known"):
        load_with("", environ={"OS_INTERFACE": "intern"})


def test_bad_condition_names_the_column(load_with) -> None:
    """The error about a condition tells where in the condition."""
    with pytest.raises(ConfigurationError, match="column 7"):
        load_with("metadata_condition = 1 and (")


@pytest.mark.parametrize("word", ["1", "yes", "true", "on", "YES", "True", "oN"])
def test_true(word: str) -> None:
    """Four words mean yes, in any case."""
    assert boolean(word) is True


@pytest.mark.parametrize("word", ["0", "no", "false", "off", "NO", "False", "oFF"])
def test_false(word: str) -> None:
    """Four words mean no, in any case."""
    assert boolean(word) is False


@pytest.mark.parametrize(
    "url",
    ["http://", "http:///path", "//server", "http://a b", "http://[::1", "javascript:x", "http://a:99999"],
)
def test_bad_url(url: str) -> None:
    """What is no HTTP URL is refused before anything is sent there."""
    with pytest.raises(ConfigurationError):
        http_url(url)


@pytest.mark.parametrize(
    "url", ["", "http://a", "https://a.b:5000/identity/v3", "http://[::1]:80/", "HTTP://A"]
)
def test_good_url(url: str) -> None:
    """HTTP URLs stay as they are written."""
    assert http_url(url) == url


@given(st.text())
def test_any_url_is_accepted_or_refused(text: str) -> None:
    """No text makes the check of URLs fail otherwise."""
    try:
        assert http_url(text) == text
    except ConfigurationError as error:
        assert "URL" in error.what  # noqa: PT017


@given(st.text())
def test_list_elements(text: str) -> None:
    """List elements are never blank, never repeated, and have no blanks around them."""
    found = items(text)
    assert len(set(found)) == len(found)
    assert all(item and item == item.strip() and "," not in item for item in found)


def test_long_values_are_cut_in_messages() -> None:
    """A message stays readable whatever the value is."""
    assert len(shown("x" * 10_000)) < 80
    assert shown("x\n") == r"'x\n'"


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", "/etc/a"), ("/a", "/a"), ("~/a", "/home/u/a"), ("~", "/home/u"), ("~other/a", "/etc/~other/a")],
)
def test_path(text: str, path: str) -> None:
    """Paths are relative to the file, and ~ is the user's home."""
    assert path_below(Path("/etc"), "/home/u", text) == Path(path)


def test_path_without_home() -> None:
    """Without a home directory ~ is an ordinary name."""
    assert path_below(Path("/etc"), "", "~/a") == Path("/etc/~/a")


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.record in RECORDS], ids=lambda option: option.name
)
def test_schema_and_records_agree(option) -> None:
    """The default that an option documents is the one that counts, and its field exists."""
    field = RECORDS[option.record].__dataclass_fields__[option.attribute]
    if option.kind in (Kind.TEXT, Kind.PATH, Kind.URL):
        assert option.default == ""
    else:
        default = field.default if field.default_factory is not dict else field.default_factory()
        assert parse(option, option.default) == default


def test_every_field_has_an_option() -> None:
    """Nothing in the settings is out of the user's reach."""
    fields = {(record, name) for record, kind in RECORDS.items() for name in kind.__dataclass_fields__} - {
        *((Record.TARGET, name) for name in ("name", "policy", "credential", "tls")),
        *((Record.SETTINGS, name) for name in ("targets", "source", "warnings")),
    }
    assert fields == {(option.record, option.attribute) for option in OPTIONS if option.record in RECORDS}


def test_option_names_are_unique_and_lower_case() -> None:
    """Each option is explained once, under a name that the reader can find."""
    assert len(BY_NAME) == len(OPTIONS)
    assert all(name == name.lower() for name in BY_NAME)
    assert all(option.help.endswith(".") for option in OPTIONS)


def test_transports_are_those_of_the_engine() -> None:
    """The transports that may be configured are the ones that exist."""
    assert set(TRANSPORTS) == set(CONFIGURABLE)


def test_find_option() -> None:
    """All endpoint_override.X are one option."""
    assert find_option("retries") is BY_NAME["retries"]
    assert find_option("endpoint_override.Burgos") is BY_NAME["endpoint_override.<region>"]
    assert find_option("retry") is None
