"""The status of one selected image in one region (spec images 4.2-4.6, 14.3-14.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.sync.images import messages, references
from app.sync.images.candidates import Candidates
from app.sync.images.catalog import DEACTIVATED
from app.sync.images.compare import (
    REFERENCE_REASONS,
    Verdict,
    content_verdict,
    format_conflicts,
    member_changes,
    metadata_changes,
    missing_stores,
    reasons,
)
from app.sync.images.conf.model import Policy
from app.sync.images.conflicts import conflict_status, in_both_lists
from app.sync.images.model import Image
from app.sync.images.properties import Signature, signature_of
from app.sync.status import Notice, Status


@dataclass(frozen=True, slots=True)
class Judgement:
    """A status, what it comes from (14.9), and what a person has to be told about it."""

    status: Status
    reasons: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


FINE = Judgement(Status.OK)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the judgement of a region's images rests on.

    Attributes:
        ids: image name -> id in the region, for the images that stay what they are.
        recreated: names of the images that will be made (anew) in this run (PR4).

    """

    policy: Policy
    found: Candidates
    ids: Mapping[str, str] = field(default_factory=dict)
    recreated: frozenset[str] = frozenset()


def judge_content(name: str, source: Image, scene: Scene) -> Judgement | None:
    """The judgement where content decides; ``None`` if the right content is there (4.2 steps 1-2)."""
    destination = scene.found.by_name.get(name)
    if destination is None:
        return _checked(name, source, scene, Judgement(Status.PENDING_UPLOAD))
    foreign = name in scene.found.foreign
    verdict = content_verdict(source, destination, trust_marks=not foreign)
    if verdict is Verdict.SAME and not format_conflicts(source, destination):
        return None
    judgement = _conflict(name, destination, verdict, scene)
    if foreign:
        judgement = replace(judgement, reasons=(*judgement.reasons, "foreign"))
    return _checked(name, source, scene, judgement)


def _conflict(name: str, destination: Image, verdict: Verdict, scene: Scene) -> Judgement:
    """Other content, other format, or no way to tell (4.3, 14.3, 14.5)."""
    region, policy = scene.found.region, scene.policy
    if verdict is Verdict.UNKNOWN:
        notice = messages.unverifiable(region, name)
        return Judgement(Status.ERROR_CHECKSUM, ("unverifiable",), (notice,))
    status = conflict_status(destination, policy)
    if verdict is Verdict.SAME:
        if status.needs_content:
            return Judgement(status, ("format",))
        return Judgement(Status.ERROR_FORMAT, ("format",), (messages.format_conflict(region, name),))
    if status is Status.ERROR_CHECKSUM:
        notice = messages.checksum_conflict(region, name, destination.checksum)
        return Judgement(status, ("checksum",), (notice,))
    if status is Status.PENDING_REPLACE and in_both_lists(destination, policy):
        notice = messages.both_lists(name, destination.checksum or "")
        return Judgement(status, ("checksum",), (notice,))
    return Judgement(status, ("checksum",))


def _checked(name: str, source: Image, scene: Scene, judgement: Judgement) -> Judgement:
    """Refuse a copy whose signature may not be dropped, and tell whether one is being made (14.6, 14.7)."""
    if not judgement.status.needs_content:
        return judgement
    signature = signature_of(source, scene.policy)
    if signature is Signature.REFUSED:
        return _refused(name, scene)
    extra: list[str] = []
    if signature is Signature.DROPPED:
        extra.append("signature_dropped")
    if name in scene.found.in_progress:
        extra.append("in_progress")
    return replace(judgement, reasons=(*judgement.reasons, *extra)) if extra else judgement


def _refused(name: str, scene: Scene) -> Judgement:
    notice = messages.signature_refused(scene.found.region, name)
    return Judgement(Status.ERROR_FORMAT, ("signature",), (notice,))


def judge_metadata(name: str, source: Image, destination: Image, scene: Scene) -> Judgement:
    """The judgement of an image whose content is right (4.2 step 3).

    An image of another project is never written, so whatever differs on it is only told.
    """
    signature = signature_of(source, scene.policy)
    if signature is Signature.REFUSED:
        return _refused(name, scene)
    waiting = tuple(
        REFERENCE_REASONS[key]
        for key, referenced in references.names(source)
        if referenced in scene.recreated
    )
    members = member_changes(source, destination, scene.policy)
    found = list(waiting)
    found += reasons(metadata_changes(source, destination, scene.policy, scene.ids))
    if members.add or members.remove:
        found.append("members")
    if missing_stores(destination, scene.policy):
        found.append("stores")
    status = _metadata_status(name, scene, waiting=bool(waiting), differs=bool(found))
    if members.unmapped:
        found.append("members_unmapped")
    if signature is Signature.DROPPED:
        found.append("signature_dropped")
    if destination.status == DEACTIVATED:
        found.append(DEACTIVATED)
    if name in scene.found.foreign:
        found.append("foreign")
    if not found:
        return FINE
    return Judgement(status, tuple(dict.fromkeys(found)))


def _metadata_status(name: str, scene: Scene, *, waiting: bool, differs: bool) -> Status:
    if name in scene.found.foreign:
        return Status.OK
    if waiting:
        return Status.PENDING_AMI
    return Status.PENDING_METADATA if differs else Status.OK
