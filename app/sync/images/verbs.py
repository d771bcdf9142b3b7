"""Single images changed by name or id: rename, set properties, follow the master, delete (spec images 7.9).

Choosing is pure and comes first (``plan_*``): a snapshot in, a planned write or the reason for none
out. ``perform`` is the only step that writes. Images of other projects are never chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.errors import UsageError
from app.sync.images.compare import Verdict, content_matches, metadata_changes
from app.sync.images.conf.model import Policy
from app.sync.images.model import (
    NO_PROPERTIES,
    REFERENCE_KEYS,
    Changes,
    Image,
    PropertyValue,
    Snapshot,
    is_foreign,
)
from app.sync.images.plan import Catalog
from app.sync.images.provenance import is_partial
from app.sync.images.stores.base import ImageStore


class Deed(StrEnum):
    """What is done to an image."""

    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """A write on one image of one region, decided but not done."""

    region: str
    image: Image
    deed: Deed
    changes: Changes = field(default_factory=Changes)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done in a region. ``harmless``: there is nothing to do there."""

    region: str
    reason: str
    harmless: bool = False


Decision = Intent | Refusal


@dataclass(frozen=True, slots=True)
class Selector:
    """Which image is meant: by name, or by id where a name is not enough."""

    name: str = ""
    image_id: str = ""

    def __str__(self) -> str:
        return f"image with id {self.image_id}" if self.image_id else f"image {self.name}"

    def matches(self, image: Image) -> bool:
        """Whether the image is meant."""
        return image.id == self.image_id if self.image_id else image.name == self.name


def choose(snapshot: Snapshot, selector: Selector) -> Image | Refusal:
    """The one image of ours that is meant, or why there is not exactly one."""
    found = [image for image in snapshot.images if selector.matches(image) and not is_partial(image)]
    ours = [image for image in found if not is_foreign(image.owner, snapshot.project_id)]
    if len(ours) == 1:
        return ours[0]
    if ours:
        ids = " ".join(image.id for image in ours)
        return Refusal(snapshot.region, f"{selector} is not unique, choose by id: {ids}")
    if found:
        return Refusal(snapshot.region, f"{selector} belongs to another project")
    return Refusal(snapshot.region, f"{selector} is not there", harmless=True)


def plan_rename(
    snapshot: Snapshot, reference: Image, old: str, new: str, property_name: str | None = None
) -> Decision:
    """Give the image ``old`` with the reference's content the name ``new``.

    Visibility, and one property if named, follow the reference.
    """
    chosen = choose(snapshot, Selector(old))
    if isinstance(chosen, Refusal):
        return chosen
    if content_matches(reference, chosen) is not Verdict.SAME:
        return Refusal(snapshot.region, f"image {old} has not the content of the master's image")
    if any(image.name == new for image in snapshot.images):
        return Refusal(snapshot.region, f"there is an image {new} already")
    value = reference.properties.get(property_name) if property_name else None
    properties = {property_name: value} if property_name and value is not None else NO_PROPERTIES
    changes = Changes(name=new, visibility=reference.visibility, set_properties=properties)
    return Intent(snapshot.region, chosen, Deed.UPDATE, changes)


def plan_properties(
    snapshot: Snapshot, selector: Selector, values: Mapping[str, PropertyValue], remove: frozenset[str]
) -> Decision:
    """Set and remove user properties of one image; what is there already is not written."""
    chosen = choose(snapshot, selector)
    if isinstance(chosen, Refusal):
        return chosen
    new = {key: value for key, value in values.items() if chosen.properties.get(key) != value}
    gone = remove & chosen.properties.keys()
    if not new and not gone:
        return Refusal(snapshot.region, f"{selector} has these properties already", harmless=True)
    return Intent(
        snapshot.region, chosen, Deed.UPDATE, Changes(set_properties=new, remove_properties=frozenset(gone))
    )


def plan_follow(snapshot: Snapshot, selector: Selector, catalog: Catalog, policy: Policy) -> Decision:
    """Write all metadata of the master's image of the same name, whatever ``metadata_set`` says."""
    chosen = choose(snapshot, selector)
    if isinstance(chosen, Refusal):
        return chosen
    source = catalog.images.get(chosen.name or "")
    if source is None:
        return Refusal(snapshot.region, f"the master has no usable image {chosen.name}")
    changes = metadata_changes(source, chosen, unfiltered(policy), ids_of(snapshot.images))
    if not changes:
        return Refusal(snapshot.region, f"{selector} is as on the master", harmless=True)
    return Intent(snapshot.region, chosen, Deed.UPDATE, changes)


def plan_delete(snapshot: Snapshot, selector: Selector) -> Decision:
    """Remove one image."""
    chosen = choose(snapshot, selector)
    return chosen if isinstance(chosen, Refusal) else Intent(snapshot.region, chosen, Deed.DELETE)


def unfiltered(policy: Policy) -> Policy:
    """The policy without its property filter."""
    return replace(policy, metadata_set=frozenset())


def ids_of(images: Iterable[Image]) -> dict[str, str]:
    """Image name to id among the images of one region; of several the first, as listed."""
    ids: dict[str, str] = {}
    for image in images:
        if image.name and image.is_active:
            ids.setdefault(image.name, image.id)
    return ids


def rename_reference(catalog: Catalog, old: str, new: str) -> Image:
    """The master's image that a renaming follows: ``new`` if it has been renamed there, else ``old``.

    Raises:
        UsageError: the master has neither, or both.

    """
    found = [catalog.images[name] for name in (new, old) if name in catalog.images]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"the master has an image {old} and an image {new}", remedy="remove one of them")
    raise UsageError(f"the master has no usable image {old} or {new}", where=catalog.region)


def perform(store: ImageStore, intent: Intent) -> None:
    """Do what was decided; raises what the store raises."""
    if intent.deed is Deed.DELETE:
        store.delete_image(intent.image.id)
    else:
        store.update_image(intent.image.id, intent.changes)


def comparison_code(image: Image, catalog: Catalog, policy: Policy, ids: Mapping[str, str]) -> str:
    """How an image differs from the master's of the same name, in one character (spec 4.4).

    ``+`` not on the master, ``$`` not active, ``!`` other content, ``-`` public here only, ``_`` public
    on the master only, ``#`` other properties, empty for none of these; the first that holds.
    """
    source = catalog.images.get(image.name or "")
    if source is None:
        return "+"
    if not image.is_active:
        return "$"
    if content_matches(source, image) is not Verdict.SAME:
        return "!"
    if image.is_public != source.is_public:
        return "-" if image.is_public else "_"
    changes = metadata_changes(source, image, policy, ids)
    return "#" if changes.set_properties or changes.remove_properties else ""


def writable_property(key: str) -> bool:
    """Whether a person may set the property by hand: references hold ids of one region only."""
    return bool(key) and key not in REFERENCE_KEYS
