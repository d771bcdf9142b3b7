"""The lines that users' scripts and the acceptance suite look for."""

from __future__ import annotations

import pytest

from app.sync.images import messages
from app.sync.images.model import Image
from app.sync.status import Level, Notice, Status

MIB_BYTES = 1024 * 1024
FOREIGN = Image(region="Burgos", id="u1", name="deb", status="queued", owner="p9")

LINES = {
    "master duplicates": (
        messages.duplicated_on_master("deb"),
        Level.WARNING,
        "Duplicated images with name deb will be ignored",
    ),
    "foreign image": (
        messages.foreign_image("Burgos", FOREIGN),
        Level.WARNING,
        "Burgos: image deb (UUID u1) is owned by other tenant: p9",
    ),
    "inactive image": (
        messages.inactive_image("Burgos", FOREIGN),
        Level.WARNING,
        "Burgos: state of image deb with UUID u1  is not active: queued",
    ),
    "duplicate in region": (
        messages.duplicated_in_region("Burgos", "deb", "new", "earlier"),
        Level.WARNING,
        "Burgos: image name deb is duplicated. UUIDs: new earlier",
    ),
    "obsolete ignored": (
        messages.obsolete_ignored("deb_obsolete", "deb"),
        Level.WARNING,
        "Ignore obsolete master image deb_obsolete because deb exists",
    ),
    "obsolete changed": (
        messages.updating_obsolete("Burgos", "deb_obsolete"),
        Level.INFO,
        "Burgos: updating obsolete image deb_obsolete",
    ),
    "metadata": (
        messages.updating_metadata("Burgos", "deb", dry_run=False),
        Level.INFO,
        "Burgos: Updating the metadata of image deb",
    ),
    "metadata, dry run": (
        messages.updating_metadata("Burgos", "deb", dry_run=True),
        Level.INFO,
        "Burgos: Image pending to update the metadata deb",
    ),
    "upload": (
        messages.transferring("Burgos", "deb", Status.PENDING_UPLOAD, 3 * MIB_BYTES),
        Level.INFO,
        "Burgos: Uploading image deb (3 MB)",
    ),
    "replace": (
        messages.transferring("Burgos", "deb", Status.PENDING_REPLACE, 3 * MIB_BYTES),
        Level.INFO,
        "Burgos: Replacing image deb (3 MB)",
    ),
    "rename": (
        messages.transferring("Burgos", "deb", Status.PENDING_RENAME, 3 * MIB_BYTES),
        Level.INFO,
        "Burgos: Renaming and replacing image deb (3 MB)",
    ),
    "uploaded": (messages.transferred("Burgos"), Level.INFO, "Burgos: Image uploaded."),
    "pending": (
        messages.pending_transfer("Burgos", "deb", MIB_BYTES // 2),
        Level.INFO,
        "Burgos: Pending: deb (0.5 MB)",
    ),
    "nothing to do": (messages.synchronized("Burgos"), Level.INFO, "Burgos: Region is synchronized."),
    "total sent": (
        messages.total_sent("Burgos", 5 * MIB_BYTES + 1),
        Level.INFO,
        "Burgos:   Total uploaded to region: 5 (MB) ",
    ),
    "total pending": (
        messages.total_pending("Burgos", 5 * MIB_BYTES - 1),
        Level.INFO,
        "Burgos: MBs pending : 4",
    ),
    "other target": (messages.transferred("other:Madrid"), Level.INFO, "other:Madrid: Image uploaded."),
    "failure": (messages.error("Burgos", "no connection"), Level.ERROR, "Burgos: no connection"),
}


@pytest.mark.parametrize(("notice", "level", "line"), LINES.values(), ids=LINES.keys())
def test_line_is_the_one_that_scripts_know(notice: Notice, level: Level, line: str) -> None:
    """Scripts written for the original find each line, blanks and full stops included."""
    assert notice == Notice(level, line)


ANCHORS = {
    "checksum conflict": (
        messages.checksum_conflict("Burgos", "deb", "c0ffee"),
        "Image deb has a different checksum (c0ffee) in region Burgos",
        ["dontupdate", "replace", "rename"],
    ),
    "missing reference": (
        messages.reference_not_found("Burgos", "vmlinuz", "kernel_id", "deb"),
        "Burgos: Not found vmlinuz on region.",
        ["kernel_id", "deb"],
    ),
    "broken reference": (
        messages.broken_reference("deb", "kernel_id", "u7"),
        "Image deb",
        ["kernel_id", "u7", "master"],
    ),
    "condition": (
        messages.condition_failed("deb", "there is no 'nid'"),
        "Image deb",
        ["metadata_condition", "there is no 'nid'"],
    ),
    "both lists": (
        messages.both_lists("deb", "c0ffee"),
        "Image deb",
        ["c0ffee", "replace", "rename"],
    ),
    "obsolete twin": (
        messages.obsolete_twin("Burgos", "deb", "deb_obsolete"),
        "Burgos: ",
        ["deb", "deb_obsolete", "exists"],
    ),
}


@pytest.mark.parametrize(("notice", "start", "parts"), ANCHORS.values(), ids=ANCHORS.keys())
def test_warning_names_everything_that_a_person_needs(notice: Notice, start: str, parts: list[str]) -> None:
    """A warning begins with what scripts look for and names cause, image and remedy in one line."""
    assert notice.level is Level.WARNING
    assert notice.message.startswith(start)
    assert [part for part in parts if part not in notice.message] == []
    assert "\n" not in notice.message


def test_error_counts_follow_the_summary_without_being_a_warning() -> None:
    """What needs a person is told in a line of its own; the cause has been warned about before."""
    notice = messages.error_counts("Burgos", {"error_checksum": 2, "error_ami": 1})
    assert notice == Notice(Level.INFO, "Burgos: needs attention: error_ami 1, error_checksum 2")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0"),
        (None, "0"),
        (MIB_BYTES, "1"),
        (MIB_BYTES * 3 // 2, "1.5"),
        (1_073_741_834, "1024.00000954"),
        (1, "9.53674316406e-07"),
        (5 * 1024**4, "5242880"),
    ],
)
def test_sizes_are_mebibytes_with_twelve_digits(size_bytes: int | None, text: str) -> None:
    """Sizes read as the original printed them."""
    assert messages.megabytes(size_bytes) == text
    assert f"({text} MB)" in messages.pending_transfer("Burgos", "deb", size_bytes).message


def test_nothing_synchronised_can_be_told_from_the_lines() -> None:
    """The line for an idle region is never mistaken for the line after an upload."""
    assert "Image uploaded" not in messages.synchronized("Burgos").message
    assert "Region is synchronized" not in messages.transferred("Burgos").message
