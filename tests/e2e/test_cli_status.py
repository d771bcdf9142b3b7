"""``run.py status`` and ``regions`` as a person or a script calls them (spec images 7.5, 7.6, 7.8)."""

from __future__ import annotations

import csv
import io

import pytest

from tests.e2e.conftest import RUN, Backups, Directories, row

UGLY = 'comma, "quote"\nnew line 🐧'


def test_status_is_csv_and_nothing_else(backups: Backups) -> None:
    """Per region CRLF records sorted by size and name, then one LF; stdout carries nothing else."""
    done = backups.run("status", "Burgos", "other:")
    assert done.out == (
        'ok,Burgos,small\r\npending_upload,Burgos,"kernel, 6.1"\r\npending_upload,Burgos,big\r\n\n\n'
    )
    assert done.code == 0


def test_status_warnings_go_to_stderr(backups: Backups) -> None:
    """A conflict, an odd option and a duplicate on the master are told beside the CSV, never in it."""
    backups.conf.write_text(backups.conf.read_text() + "ignore_region = x\n")
    backups.region("Valladolid", [row("small"), row("twin", "2"), row("twin", "3")])
    backups.region("Burgos", [row("small", "11", region="Burgos", checksum="else")])
    done = backups.run("status", "Burgos")
    assert done.out == "error_checksum,Burgos,small\r\n\n"
    assert done.code == 0
    assert "WARNING:Image small has a different checksum (else) in region Burgos" in done.err
    assert "WARNING:Duplicated images with name twin will be ignored" in done.err
    assert "ignore_region" in done.err


def test_status_of_a_broken_region_spares_the_others(backups: Backups) -> None:
    """A region that cannot be read prints only an ERROR line on stderr, and the exit code is 3."""
    backups.region("Caceres")
    (backups.cloud / "backup_Burgos.csv").write_text("one,two\n")
    done = backups.run("status", "Burgos", "Caceres")
    assert [line.split(",")[1] for line in done.lines if line] == ["Caceres"] * 3
    assert done.err.startswith("ERROR:Burgos: ")
    assert len(done.err.splitlines()) == 1
    assert done.code == 3


def test_status_needs_the_master(backups: Backups) -> None:
    """Without a readable master there is nothing to compare with: exit code 1 and one line."""
    (backups.cloud / "backup_Valladolid.csv").write_text("one,two\n")
    done = backups.run("status", "Burgos")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ERROR:")
    assert len(done.err.splitlines()) == 1


def test_status_of_ugly_names_reads_back(backups: Backups) -> None:
    """Commas, quotes, line breaks and emoji in a name survive the CSV and the JSON report."""
    backups.region("Valladolid", [row(UGLY)])
    backups.region("Burgos")
    records = list(csv.reader(io.StringIO(backups.run("status", "Burgos").out, newline="")))
    assert records[0] == ["pending_upload", "Burgos", UGLY]
    (region,) = backups.run("status", "--json", "Burgos").document["regions"]
    assert region["items"][0]["name"] == UGLY


def test_status_json_has_counts_items_and_errors(backups: Backups) -> None:
    """The JSON report holds every region, with counts, or the reason why it has none."""
    (backups.cloud / "backup_other:Madrid.csv").write_text("one,two\n")
    done = backups.run("status", "--json", "Burgos", "other:Madrid")
    burgos, madrid = done.document["regions"]
    assert burgos["counts"] == {"ok": 1, "pending_upload": 2}
    assert [item["name"] for item in burgos["items"]] == ["small", "kernel, 6.1", "big"]
    assert madrid["error"]["code"] == "invalid_data"
    assert done.code == 3


def test_status_table_is_for_people(backups: Backups) -> None:
    """--table shows one row per image and one column per region."""
    done = backups.run("status", "--table", "Burgos")
    assert "pending_upload" in done.out
    assert "Burgos" in done.lines[1]
    assert done.code == 0


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param((), "Burgos other:Madrid", id="all"),
        pytest.param(("--with-master",), "Valladolid Burgos other:Madrid", id="with-master"),
        pytest.param(("other:",), "other:Madrid", id="one-target"),
        pytest.param(("other:Madrid", "Burgos"), "other:Madrid Burgos", id="as-given"),
        pytest.param(("Burgos", "master:Burgos"), "Burgos", id="once"),
    ],
)
def test_regions_on_one_line(backups: Backups, arguments: tuple[str, ...], names: str) -> None:
    """The destinations of target master come first, then those of the others, blank separated."""
    done = backups.run("regions", *arguments)
    assert (done.code, done.out, done.err) == (0, f"{names}\n", "")
    document = backups.run("regions", "--json", *arguments).document
    assert document["regions"] == names.split()
    assert document["master"] == "Valladolid"


@pytest.mark.parametrize(
    ("command", "region"),
    [
        *(
            (command, "Nowhere")
            for command in ("status", "regions", "backup", "images list", "images delete")
        ),
        *(("sync", region) for region in ("Nowhere", "other:Nowhere", "nobody:", "nobody:Burgos")),
    ],
)
def test_unknown_region_ends_before_anything_runs(backups: Backups, command: str, region: str) -> None:
    """An unknown region or target is named on stderr with exit code 2, and nothing has happened."""
    before = backups.files()
    selector = ["--name", "x"] if command == "images delete" else []
    done = backups.run(command, *selector, "Burgos", region)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert region.strip(":").partition(":")[2] in done.err
    assert backups.files() == before
    assert sorted(path.name for path in backups.home.iterdir()) == ["glancesync.conf", "regions"]


def test_status_reads_and_never_writes(directories: Directories) -> None:
    """Looking changes nothing."""
    before = directories.files()
    assert directories.run("status", "Burgos", "other:").code == 0
    assert directories.files() == before


def test_status_ends_quietly_when_its_reader_does(backups: Backups) -> None:
    """A reader that has seen enough (head) ends the report without a traceback."""
    done = backups.unread(RUN, "status", "Burgos")
    assert (done.code, done.err) == (141, "")
