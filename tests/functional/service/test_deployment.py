"""The files for production: what can be checked without a container engine."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.settings_reader import OPTIONS
from scripts.check_dockerfile import stages

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.fixture(scope="module")
def image():
    """The last stage of the Dockerfile."""
    return stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))[-1]


def test_image_runs_as_nobody_special(image):
    """The image's user is a number that is not root."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.user)


def test_bases_are_named_exactly():
    """No base image floats: each carries a version and a Debian release."""
    for stage in stages((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", stage.base), stage.base


def test_nothing_is_fetched_but_the_requirements():
    """No ADD and no shell download: what is in the image comes from the checkout and the pinned list."""
    for stage in stages((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        assert "ADD" not in stage.others
        assert not [run for run in stage.runs if re.search(r"curl|wget|apt-get|git ", run)]


def test_image_looks_after_its_health(image):
    """An engine is told how to see whether the service lives."""
    assert {"HEALTHCHECK", "EXPOSE", "STOPSIGNAL"} <= image.others


def test_image_works_when_its_steps_are_followed():
    """Copied, migrated and started as the Dockerfile says, the service answers."""
    command = [sys.executable, "scripts/check_dockerfile.py", "--venv", sys.prefix]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_has_every_part_and_only_known_options():
    """API, worker, beat, database and broker, each setting of which is one that the service reads."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {"api", "worker", "beat", "postgres", "rabbitmq"} <= compose["services"].keys()
    for service in compose["services"].values():
        for variable in service.get("environment", {}):
            if variable.startswith("SYNCLINE_"):
                assert variable.removeprefix("SYNCLINE_").removesuffix("_FILE").lower() in OPTIONS
    commands = [service["command"][2] for service in compose["services"].values() if "command" in service]
    assert sorted(commands) == ["beat", "db", "worker"]


def test_compose_holds_no_secret():
    """Passwords come from files, never from the text."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"PASSWORD: +(?!/)\S", text)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_start_what_exists_without_root(unit):
    """A unit runs a command of run.py as its own user, may be reloaded, and cannot write elsewhere."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(unit, encoding="utf-8")
    service = parser["Service"]
    verb = service["ExecStart"].split()[-1]
    done = subprocess.run(
        [sys.executable, "run.py", verb, "--help"], cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert service["User"] == "syncline"
    assert service["ProtectSystem"] == "strict"
    assert "-HUP" in service["ExecReload"]


def test_there_are_units_for_every_process():
    """API, worker and beat."""
    assert [path.stem for path in UNITS] == ["syncline-api", "syncline-beat", "syncline-worker"]
