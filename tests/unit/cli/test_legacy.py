"""The option grammar of the drop-in (spec images 7.1)."""

from __future__ import annotations

import argparse

import pytest

from app.cli.legacy import ORIGINAL, expanded, parser, written_out


def parse(*arguments: str) -> argparse.Namespace:
    """The options as the program sees them."""
    return parser().parse_args(written_out(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param((), {"regions": [], "parallel": False, "config": [], "dry_run": False}, id="nothing"),
        pytest.param(("Burgos", "other:"), {"regions": ["Burgos", "other:"]}, id="regions"),
        pytest.param(("--config", "a=b", "c.d=e=f"), {"config": ["a=b", "c.d=e=f"]}, id="greedy"),
        pytest.param(("Burgos", "--config", "a=b"), {"regions": ["Burgos"], "config": ["a=b"]}, id="before"),
        pytest.param(
            ("--config", "a=b", "--", "Burgos"), {"regions": ["Burgos"], "config": ["a=b"]}, id="dashes"
        ),
        pytest.param(("--config", "a=b", "--config", "c=d"), {"config": ["a=b", "c=d"]}, id="repeated"),
        pytest.param(("--config=a=b", "Burgos"), {"regions": ["Burgos"], "config": ["a=b"]}, id="attached"),
        pytest.param(("--parallel", "--dry-run"), {"parallel": True, "dry_run": True}, id="modifier"),
        pytest.param(("--make-backups",), {"make_backup": True}, id="backups"),
        pytest.param(("--c", "a=b"), {"config": ["a=b"]}, id="one-letter"),
        pytest.param(("--conf", "a=b"), {"config": ["a=b"]}, id="beside-config-file"),
        pytest.param(("--d",), {"dry_run": True, "debug": False}, id="beside-debug"),
        pytest.param(("--make",), {"make_backup": True}, id="backup-abbreviated"),
        pytest.param(("--show-s",), {"show_status": True}, id="status-abbreviated"),
        pytest.param(("--cloud", "backup:x", "--config-file", "f"), {"cloud": "backup:x"}, id="additions"),
        pytest.param(("--clo", "backup:x"), {"cloud": "backup:x"}, id="addition-abbreviated"),
    ],
)
def test_original_grammar(arguments: tuple[str, ...], expected: dict[str, object]) -> None:
    """Every call of the original, abbreviations included, means what it meant."""
    options = vars(parse(*arguments))
    assert {key: options[key] for key in expected} == expected


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--show-status", "--dry-run"), id="two-modes"),
        pytest.param(("--show-regions", "--make-backup"), id="two-reports"),
        pytest.param(("--config", "novalue"), id="no-equals"),
        pytest.param(("--config", "a=b", "Burgos"), id="region-swallowed"),
        pytest.param(("--config",), id="nothing-to-override"),
        pytest.param(("--show",), id="ambiguous"),
        pytest.param(("--unknown",), id="unknown"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Argument errors end with exit code 2 and a usage line on stderr."""
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sync.py")


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows the usage, the positional region and one text per option."""
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: sync.py [-h] [--parallel]")
    assert "[region ...]" in text
    for option in ORIGINAL:
        assert option in text


@pytest.mark.parametrize(
    ("argument", "whole"),
    [
        ("--p", "--parallel"),
        ("--s", "--s"),
        ("--show-r", "--show-regions"),
        ("-h", "-h"),
        ("--", "--"),
        ("Burgos", "Burgos"),
        ("p=--parallel", "p=--parallel"),
        ("--make-backups", "--make-backup"),
    ],
)
def test_expanded(argument: str, whole: str) -> None:
    """Only an unambiguous abbreviation of an original option is written out."""
    assert expanded(argument) == whole


def test_nothing_is_written_out_behind_two_dashes() -> None:
    """A region may be called like an option if it stands behind --."""
    assert written_out(("--p", "--", "--p")) == ["--parallel", "--", "--p"]
