"""``config sample``: every option with its explanation (issue point 7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.sync.images.conf import check, load, sample
from app.sync.images.conf.model import Policy
from app.sync.images.conf.schema import OPTIONS

SETTINGS_FILE = Path(__file__).parents[4] / "settings" / "glancesync.conf"
ENVIRON = {
    "OS_USERNAME": "eve",
    "OS_PASSWORD": "apple",
    "OS_AUTH_URL": "http://e:5000",
    "OS_TENANT_NAME": "garden",
    "OS_REGION_NAME": "Burgos",
}


def uncommented() -> str:
    """The sample with every option in force, at its default."""
    lines = [line for line in sample().splitlines() if "<region>" not in line]
    return "\n".join(re.sub(r"^#(?=\w)", "", line) for line in lines)


def test_shipped_file_is_the_sample() -> None:
    """The file in settings is what config sample prints; make it anew when an option changes."""
    assert SETTINGS_FILE.read_text(encoding="utf-8") == sample()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_explained(option) -> None:
    """Each option stands in the sample with its explanation, its default and its variables."""
    text = sample()
    assert f"\n#{option.name} = {option.default}".rstrip() + "\n" in text
    explanation = re.search(
        rf"^# {re.escape(option.name)} \((?:.*\n)*?#{re.escape(option.name)} =", text, re.M
    )
    words = re.sub(r"\s*\n#\s*", " ", explanation.group())
    assert option.help in words
    assert all(name in words for name in (*option.env, *option.choices))


def test_sample_means_what_no_file_means(conf_file) -> None:
    """A user can begin with the sample as it is."""
    settings = load(conf_file(sample()), environ=ENVIRON)
    assert settings.master_region == "Burgos"
    assert settings.targets["master"].policy == Policy()
    assert check(conf_file(sample()), environ=ENVIRON) == []


def test_documented_defaults_are_in_force(conf_file) -> None:
    """Writing out every default changes nothing but the warning about the deprecated option."""
    written = load(conf_file(uncommented()), environ=ENVIRON)
    silent = load(conf_file(sample()), environ=ENVIRON)
    assert written.targets == silent.targets
    assert (written.max_children, written.images_dir, written.preferable_order) == (1, None, ())
    (warning,) = written.warnings
    assert "use_keystone_v3" in warning


def test_lines_are_short() -> None:
    """The sample can be read in a terminal."""
    assert max(len(line) for line in sample().splitlines()) <= 105
