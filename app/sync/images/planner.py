"""From two listings and a policy to everything that one region needs (spec images 4, 5.9, 6). Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from app.sync.images import messages, references
from app.sync.images.candidates import Candidates, find_candidates
from app.sync.images.compare import REFERENCE_REASONS, Verdict, content_verdict
from app.sync.images.conf.model import Policy
from app.sync.images.judging import Judgement, Scene, judge_content, judge_metadata
from app.sync.images.model import Image, Snapshot, is_foreign
from app.sync.images.obsolete import plan_obsolete
from app.sync.images.plan import Catalog, PlannedImage, RegionPlan
from app.sync.images.provenance import is_partial
from app.sync.images.selection import Selection, select
from app.sync.status import Item, Notice, Status


def plan_region(catalog: Catalog, snapshot: Snapshot, policy: Policy) -> RegionPlan:
    """What one region lacks of the catalogue, and why.

    Every selected image gets exactly one row, in (size, name) order (PR7); so does an image for which
    the condition could not be told. Which images will be made anew is settled for all of them before
    any reference is judged (PR4). Warnings are one line per cause.
    """
    selection = select(catalog.images, policy)
    found = find_candidates(snapshot, selection.images, policy)
    judgements = _judge(catalog, selection, found, policy)
    rows = [
        _row(found, name, selection.images[name], judgement) for name, judgement in judgements.items()
    ] + [_failed_row(found, catalog.images[name]) for name in selection.failures]
    rows.sort(key=lambda row: row.source.sort_key)
    living = selection.images.keys() | selection.failures.keys()
    retired = plan_obsolete(catalog, living, snapshot, policy)
    deactivate, deactivation_notices = _to_deactivate(catalog, snapshot, policy)
    notices = [*retired.notices, *found.notices, *deactivation_notices]
    notices += _row_notices(rows, judgements, selection)
    return RegionPlan(
        region=snapshot.region,
        images=tuple(rows),
        local=found.by_name,
        obsolete=tuple(retired.changes),
        partials=tuple(found.partials),
        unfinished=tuple(found.unfinished),
        deactivate=deactivate,
        taken_names=frozenset(image.name for image in snapshot.images if image.name)
        | retired.new_names
        | living,
        notices=tuple(notices),
    )


def _judge(catalog: Catalog, selection: Selection, found: Candidates, policy: Policy) -> dict[str, Judgement]:
    """The judgement of every selected image."""
    selected = selection.images
    absent = frozenset(name for name in selected if name not in found.by_name)
    blocked = references.blocked_names(selected, catalog.broken, absent)
    attainable = frozenset(selected) - (blocked & absent)
    judgements = {name: _blocked(catalog, selected[name], attainable) for name in blocked}
    scene = Scene(policy, found)
    complete: list[str] = []
    for name, source in selected.items():
        if name in blocked:
            continue
        judgement = judge_content(name, source, scene)
        if judgement is None:
            complete.append(name)
        else:
            judgements[name] = judgement
    recreated = frozenset(name for name, judgement in judgements.items() if judgement.status.needs_content)
    ids = {name: image.id for name, image in found.by_name.items() if name not in recreated}
    scene = Scene(policy, found, ids, recreated)
    for name in complete:
        judgements[name] = judge_metadata(name, selected[name], found.by_name[name], scene)
    return judgements


def _blocked(catalog: Catalog, source: Image, attainable: frozenset[str]) -> Judgement:
    """An image that is not written whatever else differs, because a reference cannot come right (PR5)."""
    broken = catalog.broken.get(source.name or "", ())
    return Judgement(
        Status.ERROR_AMI,
        tuple(
            REFERENCE_REASONS[key]
            for key, name in references.names(source)
            if key in broken or name not in attainable
        ),
    )


def _row(found: Candidates, name: str, source: Image, judgement: Judgement) -> PlannedImage:
    """The row of a selected image.

    An image of another project that is to be replaced is no ``destination``: ours is put beside it.
    """
    destination = found.by_name.get(name)
    item = Item(
        region=found.region,
        name=name,
        status=judgement.status,
        size_bytes=source.size,
        reasons=judgement.reasons,
        source_id=source.id,
        destination_id=destination.id if destination else None,
    )
    stays = name in found.foreign and judgement.status.needs_content
    return PlannedImage(item, source, None if stays else destination)


def _failed_row(found: Candidates, source: Image) -> PlannedImage:
    item = Item(
        region=found.region,
        name=source.name or "",
        status=Status.ERROR_CONDITION,
        size_bytes=source.size,
        source_id=source.id,
    )
    return PlannedImage(item, source)


def _row_notices(
    rows: list[PlannedImage], judgements: Mapping[str, Judgement], selection: Selection
) -> list[Notice]:
    """The warnings that belong to rows, in the rows' order."""
    notices: list[Notice] = []
    for row in rows:
        name = row.item.name
        if name in judgements:
            notices.extend(judgements[name].notices)
        else:
            notices.append(messages.condition_failed(name, selection.failures[name]))
    return notices


def _to_deactivate(
    catalog: Catalog, snapshot: Snapshot, policy: Policy
) -> tuple[tuple[Image, ...], list[Notice]]:
    """Active copies of selected images that the master has deactivated (14.8)."""
    if not policy.sync_deactivation or not catalog.deactivated:
        return (), []
    selection = select(catalog.deactivated, policy)
    images = tuple(
        image
        for image in snapshot.images
        if (source := selection.images.get(image.name or "")) is not None
        and image.is_active
        and not is_partial(image)
        and (policy.modify_foreign or not is_foreign(image.owner, snapshot.project_id))
        and content_verdict(source, image) is Verdict.SAME
    )
    return images, [
        messages.condition_failed(name, cause) for name, cause in sorted(selection.failures.items())
    ]


def execution_order(plan: RegionPlan) -> tuple[PlannedImage, ...]:
    """The images that need content, in the order of work (PR4).

    The smallest first, but kernels and ramdisks before the images that refer to them. In a circle of
    references the smallest goes first, and its references are renewed at the end of the run (PR6).
    """
    todo = {row.item.name: row for row in plan.images if row.item.status.needs_content}
    waits_for = {
        name: {other for _, other in references.names(row.source) if other in todo and other != name}
        for name, row in todo.items()
    }
    dependents: dict[str, list[str]] = {}
    for name, others in waits_for.items():
        for other in others:
            dependents.setdefault(other, []).append(name)
    order = sorted(todo, key=lambda name: todo[name].source.sort_key)
    place = {name: position for position, name in enumerate(order)}
    ready = [position for position, name in enumerate(order) if not waits_for[name]]
    done: dict[str, PlannedImage] = {}
    first_left = 0
    while len(done) < len(todo):
        while order[first_left] in done:
            first_left += 1
        name = order[heapq.heappop(ready)] if ready else _first_of_circle(order[first_left], waits_for, place)
        done[name] = todo[name]
        del waits_for[name]
        for dependent in dependents.get(name, ()):
            if dependent in waits_for:
                waits_for[dependent].discard(name)
                if not waits_for[dependent]:
                    heapq.heappush(ready, place[dependent])
    return tuple(done.values())


def _first_of_circle(start: str, waits_for: Mapping[str, set[str]], place: Mapping[str, int]) -> str:
    """The first, by place, of a circle that the image waits for or is part of."""
    path: dict[str, int] = {}
    name = start
    while name not in path:
        path[name] = len(path)
        name = min(waits_for[name], key=place.__getitem__)
    return min(list(path)[path[name] :], key=place.__getitem__)
