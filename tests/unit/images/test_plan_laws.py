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


def mostly(usual: object, *others: object) -> st.SearchStrategy:
    """The usual value eight times out of ten or more often."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(others) if n > 7 else st.just(usual))


PROPERTIES = st.dictionaries(
    values("nid", "type", "local", "instance_uuid", "img_signature_certificate_uuid"),
    values("1", "2", ""),
    max_size=3,
)
MASTER_IDS = tuple(f"V{n}" for n in range(6))


@st.composite
def master_images(draw: st.DrawFn, image_id: str, name: str) -> Image:
    """An image of the master, usable more often than not."""
    properties = dict(draw(PROPERTIES))
    for key in ("kernel_id", "ramdisk_id"):
        if target := draw(mostly("", *MASTER_IDS, "gone")):
            properties[key] = target
    return Image(
        region=MASTER,
        id=image_id,
        name=draw(mostly(name, *NAMES)),
        status=draw(mostly("active", "queued", "deactivated")),
        size=draw(values(None, 1, 2, 3)),
        checksum=draw(mostly("1", "2", "3", None)),
        owner=draw(mostly(OURS, OTHERS, None)),
        visibility=draw(mostly("public", *VISIBILITIES)),
        properties=properties,
        hash_algo=draw(mostly(None, "sha512")),
        hash_value=draw(mostly(None, *SUMS)),
        disk_format=draw(mostly("raw", None)),
        min_disk=draw(values(0, 1)),
        protected=draw(mostly(False, True)),
        hidden=draw(mostly(False, True)),
        tags=draw(mostly(frozenset(), frozenset("x"), frozenset("xy"))),
        members=draw(subsets("p1", "p2")),
    )


@st.composite
def masters(draw: st.DrawFn) -> Snapshot:
    """A listing of the master region."""
    count = draw(st.integers(0, len(MASTER_IDS)))
    chosen = zip(MASTER_IDS[:count], draw(st.permutations(NAMES)), strict=False)
    return Snapshot(MASTER, OURS, tuple(draw(master_images(image_id, name)) for image_id, name in chosen))


@st.composite
def copies(draw: st.DrawFn, image_id: str, source: Image) -> Image:
    """An image of a region that resembles one of the master, more or less."""
    properties = draw(mostly(dict(source.properties), {}, {"nid": "1", "local": "2"}))
    for key in sorted({"kernel_id", "ramdisk_id"} & properties.keys()):
        properties = {**properties, key: draw(values("B0", "B1", "B2", "gone"))}
    marks = draw(mostly({}, {WRITER: "w", TARGET_NAME: "a"}, {FINISH: "delete:B1"}, {FINISH: "rename:B2"}))
    return Image(
        region=REGION,
        id=image_id,
        name=draw(mostly(source.name, source.name.removesuffix("_obsolete"), "a.old", "local", None)),
        status=draw(mostly("active", "queued", "deactivated", "killed")),
        size=source.size,
        checksum=draw(values(source.checksum, source.checksum, source.checksum, *SUMS, None)),
        owner=draw(mostly(OURS, OTHERS, None)),
        visibility=draw(mostly(source.visibility, *VISIBILITIES)),
        properties={**properties, **marks},
        hash_algo=source.hash_algo,
        hash_value=draw(mostly(source.hash_value, *SUMS)),
        disk_format=draw(mostly(source.disk_format, "qcow2")),
        min_disk=draw(mostly(source.min_disk, 2)),
        protected=draw(mostly(source.protected, not source.protected)),
        hidden=draw(mostly(source.hidden, not source.hidden)),
        tags=draw(mostly(source.tags, frozenset("y"))),
        members=draw(subsets("q1", "p2")),
        stores=draw(subsets("s1", "s2")),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Snapshot, Snapshot]:
    """A master and a region that may have copies of its images, several of some."""
    master = draw(masters())
    if not master.images:
        return master, Snapshot(REGION, OURS, ())
    count = draw(st.integers(0, 7))
    found = [draw(copies(f"B{n}", draw(st.sampled_from(master.images)))) for n in range(count)]
    return master, Snapshot(REGION, OURS, tuple(found))


POLICIES = st.builds(
    Policy,
    forcesyncs=subsets("V0", "V1"),
    condition=mostly(None, *map(parse_condition, CONDITIONS)),
    metadata_set=mostly(frozenset(), frozenset({"nid", "type"}), frozenset({"nid", "kernel_id"})),
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
    certificate_map=values({"1": "2", "2": "1"}, {"1": "2"}, {}),
    signature_policy=mostly(*SignaturePolicy),
    ignored_properties=values((), ("loc*",)),
    stores=values(frozenset(), frozenset({"s1"})),
    provenance_properties=st.booleans(),
)
WORLDS = worlds()


def planned(master: Snapshot, region: Snapshot, policy: Policy) -> RegionPlan:
    """The plan of a region from two listings."""
    return plan_region(build_catalog(master), region, policy)


@LAW
@given(WORLDS, POLICIES)
def test_second_plan_needs_nothing(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """Once a plan is carried out, a second one finds nothing that a run could do."""
    master, region = world
    after = apply_plan(planned(master, region, policy), region, policy)
    again = planned(master, after, policy)
    assert [row.item for row in again.images if row.item.status.is_pending] == []
    assert not [*again.obsolete, *again.unfinished, *again.partials, *again.deactivate]


@LAW
@given(WORLDS, POLICIES)
def test_one_row_for_each_selected_image(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """Every selected image has exactly one row, in (size, name) order."""
    master, region = world
    selection = select(build_catalog(master).images, policy)
    made = planned(master, region, policy)
    found = [row.item.name for row in made.images]
    assert sorted(found) == sorted([*selection.images, *selection.failures])
    assert [row.source.sort_key for row in made.images] == sorted(row.source.sort_key for row in made.images)
    undecided = {row.item.name for row in made.images if row.item.status is Status.ERROR_CONDITION}
    assert undecided == set(selection.failures)


@LAW
@given(WORLDS, POLICIES)
def test_nothing_outside_the_selection_changes(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """What the target does not select stays as it is, retired images and our leftovers apart."""
    master, region = world
    catalog = build_catalog(master)
    wanted = {*select(catalog.images, policy).images, *select(catalog.deactivated, policy).images}
    retired = {name.removesuffix("_obsolete") for name in catalog.images if is_obsolete_name(name)}
    after = {image.id: image for image in apply_plan(planned(master, region, policy), region, policy).images}
    for image in region.images:
        name = (image.name or "").removesuffix("_obsolete")
        if image.name not in wanted and name not in retired and not is_partial(image):
            assert after[image.id] == image


@LAW
@given(WORLDS, POLICIES)
def test_other_projects_are_left_alone(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """Without modify_foreign no image of another project is changed or removed."""
    master, region = world
    policy = replace(policy, modify_foreign=False)
    after = {image.id: image for image in apply_plan(planned(master, region, policy), region, policy).images}
    for image in region.images:
        if is_foreign(image.owner, OURS):
            assert after[image.id] == image


@LAW
@given(WORLDS, POLICIES)
def test_nothing_is_deleted_without_a_rule(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """Content disappears only by a replace list, or because a killed run had begun with it."""
    master, region = world
    policy = replace(policy, replace=frozenset())
    made = planned(master, region, policy)
    allowed = {image.id for image in made.partials} | {todo.old.id for todo in made.unfinished if todo.old}
    after = {image.id for image in apply_plan(made, region, policy).images}
    assert {image.id for image in region.images} - after <= allowed


@LAW
@given(WORLDS, POLICIES, st.randoms(use_true_random=False))
def test_order_of_listings_does_not_matter(
    world: tuple[Snapshot, Snapshot], policy: Policy, chance: random.Random
) -> None:
    """Where no two images of the region share a name, the order of either listing changes nothing."""
    master, region = world
    region = replace(region, images=tuple({image.name: image for image in region.images}.values()))
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
@given(WORLDS, POLICIES)
def test_execution_order(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """Every image that needs content is in the order once, after its kernel unless they form a circle."""
    master, region = world
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
@given(WORLDS, POLICIES)
def test_blocked_images_are_never_brought(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """What is brought or written has all its references inside the selection (PR5)."""
    master, region = world
    made = planned(master, region, policy)
    by_name = {row.item.name: row.item.status for row in made.images}
    for row in made.images:
        if row.item.status.needs_content:
            for _, needed in names(row.source):
                assert needed in by_name
                assert needed in made.local or by_name[needed] is Status.PENDING_UPLOAD


@LAW
@given(WORLDS, POLICIES)
def test_empty_master_needs_nothing(world: tuple[Snapshot, Snapshot], policy: Policy) -> None:
    """A master without images never changes a region, but for what our own killed runs left."""
    _, region = world
    made = plan_region(build_catalog(listing(region=MASTER)), region, policy)
    assert not made.images
    assert not [*made.obsolete, *made.unfinished, *made.deactivate]
