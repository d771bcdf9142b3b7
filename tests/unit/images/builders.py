"""Images, listings and the outcome of plans, for tests of the planner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.sync.images.catalog import build_catalog
from app.sync.images.compare import member_changes, metadata_changes, missing_stores
from app.sync.images.conf.model import Policy
from app.sync.images.drafts import make_draft, publish_changes, retire_changes
from app.sync.images.model import Changes, Image, Snapshot
from app.sync.images.plan import Catalog, PlannedImage, RegionPlan
from app.sync.images.planner import execution_order, plan_region
from app.sync.images.provenance import FINISH, Disposal, finish_mark
from app.sync.images.stores.mutations import changed, drafted
from app.sync.status import Level, Status

MASTER = "Valladolid"
REGION = "Burgos"
OURS = "tenant1id"
OTHERS = "tenant9id"


def make_image(name: str | None, **fields: object) -> Image:
    """A public active image of ours in ``REGION``; id and checksum derive from the name unless given."""
    defaults: dict[str, object] = {
        "region": REGION,
        "id": f"id-{name}",
        "status": "active",
        "size": 1000,
        "checksum": f"sum-{name}",
        "owner": OURS,
        "visibility": "public",
    }
    return Image(name=name, **{**defaults, **fields})


def make_master(name: str | None, **fields: object) -> Image:
    """The same in the master region, with an id of its own."""
    return make_image(name, **{"region": MASTER, "id": f"m-{name}", **fields})


def listing(*images: Image, region: str = REGION, project_id: str = OURS) -> Snapshot:
    """A region's listing in the given order."""
    return Snapshot(region, project_id, images)


def make_catalog(*images: Image) -> Catalog:
    """The catalogue of a master region with these images."""
    return build_catalog(listing(*images, region=MASTER))


def plan(master: Iterable[Image], region: Iterable[Image], policy: Policy | None = None) -> RegionPlan:
    """The plan of ``REGION`` for these listings."""
    return plan_region(make_catalog(*master), listing(*region), policy or Policy())


def statuses(made: RegionPlan) -> dict[str, str]:
    """Name -> status of every row."""
    return {row.item.name: str(row.item.status) for row in made.images}


def row_of(made: RegionPlan, name: str) -> PlannedImage:
    """The only row of that name."""
    (found,) = [row for row in made.images if row.item.name == name]
    return found


def warnings(made: RegionPlan | Catalog) -> list[str]:
    """Texts of the warnings."""
    return [notice.message for notice in made.notices if notice.level is Level.WARNING]


@dataclass
class Applied:
    """A listing on its way from before a plan to after it, by the pure functions that a run uses too."""

    policy: Policy
    region: str
    project_id: str
    images: dict[str, Image]
    ids: dict[str, str]
    made: dict[str, str] = field(default_factory=dict)

    def change(self, image_id: str, changes: Changes) -> None:
        """One update."""
        self.images[image_id] = changed(self.images[image_id], changes)

    def put_away(self, image_id: str, disposal: Disposal, taken: frozenset[str]) -> None:
        """Delete or rename a replaced image."""
        if disposal is Disposal.DELETE:
            del self.images[image_id]
        else:
            self.change(image_id, retire_changes(self.images[image_id], taken))

    def follow(self, row: PlannedImage, image_id: str) -> None:
        """Bring metadata, members and stores of one image in line."""
        self.change(image_id, metadata_changes(row.source, self.images[image_id], self.policy, self.ids))
        image = self.images[image_id]
        members = member_changes(row.source, image, self.policy)
        self.images[image_id] = replace(
            image,
            members=(image.members | members.add) - members.remove,
            stores=image.stores | missing_stores(image, self.policy),
        )

    def bring(self, row: PlannedImage, taken: frozenset[str]) -> None:
        """Make, publish and, if it takes the place of another image, put that one away."""
        source = row.source
        draft = make_draft(source, self.policy, self.ids, temporary_name="syncline-partial-t", writer="w")
        number = 1
        while (new_id := f"{number}${draft.name}") in self.images:
            number += 1
        created = replace(
            drafted(draft, self.region, new_id, self.project_id),
            status="active",
            size=source.size,
            checksum=source.checksum,
            hash_algo=source.hash_algo,
            hash_value=source.hash_value,
        )
        old = row.destination if row.item.status is not Status.PENDING_UPLOAD else None
        disposal = Disposal.DELETE if row.item.status is Status.PENDING_REPLACE else Disposal.RENAME
        finish = finish_mark(disposal, old.id) if old else None
        self.images[new_id] = changed(
            created, publish_changes(source, created, self.policy, self.ids, finish)
        )
        if old:
            self.put_away(old.id, disposal, taken)
            self.change(new_id, Changes(remove_properties=frozenset({FINISH})))
        self.ids[draft.name] = self.made[draft.name] = new_id


def apply_plan(made: RegionPlan, before: Snapshot, policy: Policy) -> Snapshot:
    """The listing after a plan was carried out in full, in the order of spec 5.1."""
    state = Applied(
        policy,
        before.region,
        before.project_id,
        {image.id: image for image in before.images},
        {name: image.id for name, image in made.local.items()},
    )
    _prepare(made, state)
    rows = {row.item.name: row for row in made.images}
    for row in _having(made, Status.PENDING_METADATA):
        state.follow(row, _id_of(row))
    for row in execution_order(made):
        state.bring(row, made.taken_names)
    for name, image_id in state.made.items():
        state.follow(rows[name], image_id)
    for row in _having(made, Status.PENDING_AMI):
        state.follow(row, _id_of(row))
    return replace(before, images=tuple(state.images.values()))


def _prepare(made: RegionPlan, state: Applied) -> None:
    """What comes before the rows: leftovers, retired and deactivated images."""
    for partial in made.partials:
        del state.images[partial.id]
    for todo in made.unfinished:
        if todo.old is not None:
            state.put_away(todo.old.id, todo.disposal, made.taken_names)
        state.change(todo.image.id, Changes(remove_properties=frozenset({FINISH})))
    for retired in made.obsolete:
        state.change(retired.image.id, retired.changes)
    for image in made.deactivate:
        state.images[image.id] = replace(image, status="deactivated")


def _having(made: RegionPlan, status: Status) -> list[PlannedImage]:
    return [row for row in made.images if row.item.status is status]


def _id_of(row: PlannedImage) -> str:
    assert row.destination is not None
    return row.destination.id


def by_id(images: Iterable[Image]) -> Mapping[str, Image]:
    """Images by id; two of one id are a mistake of the test."""
    found: dict[str, Image] = {}
    for image in images:
        assert image.id not in found
        found[image.id] = image
    return found
