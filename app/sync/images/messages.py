"""The lines that users' scripts look for (spec images 5.7). Wording is a contract: change it nowhere else."""

from __future__ import annotations

from app.sync.images.model import Image
from app.sync.status import Level, Notice, Status

MIB_BYTES = 1024 * 1024


def megabytes(size_bytes: int | None) -> str:
    """A size in MiB with up to 12 significant digits, as the original prints it."""
    return f"{(size_bytes or 0) / MIB_BYTES:.12g}"


def _warning(message: str) -> Notice:
    return Notice(Level.WARNING, message)


def _info(message: str) -> Notice:
    return Notice(Level.INFO, message)


def error(region: str, message: str) -> Notice:
    """What failed in a region, with its cause."""
    return Notice(Level.ERROR, f"{region}: {message}")


def duplicated_on_master(name: str) -> Notice:
    """Several usable master images share a name (3.1)."""
    return _warning(f"Duplicated images with name {name} will be ignored")


def broken_reference(name: str, key: str, image_id: str) -> Notice:
    """A kernel or ramdisk id of the master leads nowhere usable (PR3)."""
    return _warning(f"Image {name}: {key} {image_id} is not a usable image of the master region")


def condition_failed(name: str, cause: str) -> Notice:
    """The target's condition cannot be told for one image (2.6)."""
    return _warning(f"Image {name}: metadata_condition cannot be evaluated: {cause}")


def checksum_conflict(region: str, name: str, checksum: str | None) -> Notice:
    """Other content in the region and no rule for it (4.3)."""
    return _warning(
        f"Image {name} has a different checksum ({checksum}) in region {region}. "
        "Put it (or any) into one of the lists dontupdate, replace or rename"
    )


def both_lists(name: str, checksum: str) -> Notice:
    """One checksum stands in replace and in rename; replace wins (3.3)."""
    return _warning(f"Image {name}: checksum {checksum} is in both replace and rename; replacing it")


def unverifiable(region: str, name: str) -> Notice:
    """Two images that have no kind of hash in common (14.5)."""
    return _warning(
        f"{region}: image {name} cannot be compared: there is no hash that both it and the master's have. "
        "Delete it, and the next run uploads it anew"
    )


def format_conflict(region: str, name: str) -> Notice:
    """A format that differs, with equal content and no rule for it (14.3)."""
    return _warning(
        f"{region}: image {name} has another disk or container format than the master's, which cannot be "
        "changed. Put its checksum (or any) into replace or rename"
    )


def signature_refused(region: str, name: str) -> Notice:
    """A signed image, and no certificate for it in the region (14.7)."""
    return _warning(
        f"{region}: image {name} is signed and certificate_map has no entry for its certificate. "
        "Add one, or set signature_policy = drop"
    )


def foreign_image(region: str, image: Image) -> Notice:
    """A same-named image of another project (4.1)."""
    return _warning(f"{region}: image {image.name} (UUID {image.id}) is owned by other tenant: {image.owner}")


def inactive_image(region: str, image: Image) -> Notice:
    """A same-named image without usable content (4.1)."""
    return _warning(
        f"{region}: state of image {image.name} with UUID {image.id}  is not active: {image.status}"
    )


def duplicated_in_region(region: str, name: str, new_id: str, earlier_id: str) -> Notice:
    """Several same-named candidates in the region (4.1)."""
    return _warning(f"{region}: image name {name} is duplicated. UUIDs: {new_id} {earlier_id}")


def reference_not_found(region: str, referenced: str, key: str, name: str) -> Notice:
    """A kernel or ramdisk is not in the region (5.2); the destination region is named."""
    return _warning(f"{region}: Not found {referenced} on region. It is the {key} of image {name}")


def obsolete_ignored(obsolete_name: str, name: str) -> Notice:
    """A retired image has a living successor (6.1)."""
    return _warning(f"Ignore obsolete master image {obsolete_name} because {name} exists")


def obsolete_twin(region: str, name: str, new_name: str) -> Notice:
    """Retiring would make two images of one name (6.6)."""
    return _warning(f"{region}: image {name} is not renamed: {new_name} exists already")


def updating_obsolete(region: str, new_name: str) -> Notice:
    """A retired image is written."""
    return _info(f"{region}: updating obsolete image {new_name}")


def updating_metadata(region: str, name: str, *, dry_run: bool) -> Notice:
    """Pass A and C on one image."""
    if dry_run:
        return _info(f"{region}: Image pending to update the metadata {name}")
    return _info(f"{region}: Updating the metadata of image {name}")


def transferring(region: str, name: str, status: Status, size_bytes: int | None) -> Notice:
    """Pass B on one image; ``status`` is one of the three that need content."""
    verb = {
        Status.PENDING_REPLACE: "Replacing image",
        Status.PENDING_RENAME: "Renaming and replacing image",
    }.get(status, "Uploading image")
    return _info(f"{region}: {verb} {name} ({megabytes(size_bytes)} MB)")


def transferred(region: str) -> Notice:
    """After each image of pass B."""
    return _info(f"{region}: Image uploaded.")


def pending_transfer(region: str, name: str, size_bytes: int | None) -> Notice:
    """The dry run's word for an image of pass B."""
    return _info(f"{region}: Pending: {name} ({megabytes(size_bytes)} MB)")


def synchronized(region: str) -> Notice:
    """Nothing was to do in passes A and B; scripts wait for this line."""
    return _info(f"{region}: Region is synchronized.")


def total_sent(region: str, sent_bytes: int) -> Notice:
    """Summary of a run that wrote."""
    return _info(f"{region}:   Total uploaded to region: {sent_bytes // MIB_BYTES} (MB) ")


def total_pending(region: str, pending_bytes: int) -> Notice:
    """Summary of a dry run that would write."""
    return _info(f"{region}: MBs pending : {pending_bytes // MIB_BYTES}")


def error_counts(region: str, counts: dict[str, int]) -> Notice:
    """Added under the summary when something needs a person (13.26)."""
    listed = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    return _info(f"{region}: needs attention: {listed}")
