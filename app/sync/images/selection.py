"""Which images of the master a target wants (spec images 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import ConditionError
from app.sync.images.catalog import OBSOLETE_SUFFIX
from app.sync.images.conf.model import Policy
from app.sync.images.model import Image


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome of a target's rules.

    Attributes:
        images: what the target's regions should hold, by name.
        failures: name -> why the condition could not be told; such an image is not selected (2.6).

    """

    images: Mapping[str, Image]
    failures: Mapping[str, str] = field(default_factory=dict)


def is_obsolete_name(name: str | None) -> bool:
    """Whether the name marks a retired image (6)."""
    return bool(name) and str(name).endswith(OBSOLETE_SUFFIX)


def is_wanted(image: Image, policy: Policy) -> bool:
    """Whether the target wants one image of the catalogue; the first rule that applies decides.

    Raises:
        ConditionError: the target's condition cannot be told for this image.

    """
    if is_obsolete_name(image.name):
        return False
    if image.id in policy.forcesyncs:
        return True
    if policy.condition is not None:
        return policy.condition.matches(image, policy.metadata_set)
    if not image.is_public:
        return False
    return not policy.metadata_set or not policy.metadata_set.isdisjoint(image.properties)


def select(images: Mapping[str, Image], policy: Policy) -> Selection:
    """Apply a target's rules to catalogue images."""
    wanted: dict[str, Image] = {}
    failures: dict[str, str] = {}
    for name, image in images.items():
        try:
            if is_wanted(image, policy):
                wanted[name] = image
        except ConditionError as error:
            failures[name] = str(error)
    return Selection(wanted, failures)
