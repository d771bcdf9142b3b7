"""The client as a distribution: what pip installs is whole, and the openstack command finds the plugin."""

from __future__ import annotations

from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from tests.functional.client.osc import install, openstack
from tests.functional.client.service import ROOT, Service

COMMANDS = {
    "sync region list", "sync region show", "sync region start",
    "sync task list", "sync task show", "sync task cancel",
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the client into."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def distribution(installed: Path) -> Distribution:
    """What was installed."""
    return PathDistribution(next(installed.glob("syncline_client-*.dist-info")))


def test_whole_package_is_installed(installed: Path) -> None:
    """Every module is there, with the mark that it is typed."""
    source = ROOT / "client" / "syncline_client"
    wanted = {str(path.relative_to(source)) for path in source.rglob("*") if path.suffix in {".py", ".typed"}}
    there = installed / "syncline_client"
    assert {name for name in wanted if not (there / name).is_file()} == set()
    assert (there / "py.typed").is_file()


def test_entry_points_lead_somewhere(distribution: Distribution) -> None:
    """The commands of the documentation are the ones that are registered, and each can be loaded."""
    commands = {entry.name for entry in distribution.entry_points if entry.group == "openstack.sync.v1"}
    assert commands == {name.replace(" ", "_") for name in COMMANDS}
    assert all(entry.load() for entry in distribution.entry_points)


def test_needs_nothing_of_the_service(distribution: Distribution) -> None:
    """The library needs keystoneauth and requests; the openstack command is an extra."""
    plain = [text for text in distribution.requires or [] if "extra" not in text]
    assert sorted(text.split(">")[0].strip() for text in plain) == ["keystoneauth1", "requests"]


def test_openstack_knows_the_commands(installed: Path, tmp_path: Path) -> None:
    """``openstack sync --help`` lists what there is."""
    done = openstack(installed, tmp_path, "command", "list", "--group", "openstack.sync.v1", "-f", "value")
    assert done.returncode == 0, done.stderr
    assert {name for name in COMMANDS if name not in done.stdout} == set()


def test_openstack_speaks_with_a_service(installed: Path, tmp_path: Path, idle: Service) -> None:
    """With auth_type none and an address the command works without any Keystone."""
    (tmp_path / "clouds.yaml").write_text(
        f"clouds:\n  here:\n    auth_type: none\n    auth:\n      endpoint: {idle.url}\n", encoding="utf-8"
    )
    call = ("--os-cloud", "here", "--os-sync-endpoint", idle.url, "sync", "region", "list", "-f", "value")
    done = openstack(installed, tmp_path, *call, "-c", "Name")
    assert done.returncode == 0, done.stderr
    assert {region.name for region in idle.client.regions()} == set(done.stdout.split())
