"""``run.py sync`` as a person or a script calls it (spec images 5.7, 7.3, 7.4, 7.8)."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import RUN, Backups, Directories, Place, row

HUGE_BYTES = 1 << 40
"""A sparse image that no run could finish; it takes no room on the disk."""


def log_directories(place: Place) -> list[Path]:
    """Log directories of parallel runs, oldest name first."""
    return sorted(place.home.glob("sync_*"))


def test_sequential_output(backups: Backups) -> None:
    """The master, then each region as given with its lines; everything on stdout."""
    done = backups.run("sync", "master:Burgos", "other:Madrid")
    assert done.lines == [
        "======Master is Valladolid",
        "======master:Burgos",
        "INFO:Burgos: Uploading image kernel, 6.1 (0.0009765625 MB)",
        "INFO:Burgos: Image uploaded.",
        "INFO:Burgos: Uploading image big (3 MB)",
        "INFO:Burgos: Image uploaded.",
        "INFO:Burgos:   Total uploaded to region: 3 (MB) ",
        "======other:Madrid",
        "INFO:other:Madrid: Region is synchronized.",
    ]
    assert (done.code, done.err) == (0, "")


def test_a_second_run_has_nothing_to_do(directories: Directories) -> None:
    """After a run every region is equal to the master, and the next one writes nothing."""
    assert directories.run("sync", "Burgos").code == 0
    before = directories.files()
    done = directories.run("sync", "Burgos")
    assert done.lines == [
        "======Master is Valladolid",
        "======Burgos",
        "INFO:Burgos: Region is synchronized.",
    ]
    assert directories.files() == before
    master, burgos = directories.images("Valladolid"), directories.images("Burgos")
    assert {name: image.checksum for name, image in burgos.items()} == {
        name: image.checksum for name, image in master.items()
    }


@pytest.mark.parametrize("parallel", [False, True], ids=["sequential", "parallel"])
def test_dry_run_writes_nothing(directories: Directories, parallel: bool) -> None:
    """A dry run tells what is pending, also together with --parallel, and writes to no region."""
    before = directories.files()
    done = directories.run("sync", "--dry-run", *(["--parallel"] if parallel else []), "Burgos")
    assert directories.files() == before
    assert done.code == 0
    told = log_directories(directories)[0].joinpath("Burgos.txt").read_text() if parallel else done.out
    assert "Burgos: Pending: small (" in told
    assert "Burgos: MBs pending : 2" in told
    assert "Image uploaded" not in told


def test_parallel_output_and_logs(backups: Backups) -> None:
    """--parallel says who has finished, and each region's bare lines are in its own log file."""
    (backups.cloud / "backup_Caceres.csv").write_text("one,two\n")
    done = backups.run("sync", "--parallel", "master:Burgos", "Caceres")
    assert done.lines[0] == "======Master is Valladolid"
    assert sorted(done.lines[1:-1]) == [
        "Region Caceres has finished with errors",
        "Region master:Burgos has finished",
    ]
    assert done.lines[-1] == "All is done."
    assert done.code == 3
    (logs,) = log_directories(backups)
    assert re.fullmatch(r"sync_\d{8}_\d{4}", logs.name)
    assert sorted(path.name for path in logs.iterdir()) == ["Caceres.txt", "master:Burgos.txt"]
    assert "Burgos: Image uploaded.\n" in (logs / "master:Burgos.txt").read_text()
    assert (logs / "Caceres.txt").read_text().startswith("Caceres: ")


def test_parallel_runs_never_share_logs(backups: Backups) -> None:
    """A run in the same minute as another gets a log directory of its own."""
    for _ in range(3):
        assert backups.run("sync", "--parallel", "Burgos").code == 0
    assert len(log_directories(backups)) == 3


def test_parallel_copies_every_byte(directories: Directories) -> None:
    """Regions synchronised at once hold the master's content."""
    directories.store("Caceres")
    assert directories.run("sync", "--parallel", "master:", "other:").code == 0
    wanted = {name: image.hash_value for name, image in directories.images("Valladolid").items()}
    for region in ("Burgos", "Caceres", "other:Madrid"):
        found = directories.images(region)
        assert {name: image.hash_value for name, image in found.items()} == wanted


def test_conflict_ends_with_3_and_spares_the_rest(backups: Backups) -> None:
    """An image that needs a person is warned about and counted; the others are synchronised."""
    backups.region("Burgos", [row("small", "11", region="Burgos", checksum="else")])
    done = backups.run("sync", "Burgos")
    assert done.code == 3
    assert "WARNING:Image small has a different checksum (else) in region Burgos" in done.out
    assert "Burgos: needs attention: error_checksum 1" in done.out
    assert backups.names("Burgos")[1:] == ['"kernel', "big"]


def test_one_region_down_never_stops_the_others(backups: Backups) -> None:
    """A region that fails has its ERROR line and the next one is synchronised; exit code 3."""
    backups.region("Caceres")
    (backups.cloud / "backup_Burgos.csv").write_text("one,two\n")
    done = backups.run("sync", "Burgos", "Caceres")
    assert done.code == 3
    assert any(line.startswith("ERROR:Burgos: ") for line in done.lines)
    assert len(backups.names("Caceres")) == 3


def test_duplicates_on_the_master_are_told_first(backups: Backups) -> None:
    """Names that two master images carry are warned about right after the master's header."""
    backups.region("Valladolid", [row("twin", "1"), row("twin", "2")])
    done = backups.run("sync", "--parallel", "Burgos")
    assert done.lines[1] == "WARNING:Duplicated images with name twin will be ignored"


def test_one_image_only(backups: Backups) -> None:
    """--image restricts a run to the images named."""
    backups.region("Burgos")
    assert backups.run("sync", "--image", "small", "--image", "big", "Burgos").code == 0
    assert backups.names("Burgos") == ["small", "big"]


def test_override_beats_the_file(backups: Backups) -> None:
    """--config K=V may be repeated and its value may hold an equals sign."""
    done = backups.run(
        "sync",
        "--config",
        "master.metadata_condition=image.name == 'small'",
        "--config",
        "max_children=2",
        "Burgos",
    )
    assert "Region is synchronized" in done.out
    assert backups.names("Burgos") == ["small"]


def test_json_report_is_alone_on_stdout(backups: Backups) -> None:
    """With --json stdout is one document with every outcome; the lines go to stderr."""
    backups.region("Burgos", [row("small", "11", region="Burgos", checksum="else")])
    done = backups.run("sync", "--json", "Burgos")
    assert done.code == 3
    assert "======Master is Valladolid" in done.err
    document = done.document
    assert (document["command"], document["dry_run"], document["interrupted"]) == ("sync", False, False)
    (region,) = document["regions"]
    assert region["state"] == "partial"
    assert region["counts"] == {"error_checksum": 1, "ok": 2}
    assert [(item["name"], item["before"], item["result"]) for item in region["items"]] == [
        ("small", "error_checksum", "unchanged"),
        ("kernel, 6.1", "pending_upload", "done"),
        ("big", "pending_upload", "done"),
    ]
    assert any(notice["level"] == "WARNING" for notice in region["notices"])


def test_progress_lines_stay_off_stdout(directories: Directories) -> None:
    """--progress without a terminal writes lines with percentages to stderr."""
    done = directories.run("sync", "--progress", "Burgos")
    assert "[100 %] Burgos: large, 2.9 MB: done" in done.err
    assert "%" not in done.out
    assert directories.run("sync", "--no-progress", "Burgos").err == ""


def test_names_cannot_forge_lines(backups: Backups) -> None:
    """A name with a line break stays within its line."""
    backups.region("Valladolid", [row("a\nERROR:forged\x1b[2J")])
    done = backups.run("sync", "Burgos")
    assert "INFO:Burgos: Uploading image a\\nERROR:forged\\x1b[2J (0.0009765625 MB)" in done.lines
    assert "\x1b" not in done.out


def test_copying_goes_on_without_a_reader(directories: Directories) -> None:
    """When the reader of stdout goes away the run still ends its work, with its exit code."""
    done = directories.unread(RUN, "sync", "Burgos")
    assert (done.code, done.err) == (0, "")
    assert sorted(directories.images("Burgos")) == ["large", "small"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_the_run_and_keeps_what_is_done(
    directories: Directories, number: signal.Signals, code: int
) -> None:
    """The first signal ends a run within a chunk: done images stay, the one under way leaves nothing."""
    huge = directories.images("Valladolid")["large"]
    data = directories.cloud / "Valladolid" / f"{huge.id}.data"
    os.truncate(data, HUGE_BYTES)
    record = data.with_suffix(".json")
    record.write_text(record.read_text().replace('"size":3000000', f'"size":{HUGE_BYTES}'))
    program = directories.start(RUN, "sync", *directories.options(), "Burgos", "other:Madrid")
    try:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith(b"INFO:Burgos: Uploading image large"):
                break
        program.send_signal(number)
        out, _ = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == code
    assert b"Region is synchronized" not in out
    found = directories.images("Burgos")
    assert found.pop("small").is_active
    assert all(not image.is_active for image in found.values())
    sizes = [path.stat().st_size for path in (directories.cloud / "Burgos").rglob("*")]
    assert max(sizes) < 100_000


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        pytest.param(["--cloud", "nonsense"], 2, "nonsense", id="unknown-cloud"),
        pytest.param(["--cloud", "directory:"], 2, "directory:", id="cloud-without-place"),
        pytest.param(["--cloud", "backup:missing"], 2, "missing", id="cloud-that-is-not-there"),
        pytest.param(["--config-file", "missing.conf"], 1, "missing.conf", id="no-such-file"),
        pytest.param(["--config", "main.max_children=some"], 1, "max_children", id="not-a-number"),
        pytest.param(["--config", "main.max_children=0"], 1, "max_children", id="below-its-minimum"),
        pytest.param(["--config", "a.b.c=d"], 2, "a.b.c", id="two-dots"),
        pytest.param(["--config", "master.metadata_condition=import os"], 1, "condition", id="condition"),
        pytest.param(["--config", "novalue"], 2, "novalue", id="no-equals"),
    ],
)
def test_wrong_input_is_one_clear_line(backups: Backups, options: list[str], code: int, told: str) -> None:
    """Wrong options and settings end with their exit code before anything is changed."""
    before = backups.files()
    done = backups.run("sync", *options, "Burgos")
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert "Traceback" not in done.err
    assert backups.files() == before


def test_without_any_configuration_it_works(backups: Backups) -> None:
    """The environment alone is configuration enough."""
    backups.environment = {"OS_REGION_NAME": "Valladolid", "OS_TENANT_NAME": "tenant1"}
    done = backups.call(RUN, "sync", "--cloud", f"backup:{backups.cloud}", "Burgos")
    assert done.code == 0, done.err
    assert len(backups.names("Burgos")) == 3


def test_without_a_master_region_it_says_what_to_set(backups: Backups) -> None:
    """A missing master region is explained with the option and the variable that set it."""
    done = backups.call(RUN, "sync", "--cloud", f"backup:{backups.cloud}", "Burgos")
    assert (done.code, done.out) == (1, "")
    assert "master_region" in done.err
    assert "OS_REGION_NAME" in done.err


def test_unreachable_keystone_is_a_connection_error(backups: Backups) -> None:
    """A Keystone that refuses connections ends with exit code 1, naming it and no secret."""
    backups.conf.write_text(
        "[main]\nmaster_region = Valladolid\n"
        "[master]\ncredential = user,c2VjcmV0LXdvcmQ=,http://127.0.0.1:9/v3,tenant1\nretries = 0\n"
    )
    done = backups.call(RUN, "sync", "--config-file", str(backups.conf), "Burgos")
    assert (done.code, done.out) == (1, "")
    assert "127.0.0.1:9" in done.err
    assert "secret-word" not in done.err
    assert "Traceback" not in done.err
