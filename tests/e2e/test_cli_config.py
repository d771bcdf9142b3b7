"""``run.py config``: sample, check and show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import RUN, Backups

FULL = """\
[main]
master_region = Valladolid
preferable_order = Burgos, other:Madrid

[master]
user = someone
password = clear-%-secret
keystone_url = http://server:5000/v3
tenant = tenant1
metadata_condition = image.is_public
replace = any, md5:abc
endpoint_override.Burgos = http://127.0.0.1:9292

[other]
credential = user2,c2VjcmV0LXdvcmQ=,http://server2:5000/v3,tenant2
"""
SECRETS = ("clear-%-secret", "secret-word", "c2VjcmV0LXdvcmQ=")


@pytest.fixture
def full(backups: Backups) -> Backups:
    """A place with a configuration that holds secrets of every kind."""
    backups.conf.write_text(FULL)
    return backups


def test_sample_passes_its_own_check(backups: Backups) -> None:
    """The sample is a configuration: check finds nothing wrong with the form of it."""
    sample = backups.call(RUN, "config", "sample")
    assert sample.code == 0
    assert "master_region" in sample.out
    backups.conf.write_text(sample.out)
    done = backups.call(RUN, "config", "check", str(backups.conf), "--config", "main.master_region=V")
    assert not any("unknown option" in line for line in done.lines)


def test_check_of_a_sound_file_is_silent(backups: Backups) -> None:
    """Nothing wrong: no line, exit code 0."""
    done = backups.call(RUN, "config", "check", str(backups.conf))
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("how", ["argument", "option"])
def test_check_names_file_line_option_and_remedy(backups: Backups, how: str) -> None:
    """All findings are listed, each with its line; an error makes the exit code 1."""
    backups.conf.write_text("[main]\nmaster_region = V\nmax_children = many\n[master]\nsurprise = 1\n")
    file = [str(backups.conf)] if how == "argument" else ["--config-file", str(backups.conf)]
    done = backups.call(RUN, "config", "check", *file)
    assert done.code == 1
    assert any(
        line.startswith("ERROR:") and "line 3" in line and "max_children" in line for line in done.lines
    )
    assert any(line.startswith("WARNING:") and "line 5" in line and "surprise" in line for line in done.lines)
    assert all(str(backups.conf) in line for line in done.lines if ", line " in line)


def test_check_warnings_are_no_failure(backups: Backups) -> None:
    """An unknown option alone is a warning with exit code 0."""
    backups.conf.write_text(backups.conf.read_text() + "surprise = 1\n")
    done = backups.call(RUN, "config", "check", str(backups.conf))
    assert done.code == 0
    assert len(done.lines) == 1


def test_check_json(backups: Backups) -> None:
    """Findings are records for scripts."""
    backups.conf.write_text(backups.conf.read_text() + "surprise = 1\n")
    done = backups.call(RUN, "config", "check", "--json", str(backups.conf))
    (finding,) = done.document["findings"]
    assert (finding["section"], finding["option"], finding["severity"]) == ("other", "surprise", "WARNING")
    assert finding["line"] == backups.conf.read_text().count("\n")


@pytest.mark.parametrize("as_json", [False, True], ids=["file", "json"])
def test_show_masks_every_secret(full: Backups, as_json: bool) -> None:
    """The configuration in force is shown with masks where secrets are."""
    done = full.call(RUN, "config", "show", "--config-file", str(full.conf), *(["--json"] if as_json else []))
    assert done.code == 0, done.err
    assert "***" in done.out
    for secret in SECRETS:
        assert secret not in done.out + done.err


def test_show_is_what_is_in_force(full: Backups) -> None:
    """File, overrides and defaults come together, as a file that means the same again."""
    show = (RUN, "config", "show", "--config-file")
    done = full.call(*show, str(full.conf), "--config", "main.max_children=7")
    assert f"# Source: {full.conf}" in done.lines
    for line in (
        "max_children = 7",
        "preferable_order = Burgos, other:Madrid",
        "metadata_condition = image.is_public",
        "replace = any, md5:abc",
        "only_tenant_images = yes",
        "list_images_timeout = 30",
        "endpoint_override.Burgos = http://127.0.0.1:9292",
        "password = ***",
    ):
        assert line in done.lines
    again = Path(full.home / "again.conf")
    again.write_text(done.out)
    shown = full.call(*show, str(again))
    assert shown.lines[1:] == done.lines[1:]


def test_show_of_a_missing_file(backups: Backups) -> None:
    """A file that was named and is not there is an error, never ignored."""
    done = backups.call(RUN, "config", "show", "--config-file", "missing.conf")
    assert (done.code, done.out) == (1, "")
    assert "missing.conf" in done.err
