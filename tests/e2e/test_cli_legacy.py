"""``sync.py`` in place of the original (spec images 7.1 to 7.7)."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import SYNC, Backups, Directories


def test_it_synchronises(backups: Backups) -> None:
    """Without a mode the regions are synchronised, with the lines of the original."""
    done = backups.sync("Burgos")
    assert done.lines[:3] == [
        "======Master is Valladolid",
        "======Burgos",
        "INFO:Burgos: Uploading image kernel, 6.1 (0.0009765625 MB)",
    ]
    assert (done.code, len(backups.names("Burgos"))) == (0, 3)


@pytest.mark.parametrize("modifier", [(), ("--parallel",)], ids=["alone", "parallel"])
@pytest.mark.parametrize("mode", ["--dry-run", "--show-status", "--show-regions", "--make-backup"])
def test_parallel_never_turns_a_report_into_a_run(
    directories: Directories, mode: str, modifier: tuple[str, ...]
) -> None:
    """--parallel only changes how a run goes: no mode writes to a region because of it."""
    before = directories.files()
    done = directories.sync(*modifier, mode, "Burgos")
    assert done.code == 0, done.err
    assert directories.files() == before


def test_show_status_is_the_report(backups: Backups) -> None:
    """--show-status prints the CSV of the status report."""
    done = backups.sync("--show-status", "Burgos")
    assert done.out == backups.run("status", "Burgos").out
    assert done.out.startswith("ok,Burgos,small\r\n")


def test_show_regions_ignores_regions_but_checks_them(backups: Backups) -> None:
    """--show-regions always prints all destinations; a target that does not exist is still an error."""
    assert backups.sync("--show-regions", "Burgos").out == "Burgos other:Madrid\n"
    assert backups.sync("--show-regions", "nobody:").code == 2


@pytest.mark.parametrize("option", ["--make-backup", "--make-backups"])
def test_make_backup(backups: Backups, option: str) -> None:
    """Both spellings save the regions and the master."""
    done = backups.sync(option, "Burgos")
    assert done.lines == ["INFO:Backup of region Burgos", "INFO:Backup of region Valladolid"]
    assert len(list(backups.home.glob("backup_glance_*/*.csv"))) == 2


def test_config_is_greedy(backups: Backups) -> None:
    """Several overrides may follow one --config."""
    done = backups.sync("Burgos", "--config", "master.metadata_condition=image.name == 'x'", "max_children=2")
    assert done.lines[-1] == "INFO:Burgos: Region is synchronized."
    assert backups.names("Burgos") == ["small"]


def test_parallel_run(backups: Backups) -> None:
    """--parallel writes one log per region and reports who has finished."""
    done = backups.sync("--parallel", "Burgos", "other:Madrid")
    assert done.lines[-1] == "All is done."
    assert sorted(done.lines[1:-1]) == ["Region Burgos has finished", "Region other:Madrid has finished"]
    assert len(list(backups.home.glob("sync_*/*.txt"))) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("--dry-run", "--show-status"), 2, id="two-modes"),
        pytest.param(("--config", "novalue"), 2, id="no-equals"),
        pytest.param(("Nowhere",), 2, id="unknown-region"),
        pytest.param(("--config-file", "missing.conf"), 1, id="no-such-file"),
        pytest.param(("--cloud", "nonsense"), 2, id="unknown-cloud"),
    ],
)
def test_exit_codes(backups: Backups, arguments: tuple[str, ...], code: int) -> None:
    """Wrong usage is 2, a wrong configuration 1, each explained on stderr."""
    done = backups.sync(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err


def test_help_needs_no_configuration(backups: Backups) -> None:
    """--help answers wherever it is called."""
    backups.conf.unlink()
    done = backups.call(SYNC, "--help")
    assert done.code == 0
    assert done.out.startswith("usage: sync.py")
