"""``run.py images``: list, rename, set-properties and delete (spec images 7.9)."""

from __future__ import annotations

import csv
import io

import pytest

from tests.e2e.conftest import Backups, Directories, row


def records(text: str) -> list[list[str]]:
    """CSV records of a listing."""
    return list(csv.reader(io.StringIO(text, newline="")))


def test_list_shows_columns_and_properties(backups: Backups) -> None:
    """Eight columns as in a backup, then one per property asked for, empty where it is absent."""
    backups.region(
        "Burgos",
        [
            row("a", "11", region="Burgos", properties={"nid": 7}),
            row("b, c", "12", region="Burgos", checksum=None, owner=None, visibility="private"),
        ],
    )
    done = backups.run("images list", "--property", "nid", "Burgos")
    assert records(done.out) == [
        ["Burgos", "a", "11", "active", "1024", "sum-a", "tenant1id", "True", "7"],
        ["Burgos", "b, c", "12", "active", "1024", "", "", "False", ""],
    ]
    assert done.code == 0


def test_list_marks_differences_from_the_master(backups: Backups) -> None:
    """With --codes the first column tells how an image differs from the master's."""
    backups.region(
        "Burgos",
        [
            row("small", "11", region="Burgos", size=10),
            row("big", "12", region="Burgos", checksum="else"),
            row("own", "13", region="Burgos"),
        ],
    )
    done = backups.run("images list", "--codes", "Burgos")
    assert [(record[0], record[2]) for record in records(done.out)] == [
        ("", "small"),
        ("!", "big"),
        ("+", "own"),
    ]


def test_list_ours_and_json(backups: Backups) -> None:
    """--ours leaves out other projects; the JSON document has the complete records."""
    backups.region("Burgos", [row("a", "11", region="Burgos"), row("b", "12", region="Burgos", owner="x")])
    done = backups.run("images list", "--ours", "--codes", "--json", "Burgos")
    (image,) = done.document["images"]
    assert (image["name"], image["id"], image["code"]) == ("a", "11", "+")


def test_list_of_a_broken_region_spares_the_others(backups: Backups) -> None:
    """A region that fails has its ERROR line on stderr and exit code 3."""
    (backups.cloud / "backup_Burgos.csv").write_text("one,two\n")
    done = backups.run("images list", "Burgos", "Valladolid")
    assert len(records(done.out)) == 3
    assert done.err.startswith("ERROR:Burgos: ")
    assert done.code == 3


def test_rename_everywhere(directories: Directories) -> None:
    """The image is renamed on the master and in every region that has its content."""
    directories.run("sync", "Burgos")
    done = directories.run("images rename", "small", "tiny")
    assert done.code == 0, done
    assert len([line for line in done.lines if line.endswith("renamed to tiny")]) == 2
    for region in ("Valladolid", "Burgos"):
        assert sorted(directories.images(region)) == ["large", "tiny"]
    assert directories.run("status", "Burgos").lines[:2] == ["ok,Burgos,tiny", "ok,Burgos,large"]


def test_rename_goes_on_after_an_interruption(directories: Directories) -> None:
    """When the master has the new name already, the regions follow it."""
    directories.run("sync", "Burgos")
    assert directories.run("images rename", "small", "tiny", "Valladolid").code == 0
    assert directories.run("images rename", "small", "tiny").code == 0
    assert "tiny" in directories.images("Burgos")


def test_rename_leaves_other_content_alone(directories: Directories) -> None:
    """An image of the same name with another content keeps its name, and the exit code is 3."""
    directories.add("Burgos", "small", b"something else")
    done = directories.run("images rename", "small", "tiny")
    assert done.code == 3
    assert any(line.startswith("WARNING:Burgos: ") for line in done.lines)
    assert list(directories.images("Burgos")) == ["small"]


def test_rename_of_an_unknown_image(directories: Directories) -> None:
    """A name that the master lacks is wrong usage."""
    done = directories.run("images rename", "nothing", "something")
    assert done.code == 2
    assert "nothing" in done.err


def test_set_properties(directories: Directories) -> None:
    """Properties are set and removed, and only what differs is written."""
    directories.add("Burgos", "mine", b"m", keep="1", gone="1")
    change = ("--name", "mine", "--set", "new=a=b", "--remove", "gone", "Burgos")
    assert directories.run("images set-properties", *change).code == 0
    assert directories.images("Burgos")["mine"].properties == {"keep": "1", "new": "a=b"}
    before = directories.files()
    done = directories.run("images set-properties", *change)
    assert "has these properties already" in done.out
    assert done.code == 0
    assert directories.files() == before


def test_set_properties_from_the_master(directories: Directories) -> None:
    """All metadata follow the master, whatever metadata_set says."""
    directories.run("sync", "other:Madrid")
    image = directories.images("Valladolid")["small"]
    pairs = ("--set", "nid=1", "--set", "more=2")
    assert directories.run("images set-properties", "--id", image.id, *pairs, "Valladolid").code == 0
    assert directories.run("status", "other:Madrid").lines[0] == "ok,other:Madrid,small"
    done = directories.run("images set-properties", "--name", "small", "--from-master", "other:Madrid")
    assert done.code == 0, done
    assert directories.images("other:Madrid")["small"].properties == {"type": "x", "nid": "1", "more": "2"}


@pytest.mark.parametrize(
    ("answer", "deleted"),
    [("y\n", True), ("Y\n", True), ("yes\n", False), ("n\n", False), ("\n", False), ("", False)],
    ids=["y", "Y", "yes", "n", "return", "end-of-input"],
)
def test_delete_asks(directories: Directories, answer: str, deleted: bool) -> None:
    """Only y or Y deletes; anything else, and silence, keeps the image."""
    done = directories.run("images delete", "--name", "small", "Valladolid", text=answer)
    assert done.code == 0
    assert "Delete small" in done.err
    assert ("small" not in directories.images("Valladolid")) == deleted


@pytest.mark.parametrize("how", ["option", "environment"])
def test_delete_without_asking(directories: Directories, how: str) -> None:
    """--yes or SYNCLINE_YES=1 deletes without a question."""
    if how == "environment":
        directories.environment = {"SYNCLINE_YES": "1"}
    option = ["--yes"] if how == "option" else []
    done = directories.run("images delete", "--name", "small", *option, "Valladolid")
    assert (done.code, done.err) == (0, "")
    assert list(directories.images("Valladolid")) == ["large"]


def test_dry_run_of_verbs_writes_nothing(directories: Directories) -> None:
    """Every verb can be rehearsed."""
    before = directories.files()
    for command in (
        ("images rename", "small", "tiny"),
        ("images set-properties", "--name", "small", "--set", "a=b", "Valladolid"),
        ("images delete", "--name", "small", "Valladolid"),
    ):
        done = directories.run(*command, "--dry-run", "--json")
        assert done.code == 0, done
        acted = [result for result in done.document["results"] if result["deed"]]
        assert acted
        assert not any(result["done"] for result in acted)
    assert directories.files() == before


@pytest.mark.parametrize(
    ("images", "word"),
    [
        ([row("x", "11", region="Burgos", owner="theirs")], "another project"),
        ([row("x", "11", region="Burgos"), row("x", "12", region="Burgos")], "not unique"),
    ],
    ids=["foreign", "twice"],
)
def test_verbs_never_guess(backups: Backups, images: list, word: str) -> None:
    """An image of another project, or one of several, is not deleted; the reason is told, exit code 3."""
    backups.region("Burgos", images)
    before = backups.files()
    done = backups.run("images delete", "--yes", "--name", "x", "Burgos")
    assert done.code == 3
    assert word in done.out
    assert backups.files() == before
