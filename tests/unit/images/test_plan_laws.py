"""Laws that every plan keeps, on generated masters, regions and policies (spec images 4, 5.9, 6)."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sync.images.catalog import build_catalog
from app.sync.images.condition import parse_condition
from app.sync.images.conf.model import ObsoleteMode, Policy, SetMode, SignaturePolicy, VisibilityMode
from app.sync.images.model import Image, Snapshot, is_foreign
from app.sync.images.plan import RegionPlan
from app.sync.images.planner import execution_order, plan_region
from app.sync.images.provenance import FINISH, TARGET_NAME, WRITER, is_partial
from app.sync.images.references import names
from app.sync.images.selection import is_obsolete_name, select
from app.sync.status import Status
from tests.unit.images.builders import MASTER, OTHERS, OURS, REGION, apply_plan, listing

NAMES = ("a", "b", "c", "d", "a_obsolete", "b_obsolete", "a.old", 'é,"\n')
SUMS = ("1", "2", "3")
VISIBILITIES = ("public", "public", "private", "shared", "community")
CONDITIONS = ("image.is_public", "'nid' in image.user_properties", "image.user_properties['nid'] == '1'")


LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Generating two whole regions takes its time on a busy machine; that is no failure."""


def values(*choices: object) -> st.SearchStrategy:
    """One of the choices; repeat one to make it likelier."""
    return st.sampled_from(choices)


def subsets(*choices: str) -> st.SearchStrategy[frozenset[str]]:
    """Any subset of the choices."""
    return st.frozensets(values(*choices))


PLAIN_PROPERTIES = st.dictionaries(
    values("nid", "type", "local", "instance_uuid", "img_signature_certificate_uuid"),
    values("1", "2", ""),
    max_size=3,
)


@st.composite
def images(draw: st.DrawFn, region: str, ids: tuple[str, ...]) -> Image:
    """An image with one of the ids, whose references lead to any of them or nowhere."""
    properties = dict(draw(PLAIN_PROPERTIES))
    for key in ("kernel_id", "ramdisk_id"):
        if target := draw(values(None, None, *ids, "gone", "")):
            properties[key] = target
    return Image(
        region=region,
        id=draw(values(*ids)),
        name=draw(values(*NAMES, *NAMES, None)),
        status=draw(values("active", "active", "active", "active", "queued", "deactivated", "killed")),
        size=draw(values(None, 1, 2, 3)),
        checksum=draw(values(*SUMS, *SUMS, None)),
        owner=draw(values(OURS, OURS, OURS, OTHERS, None)),
        visibility=draw(values(*VISIBILITIES)),
        properties=properties,
        hash_algo=draw(values(None, None, "sha512")),
        hash_value=draw(values(None, *SUMS)),
        disk_format=draw(values("raw", "raw", "qcow2", None)),
        min_disk=draw(values(0, 0, 1)),
        protected=draw(st.booleans()),
        hidden=draw(st.booleans()),
        tags=draw(subsets("x", "y")),
        members=draw(subsets("p1", "p2", "q1")),
        stores=draw(subsets("s1", "s2")),
    )


@st.composite
def listings(draw: st.DrawFn, region: str, *, unique_names: bool = False) -> Snapshot:
    """A listing; on request with no two images of one name, so that its order cannot matter."""
    ids = tuple(f"{region[0]}{n}" for n in range(8))
    key = (lambda image: image.name) if unique_names else (lambda image: image.id)
    found = draw(st.lists(images(region, ids), max_size=8, unique_by=(key, lambda image: image.id)))
    return Snapshot(region, OURS, tuple(found))


@st.composite
def regions(draw: st.DrawFn) -> Snapshot:
    """A region's listing in which a killed run may have left something."""
    snapshot = draw(listings(REGION))
    left = list(snapshot.images)
    if left and draw(st.booleans()):
        place = draw(st.integers(0, len(left) - 1))
        marks = draw(values({WRITER: "w", TARGET_NAME: "a"}, {FINISH: "delete:B1"}, {FINISH: "rename:B2"}))
        left[place] = replace(left[place], properties={**left[place].properties, **marks})
    return replace(snapshot, images=tuple(left))


POLICIES = st.builds(
    Policy,
    forcesyncs=subsets("V0", "V1"),
    condition=st.none() | values(*CONDITIONS).map(parse_condition),
    metadata_set=values(frozenset(), frozenset({"nid", "type"}), frozenset({"nid", "kernel_id"})),
    replace=subsets("1", "any", "sha512:2"),
    rename=subsets("2", "any"),
    dontupdate=subsets("3"),
    only_tenant_images=st.booleans(),
    modify_foreign=st.booleans(),
    support_obsolete_images=st.booleans(),
    obsolete_syncprops=subsets("nid", "kernel_id"),
    obsolete_mode=st.sampled_from(ObsoleteMode),
    sync_visibility=st.sampled_from(VisibilityMode),
    sync_hidden=st.booleans(),
    sync_protected=st.booleans(),
    sync_deactivation=st.booleans(),
    tags_mode=st.sampled_from(SetMode),
    members_mode=st.sampled_from(SetMode),
    project_map=values({}, {"p1": "q1"}),
    certificate_map=values({}, {"1": "2"}),
    signature_policy=st.sampled_from(SignaturePolicy),
    ignored_properties=values((), ("loc*",)),
    stores=values(frozenset(), frozenset({"s1"})),
    provenance_properties=st.booleans(),
)
MASTERS = listings(MASTER)


def planned(master: Snapshot, region: Snapshot, policy: Policy) -> RegionPlan:
    """The plan of a region from two listings."""
    return plan_region(build_catalog(master), region, policy)


@LAW
@given(MASTERS, regions(), POLICIES)
def test_second_plan_needs_nothing(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """Once a plan is carried out, a second one finds nothing that a run could do."""
    after = apply_plan(planned(master, region, policy), region, policy)
    again = planned(master, after, policy)
    assert [row.item for row in again.images if row.item.status.is_pending] == []
    assert not [*again.obsolete, *again.unfinished, *again.partials, *again.deactivate]


@LAW
@given(MASTERS, regions(), POLICIES)
def test_one_row_for_each_selected_image(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """Every selected image has exactly one row, in (size, name) order."""
    selection = select(build_catalog(master).images, policy)
    made = planned(master, region, policy)
    found = [row.item.name for row in made.images]
    assert sorted(found) == sorted([*selection.images, *selection.failures])
    assert [row.source.sort_key for row in made.images] == sorted(row.source.sort_key for row in made.images)
    undecided = {row.item.name for row in made.images if row.item.status is Status.ERROR_CONDITION}
    assert undecided == set(selection.failures)


@LAW
@given(MASTERS, regions(), POLICIES)
def test_nothing_outside_the_selection_changes(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """What the target does not select stays as it is, retired images and our leftovers apart."""
    catalog = build_catalog(master)
    wanted = {*select(catalog.images, policy).images, *select(catalog.deactivated, policy).images}
    retired = {name.removesuffix("_obsolete") for name in catalog.images if is_obsolete_name(name)}
    after = {image.id: image for image in apply_plan(planned(master, region, policy), region, policy).images}
    for image in region.images:
        name = (image.name or "").removesuffix("_obsolete")
        if image.name not in wanted and name not in retired and not is_partial(image):
            assert after[image.id] == image


@LAW
@given(MASTERS, regions(), POLICIES)
def test_other_projects_are_left_alone(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """Without modify_foreign no image of another project is changed or removed."""
    policy = replace(policy, modify_foreign=False)
    after = {image.id: image for image in apply_plan(planned(master, region, policy), region, policy).images}
    for image in region.images:
        if is_foreign(image.owner, OURS):
            assert after[image.id] == image


@LAW
@given(MASTERS, regions(), POLICIES)
def test_nothing_is_deleted_without_a_rule(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """Content disappears only by a replace list, or because a killed run had begun with it."""
    policy = replace(policy, replace=frozenset())
    made = planned(master, region, policy)
    allowed = {image.id for image in made.partials} | {todo.old.id for todo in made.unfinished}
    after = {image.id for image in apply_plan(made, region, policy).images}
    assert {image.id for image in region.images} - after <= allowed


@LAW
@given(listings(MASTER), listings(REGION, unique_names=True), POLICIES, st.randoms(use_true_random=False))
def test_order_of_listings_does_not_matter(
    master: Snapshot, region: Snapshot, policy: Policy, chance: random.Random
) -> None:
    """Where no two images of the region share a name, the order of either listing changes nothing."""
    first = planned(master, region, policy)
    second = planned(shuffled(master, chance), shuffled(region, chance), policy)
    assert second.images == first.images
    assert second.local == first.local
    assert second.taken_names == first.taken_names
    for part in ("obsolete", "partials", "unfinished", "deactivate", "notices"):
        assert sorted(map(repr, getattr(second, part))) == sorted(map(repr, getattr(first, part)))


def shuffled(snapshot: Snapshot, chance: random.Random) -> Snapshot:
    """The listing in another order."""
    found = list(snapshot.images)
    chance.shuffle(found)
    return replace(snapshot, images=tuple(found))


@LAW
@given(MASTERS, regions(), POLICIES)
def test_execution_order(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """Every image that needs content is in the order once, after its kernel unless they form a circle."""
    made = planned(master, region, policy)
    order = [row.item.name for row in execution_order(made)]
    assert sorted(order) == sorted(row.item.name for row in made.images if row.item.status.needs_content)
    needs = {row.item.name: {n for _, n in names(row.source)} & set(order) for row in made.images}
    for place, name in enumerate(order):
        for needed in needs[name] - set(order[:place]):
            assert name in reachable(needed, needs)


def reachable(start: str, needs: dict[str, set[str]]) -> set[str]:
    """All images that one needs, directly or not, itself included."""
    found, left = set(), [start]
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left.extend(needs[name])
    return found


@LAW
@given(MASTERS, regions(), POLICIES)
def test_blocked_images_are_never_brought(master: Snapshot, region: Snapshot, policy: Policy) -> None:
    """What is brought or written has all its references inside the selection (PR5)."""
    made = planned(master, region, policy)
    by_name = {row.item.name: row.item.status for row in made.images}
    for row in made.images:
        if row.item.status.needs_content:
            for _, needed in names(row.source):
                assert needed in by_name
                assert needed in made.local or by_name[needed] is Status.PENDING_UPLOAD


@LAW
@given(regions(), POLICIES)
def test_empty_master_needs_nothing(region: Snapshot, policy: Policy) -> None:
    """A master without images never changes a region, but for what our own killed runs left."""
    made = plan_region(build_catalog(listing(region=MASTER)), region, policy)
    assert not made.images
    assert not [*made.obsolete, *made.unfinished, *made.deactivate]
