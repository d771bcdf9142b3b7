"""``config check`` tells everything that is wrong or odd (issue point 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import ConfigurationError, UsageError
from app.sync.images.conf import check, load
from app.sync.images.conf.findings import Finding
from app.sync.images.conf.schema import OPTIONS
from app.sync.status import Level

COMPLETE = """[main]
master_region = Valladolid
[master]
credential = user,cA==,http://server,tenant
"""


def test_good_file_has_no_findings(check_text) -> None:
    """There is nothing to say about a file without faults."""
    assert check_text(COMPLETE) == []


def test_all_findings(check_text) -> None:
    """Every fault is found in one go, with line, section, option, severity and remedy."""
    text = """[main]
max_children = 0
nonsense
retries = 3
[DEFAULT]
only_tenant_images = perhaps
[master]
credential = user,abcde,http://server,tenant
metadata_condition = image.
[other]
ignore_region = x
tags_mode = some
"""
    found = [(item.line, item.section, item.option, item.severity) for item in check_text(text)]
    assert found == [
        (1, "main", "master_region", Level.ERROR),
        (2, "main", "max_children", Level.ERROR),
        (3, "main", "", Level.ERROR),
        (4, "main", "retries", Level.WARNING),
        (6, "DEFAULT", "only_tenant_images", Level.ERROR),
        (8, "master", "credential", Level.ERROR),
        (9, "master", "metadata_condition", Level.ERROR),
        (10, "other", "", Level.ERROR),
        (11, "other", "ignore_region", Level.WARNING),
        (12, "other", "tags_mode", Level.ERROR),
    ]
    assert all(item.message and item.remedy for item in check_text(text))


def test_fault_in_default_is_reported_once(check_text) -> None:
    """A fault in [DEFAULT] is one finding, however many sections see it."""
    text = f"{COMPLETE}[other]\ncredential = user,cA==,http://server,tenant\n[DEFAULT]\nretries = x\n"
    assert [item.line for item in check_text(text)] == [8]


@pytest.mark.parametrize(
    ("lines", "option", "words"),
    [
        pytest.param("ignore_region = a", "ignore_region", "did you mean ignore_regions?", id="misspelt"),
        pytest.param("colour = red", "colour", "config sample", id="unlike any option"),
        pytest.param("max_children = 3", "max_children", "move it to [main]", id="belongs to main"),
        pytest.param("[main]\nreplace = a", "replace", "no effect in [main]", id="belongs to a target"),
        pytest.param("replace = a\nreplace = b", "replace", "set again", id="set twice"),
        pytest.param("use_keystone_v3 = yes", "use_keystone_v3", "deprecated", id="deprecated"),
        pytest.param("password = 100%%", "password", "literally", id="doubled percent sign in a password"),
        pytest.param("token = %(user)s", "token", "literally", id="reference in a token"),
        pytest.param("insecure = yes", "insecure", "NOT VERIFIED", id="insecure"),
        pytest.param("transport = web-download", "transport", "web_download_uri", id="no URI"),
        pytest.param("transport = local-file, stream", "transport", "images_dir", id="no images_dir"),
        pytest.param("web_download_uri = http://f/x", "web_download_uri", "{id}", id="URI without id"),
        pytest.param("members_mode = merge", "members_mode", "project_map", id="no project_map"),
        pytest.param("replace = Any", "replace", "lower-case", id="Any"),
        pytest.param("rename = x, ANY", "rename", "lower-case", id="ANY"),
        pytest.param("[Main]\ncredential = u,cA==,http://s,t", "", "write [main]", id="Main"),
        pytest.param("[default]\ncredential = u,cA==,http://s,t", "", "write [DEFAULT]", id="default"),
        pytest.param("[a:b]\ncredential = u,cA==,http://s,t", "", "without colons", id="colon"),
        pytest.param("[ a]\ncredential = u,cA==,http://s,t", "", "without colons", id="blank"),
    ],
)
def test_warning(check_text, load_text, lines: str, option: str, words: str) -> None:
    """What has no effect, or another one than it seems, is a warning; the file still loads."""
    (finding,) = check_text(COMPLETE + lines)
    assert (finding.option, finding.severity) == (option, Level.WARNING)
    assert words in f"{finding.message} {finding.remedy}"
    assert finding.line is not None
    assert load_text(COMPLETE + lines).warnings == (str(finding),)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("[DEFAULT]\nmax_children = 3", id="any option may stand in DEFAULT"),
        pytest.param(
            "[DEFAULT]\nserver = s\n[master]\nkeystone_url = http://%(server)s", id="name for reuse"
        ),
        pytest.param("endpoint_override.Burgos = http://g", id="endpoint of a region"),
        pytest.param("replace = a\n[other]\nreplace = b\ncredential = u,cA==,http://s,t", id="two sections"),
        pytest.param("transport = local-file\n[main]\nimages_dir = /srv", id="images_dir is set"),
        pytest.param("dontupdate = Any", id="any has no meaning in dontupdate"),
    ],
)
def test_nothing_odd(check_text, lines: str) -> None:
    """Files that mean what they say raise no warning."""
    assert check_text(COMPLETE + lines) == []


def test_finding_as_text(check_text, tmp_path: Path) -> None:
    """A finding reads: where, what, what to do."""
    (finding,) = check_text(COMPLETE + "retries = x")
    path = tmp_path / "glancesync.conf"
    assert str(finding) == (
        f"{path}, line 5, [master] retries: 'x' is not a whole number of at least 0 (the default is 3)"
    )
    assert finding.where == f"{path}, line 5, [master] retries"
    assert str(Finding(None, "", "", Level.ERROR, "message")) == "message"


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is one finding, not an exception."""
    (finding,) = check(tmp_path / "gone", environ={})
    assert finding.severity is Level.ERROR
    assert finding.origin == str(tmp_path / "gone")
    assert "cannot be read" in finding.message


def test_file_from_the_environment(conf_file) -> None:
    """The same file is checked that would be loaded."""
    path = conf_file(COMPLETE + "colour = red")
    (finding,) = check(environ={"GLANCESYNC_CONFIG": str(path)})
    assert finding.option == "colour"


def test_overrides_are_checked(check_text) -> None:
    """Options of the command line are checked too, and told apart from the file's."""
    (finding,) = check_text(COMPLETE, ["master.retries=x"])
    assert (finding.line, finding.origin, finding.option) == (None, "--config", "retries")
    with pytest.raises(UsageError):
        check_text(COMPLETE, ["retries"])


def test_fault_in_another_file_is_told(check_text, tmp_path: Path) -> None:
    """A fault of clouds.yaml is labelled with that file."""
    (tmp_path / "clouds").write_text("clouds: [", encoding="utf-8")
    text = COMPLETE.replace("credential = user,cA==,http://server,tenant", "cloud = home")
    (finding,) = check_text(text, (), {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds")})
    assert f"{tmp_path / 'clouds'}, line 1: the file is not YAML" in finding.message
    assert finding.section == "master"


NAMES = st.sampled_from([*(option.name for option in OPTIONS), "unknown", "endpoint_override.R"])
VALUES = st.sampled_from(
    ["", "None", "yes", "3", "-1", "a, b", "a:b", "%", "%(user)s", "http://s", "image."]
) | (st.text(max_size=12))
LINES = st.builds("{} = {}".format, NAMES, VALUES) | st.sampled_from(
    ["[main]", "[master]", "[DEFAULT]", "[other]", "junk", "  more", "# remark"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(LINES, max_size=12))
def test_check_and_load_agree(tmp_path: Path, lines: list[str]) -> None:
    """A file loads exactly if the check finds no error in it, and neither fails in another way."""
    path = tmp_path / "f"
    path.write_text("\n".join(["[main]", *lines]), encoding="utf-8", errors="replace")
    findings = check(path, environ={})
    errors = [finding for finding in findings if finding.severity is Level.ERROR]
    if errors:
        with pytest.raises(ConfigurationError):
            load(path, environ={})
    else:
        assert len(load(path, environ={}).warnings) == len(findings)
    assert len(set(findings)) == len(findings)
