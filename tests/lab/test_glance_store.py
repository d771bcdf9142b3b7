"""The Glance store against real Keystones and Glances, and against a proxy that breaks things."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    AuthenticationError,
    BadAnswerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QuotaError,
    RemoteFaultError,
    RemoteTimeoutError,
    SynclineError,
    UnreachableError,
)
from app.sync.images.conf.model import Credential, Policy, SetMode, Settings, Target
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.base import ActsOnState, Imports
from app.sync.images.stores.glance import GlanceStore, OpenStackCloud, listing
from tests.lab.faults import FaultyProxy
from tests.lab.files import file_server
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
REGIONS = [
    RegionRef("master", "Valladolid"),
    RegionRef("master", "Burgos"),
    RegionRef("federation2", "Madrid"),
]
MASTER, BURGOS, _ = REGIONS
PIECE = bytes(range(256)) * 4096
DRAFT = Draft("final", "syncline-partial-1", {"nid": 7, "a/b~c": "x"}, "raw", "bare", tags=frozenset({"t"}))
ProxyFactory = Callable[[str], FaultyProxy]
Sleep = Callable[[float], None]
each_region = pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.full)


def credential(lab: Lab, account: str = "syncer", target: str = "master") -> Credential:
    """Name and password of an account of the lab."""
    who = lab.account(account, target)
    return Credential(who.auth_url, username=who.name, password=who.password, project_name=who.project)


def settings(lab: Lab, policy: Policy = Policy(), account: str = "syncer", **options: Any) -> Settings:  # noqa: B008
    """A configuration of both federations; ``options`` are those of the target master."""
    targets = {
        name: Target(name, policy, credential(lab, account, name), read_timeout_seconds=20)
        for name in ("master", "federation2")
    }
    targets["master"] = replace(targets["master"], **options)
    return Settings("Valladolid", targets)


def open_store(
    lab: Lab, region: RegionRef = MASTER, sleep: Sleep = lambda _: None, **options: Any
) -> GlanceStore:
    """A region's store; pauses between attempts take no time."""
    return OpenStackCloud(settings(lab, **options), sleep=sleep).store(region)


@pytest.fixture
def front(cloud: Lab, proxy: ProxyFactory) -> FaultyProxy:
    """A faulty proxy before Valladolid's Glance."""
    return proxy(cloud.regions["Valladolid"].url)


@pytest.fixture
def store(cloud: Lab, front: FaultyProxy) -> GlanceStore:
    """Valladolid's store, by way of the proxy."""
    return behind(cloud, front)


def behind(lab: Lab, front: FaultyProxy, **options: Any) -> GlanceStore:
    """Valladolid's store, by way of the proxy, with options of the target."""
    return open_store(lab, endpoint_override={"Valladolid": front.url}, **options)


def filled(store: GlanceStore, content: bytes = b"content") -> Image:
    """An active image of the store."""
    image = store.create_image(DRAFT)
    store.write_data(image.id, iter([content]), len(content))
    return store.get_image(image.id)


def whole(store: GlanceStore, image_id: str, offset: int = 0) -> bytes:
    """An image's content from an offset on."""
    with store.read_data(image_id, offset) as pieces:
        return b"".join(pieces)


# What every region can do


def test_store_offers_all_that_the_engine_asks_of_a_cloud(cloud: Lab) -> None:
    """Imports and actions on the state of images are there, and the federation has a name."""
    store = open_store(cloud)
    assert isinstance(store, Imports)
    assert isinstance(store, ActsOnState)
    assert store.location == cloud.federation().auth_url
    assert store.project_id == cloud.account().project_id
    assert open_store(cloud, REGIONS[2]).location != store.location
    assert open_store(cloud, REGIONS[2]).region == "federation2:Madrid"


def test_regions_of_each_target_are_known(cloud: Lab) -> None:
    """The regions of a target are those of its own Keystone's catalogue, alphabetical."""
    both = OpenStackCloud(settings(cloud))
    assert both.region_names("master") == ["Burgos", "Caceres", "Valladolid"]
    assert both.region_names("federation2") == ["Madrid"]


@pytest.mark.parametrize("size_known", [True, False], ids=["sized", "chunked"])
@each_region
def test_life_of_an_image(cloud: Lab, region: RegionRef, size_known: bool) -> None:
    """Created private under a temporary name, filled, published, read back, deleted: nothing is lost."""
    store = open_store(cloud, region)
    content = PIECE * 3 + b"tail"
    image = store.create_image(DRAFT)
    assert (image.name, image.visibility, image.status) == ("syncline-partial-1", "private", "queued")
    assert dict(image.properties) == {"nid": "7", "a/b~c": "x"}
    assert image.tags == {"t"}

    store.write_data(image.id, iter([PIECE, PIECE, PIECE, b"tail"]), len(content) if size_known else None)
    active = store.get_image(image.id)
    assert (active.status, active.size) == ("active", len(content))
    assert active.checksum == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (active.hash_algo, active.hash_value) == ("sha512", hashlib.sha512(content).hexdigest())

    published = store.update_image(
        image.id,
        Changes(
            name="final",
            visibility="public",
            hidden=True,
            protected=True,
            min_disk=2,
            min_ram=3,
            tags=frozenset({"u"}),
            set_properties={"nid": None, "empty": "", "n": 5},
            remove_properties=frozenset({"a/b~c"}),
        ),
    )
    assert (published.name, published.visibility, published.hidden, published.protected) == (
        "final", "public", True, True,
    )  # fmt: skip
    assert (published.min_disk, published.min_ram, published.tags) == (2, 3, {"u"})
    assert dict(published.properties) == {"empty": "", "n": "5"}
    assert whole(store, image.id) == content
    assert list(store.list_images()) == [published]

    with pytest.raises(ForbiddenError, match="protected"):
        store.delete_image(image.id)
    store.update_image(image.id, Changes(protected=False))
    store.delete_image(image.id)
    for gone in (store.delete_image, store.get_image, store.reactivate_image):
        with pytest.raises(NotFoundError):
            gone(image.id)


def test_update_without_changes_writes_nothing(store: GlanceStore, front: FaultyProxy) -> None:
    """Nothing to write means no write."""
    image = filled(store)
    assert store.update_image(image.id, Changes()) == image
    assert front.count("PATCH") == 0


@pytest.mark.parametrize("offset", [0, 1, len(PIECE), len(PIECE) + 7])
@each_region
def test_download_resumes_at_an_offset(cloud: Lab, region: RegionRef, offset: int) -> None:
    """A broken download goes on at the byte where it broke."""
    store = open_store(cloud, region)
    image = filled(store, PIECE * 2)
    assert whole(store, image.id, offset) == (PIECE * 2)[offset:]


def test_empty_image_goes_both_ways(cloud: Lab) -> None:
    """An image of no bytes is an image."""
    store = open_store(cloud)
    image = filled(store, b"")
    assert (image.status, image.size) == ("active", 0)
    assert whole(store, image.id) == b""


def test_image_without_data_cannot_be_read(cloud: Lab) -> None:
    """A queued image, or one shorter than the offset, is a conflict and no empty content."""
    store = open_store(cloud)
    queued, short = store.create_image(DRAFT), filled(store)
    for image, offset in ((queued, 0), (short, 7), (short, 100)):
        with pytest.raises(ConflictError):
            whole(store, image.id, offset)


def test_image_is_filled_only_once(cloud: Lab) -> None:
    """A second upload is refused as a conflict, and the content stays."""
    store = open_store(cloud)
    image = filled(store)
    with pytest.raises(ConflictError, match="saving"):
        store.write_data(image.id, iter([PIECE] * 8), 8 * len(PIECE))
    assert whole(store, image.id) == b"content"


@pytest.mark.parametrize("size_known", [True, False], ids=["sized", "chunked"])
@each_region
def test_data_that_fails_leaves_nothing_active(cloud: Lab, region: RegionRef, size_known: bool) -> None:
    """If the source breaks, nothing becomes active, and its own exception is what the caller sees."""
    store = open_store(cloud, region)
    image = store.create_image(DRAFT)
    broken = UnreachableError("the master is gone")

    def data() -> Iterator[bytes]:
        yield PIECE
        raise broken

    with pytest.raises(UnreachableError) as caught:
        store.write_data(image.id, data(), 2 * len(PIECE) if size_known else None)
    assert caught.value is broken
    assert store.get_image(image.id).status in ("queued", "saving")
    store.delete_image(image.id)
    assert list(store.list_images()) == []


# Credentials


def application(lab: Lab) -> Credential:
    """The application credential of the lab, by id."""
    made = lab.federation().application_credential
    return Credential(
        lab.federation().auth_url,
        auth_type="v3applicationcredential",
        application_credential_id=made.id,
        application_credential_secret=made.secret,
    )


def application_by_name(lab: Lab) -> Credential:
    """The same by its name and its user's."""
    name = lab.federation().application_credential.name
    who = lab.account().name
    return replace(
        application(lab), application_credential_id="", application_credential_name=name, username=who
    )


def trust(lab: Lab) -> Credential:
    """What syncer trusts the user other with."""
    giver, taker = lab.account(), lab.account("other")
    wanted = {
        "trustor_user_id": giver.user_id,
        "trustee_user_id": taker.user_id,
        "project_id": giver.project_id,
        "impersonation": True,
        "roles": [{"name": "member"}, {"name": "admin"}],
    }
    url = f"{giver.auth_url}/v3/OS-TRUST/trusts"
    made = lab.session().post(url, json={"trust": wanted}).json()["trust"]
    return replace(credential(lab, "other"), auth_type="trust", trust_id=made["id"])


def by_ids(lab: Lab) -> Credential:
    """User and project by id."""
    who = lab.account()
    return Credential(who.auth_url, user_id=who.user_id, password=who.password, project_id=who.project_id)


def old_address(lab: Lab) -> Credential:
    """The address as files of the original have it."""
    return replace(credential(lab), auth_url=lab.federation().auth_url + "/v2.0/")


def with_domains(lab: Lab) -> Credential:
    """Domains by name."""
    return replace(credential(lab), user_domain_name="Default", project_domain_name="Default")


def ready_token(lab: Lab) -> Credential:
    """A token that was got elsewhere."""
    return Credential(lab.federation().auth_url, auth_type="v3token", token=lab.token())


@pytest.mark.parametrize(
    "made",
    [credential, old_address, by_ids, with_domains, application, application_by_name, ready_token, trust],
)
def test_every_kind_of_credential_opens_the_region(cloud: Lab, made: Callable[[Lab], Credential]) -> None:
    """Password, application credential, token and trust all give the same project's images."""
    store = open_store(cloud, credential=made(cloud))
    assert store.project_id == cloud.account().project_id
    assert store.create_image(DRAFT).owner == cloud.account().project_id


def wrong_password(lab: Lab) -> Credential:
    """A password that is not the user's."""
    return replace(credential(lab), password="hunter2-wrong")


def wrong_secret(lab: Lab) -> Credential:
    """An application credential with a secret that is not its own."""
    return replace(application(lab), application_credential_secret="hunter2-wrong")


def revoked_token(lab: Lab) -> Credential:
    """A token that is no longer valid."""
    token = lab.token()
    lab.revoke(token)
    return Credential(lab.federation().auth_url, auth_type="v3token", token=token)


def no_role(lab: Lab) -> Credential:
    """A user who may do nothing in the project."""
    return replace(credential(lab, "nobody"), project_name=lab.account().project)


@pytest.mark.parametrize("made", [wrong_password, wrong_secret, revoked_token, no_role])
def test_refused_credential_is_named_without_secret(cloud: Lab, made: Callable[[Lab], Credential]) -> None:
    """Keystone's refusal names target and address, has a remedy and shows no secret."""
    refused = made(cloud)
    with pytest.raises(AuthenticationError) as caught:
        open_store(cloud, credential=refused)
    assert caught.value.where == f"target master ({cloud.federation().auth_url})"
    assert caught.value.remedy
    for secret in (refused.password, refused.token, refused.application_credential_secret):
        assert not secret or secret not in str(caught.value)


def test_refused_token_is_renewed_once(store: GlanceStore, front: FaultyProxy) -> None:
    """A token that ends in the middle of a run is renewed, and the call succeeds."""
    image = filled(store)
    front.on("GET", f"{image.id}$", times=1).respond(401)
    assert store.get_image(image.id) == image
    tokens = {one.headers["X-Auth-Token"] for one in front.seen("GET", f"{image.id}$")}
    assert len(tokens) == 2
    front.on("GET", f"{image.id}$", times=2).respond(401)
    with pytest.raises(AuthenticationError):
        store.get_image(image.id)


def test_token_refused_at_an_upload_can_be_tried_anew(store: GlanceStore, front: FaultyProxy) -> None:
    """Data cannot be sent twice: the upload fails as retryable, and the next one has a new token."""
    image = store.create_image(DRAFT)
    front.on("PUT", "/file$", times=1).respond(401, read_bytes=100_000)
    with pytest.raises(RemoteFaultError, match="token") as caught:
        store.write_data(image.id, iter([PIECE] * 32), 32 * len(PIECE))
    assert caught.value.retryable
    assert store.get_image(image.id).status == "queued"
    store.write_data(image.id, iter([PIECE]), len(PIECE))
    assert store.get_image(image.id).status == "active"


# Listing


def test_listing_is_complete_ordered_and_without_repetition(
    cloud: Lab, store: GlanceStore, front: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every visibility, hidden images, queued ones, those of others and pending shares, oldest first."""
    monkeypatch.setitem(listing._COMMON, "limit", "2")
    mine, theirs = cloud.client(), cloud.client(account="other")
    ids = [mine.create(f"v-{kind}", visibility=kind)["id"] for kind in ("public", "private", "shared")]
    ids += [theirs.create(f"o-{kind}", visibility=kind)["id"] for kind in ("public", "community")]
    ids.append(mine.create(None, None, visibility="private")["id"])
    ids.append(mine.create("hidden", os_hidden=True)["id"])
    ids.append(theirs.create("hidden community", visibility="community", os_hidden=True)["id"])
    shared = theirs.create("shared", visibility="shared")["id"]
    theirs.http.post(f"/v2/images/{shared}/members", json={"member": cloud.account().project_id})
    ids.append(shared)

    found = list(store.list_images())
    assert sorted(image.id for image in found) == sorted(ids)
    assert [image.created_at for image in found] == sorted(str(image.created_at) for image in found)
    assert {image.name for image in found if image.hidden} == {"hidden", "hidden community"}
    assert [image.status for image in found if image.name is None] == ["queued"]

    before = front.count()
    front.on("GET", "visibility=all", times=1).respond(400)
    assert sorted(image.id for image in store.list_images()) == sorted(ids)
    assert front.count() > before + 4


def test_nothing_to_do_costs_listing_pages_only(store: GlanceStore, front: FaultyProxy) -> None:
    """A region that is already right gets two requests: what is listed, and what is hidden."""
    filled(store)
    front.forget()
    assert len(list(store.list_images())) == 1
    assert [(one.method, one.status) for one in front.seen()] == [("GET", 200)] * 2


@pytest.mark.parametrize("mode", [SetMode.OFF, SetMode.MERGE])
def test_members_are_read_only_when_they_are_wanted(cloud: Lab, front: FaultyProxy, mode: SetMode) -> None:
    """Members cost a call for each of our own shared images, and only if the target synchronises them."""
    store = behind(cloud, front, policy=Policy(members_mode=mode))
    image = cloud.client().create("shared", visibility="shared")
    cloud.client().create("public")
    cloud.client(account="other").create("theirs", visibility="shared")
    store.set_members(image["id"], ["p1", "p2", "p1"], [])
    store.set_members(image["id"], ["p2"], ["p1", "never-there"])
    front.forget()
    listed = {one.name: one.members for one in store.list_images()}
    wanted = mode is not SetMode.OFF
    assert listed["shared"] == ({"p2"} if wanted else set())
    assert front.count("GET", "/members$") == int(wanted)
    assert store.get_image(image["id"]).members == listed["shared"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda rule: rule.endless("repeat"), BadAnswerError, id="repeating"),
        pytest.param(lambda rule: rule.endless("fresh"), BadAnswerError, id="ever-new"),
        pytest.param(lambda rule: rule.bad_json(), BadAnswerError, id="no-json"),
        pytest.param(lambda rule: rule.rewrite(lambda _: b"[]"), BadAnswerError, id="no-listing"),
        pytest.param(lambda rule: rule.drip(20), RemoteTimeoutError, id="drip"),
        pytest.param(lambda rule: rule.stall("response", 3), RemoteTimeoutError, id="stall"),
        pytest.param(lambda rule: rule.cut("response", 3), UnreachableError, id="cut"),
        pytest.param(lambda rule: rule.respond(500), RemoteFaultError, id="500"),
    ],
)
def test_listing_that_cannot_be_had_ends(
    cloud: Lab, front: FaultyProxy, spoil: Callable[[Any], object], expected: type[SynclineError]
) -> None:
    """A listing that never ends, stalls or is none is one clear error that names the region."""
    cloud.client().create("one")
    spoil(front.on("GET", "/v2/images"))
    store = behind(cloud, front, list_images_timeout_seconds=0.5)
    with pytest.raises(expected) as caught:
        list(store.list_images())
    assert "Valladolid" in caught.value.where


# Calls that can be made again


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda rule: rule.respond(503, retry_after_seconds=2), id="503"),
        pytest.param(lambda rule: rule.respond(500), id="500"),
        pytest.param(lambda rule: rule.respond(429), id="429"),
        pytest.param(lambda rule: rule.cut("response", 5), id="cut"),
    ],
)
def test_passing_failure_goes_unnoticed(
    cloud: Lab, front: FaultyProxy, spoil: Callable[[Any], object]
) -> None:
    """Reading, updating and creating succeed although a server fails for a moment."""
    slept: list[float] = []
    override = {"Valladolid": front.url}
    store = open_store(cloud, sleep=slept.append, endpoint_override=override, retries=2)
    for method in ("GET", "PATCH", "POST"):
        spoil(front.on(method, "/v2/images", times=2))
    image = store.create_image(DRAFT)
    changed = store.update_image(
        image.id, Changes(name="x", set_properties={"k": "v"}, remove_properties=frozenset({"nid"}))
    )
    assert (changed.name, dict(changed.properties)) == ("x", {"a/b~c": "x", "k": "v"})
    assert [one.id for one in store.list_images()] == [image.id]
    assert len(slept) >= 4


def test_lasting_failure_is_reported_after_the_configured_retries(cloud: Lab, front: FaultyProxy) -> None:
    """A region that stays broken is given up after ``retries`` further attempts."""
    front.on("GET", "/v2/images").respond(503, retry_after_seconds=9)
    slept: list[float] = []
    override = {"Valladolid": front.url}
    store = open_store(cloud, sleep=slept.append, endpoint_override=override, retries=2)
    with pytest.raises(RemoteFaultError) as caught:
        store.get_image("x")
    assert caught.value.retry_after_seconds == 9
    assert slept == [9, 9]
    assert front.count("GET") == 3


def test_refused_connection_names_region_and_address(cloud: Lab, front: FaultyProxy) -> None:
    """A region that refuses connections is unreachable, and says where."""
    store = behind(cloud, front)
    front.refuse()
    with pytest.raises(UnreachableError, match="refused") as caught:
        list(store.list_images())
    assert caught.value.where == f"Valladolid ({front.url})"


def test_lost_answer_to_a_creation_makes_no_second_image(store: GlanceStore, front: FaultyProxy) -> None:
    """When the answer is lost, the second attempt finds what the first one made."""
    front.on("POST", "/v2/images$", times=1).cut("response", 0)
    image = store.create_image(DRAFT)
    assert front.count("POST") == 2
    assert [one.id for one in store.list_images()] == [image.id]
    assert image.name == "syncline-partial-1"


def test_lost_answer_to_a_deletion_is_no_missing_image(cloud: Lab, front: FaultyProxy) -> None:
    """An image that the first attempt deleted is not reported as missing by the second."""
    image = cloud.client().create("doomed")
    store = open_store(
        cloud,
        sleep=lambda _: cloud.client().delete(image["id"]),
        endpoint_override={"Valladolid": front.url},
    )
    front.on("DELETE", "", times=1).respond(503)
    store.delete_image(image["id"])
    assert front.count("DELETE") == 2
    with pytest.raises(NotFoundError):
        store.delete_image(image["id"])


# Uploads and downloads that break


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, QuotaError),
        (500, RemoteFaultError),
        (503, RemoteFaultError),
    ],
)
def test_refusal_in_the_middle_of_an_upload_is_seen(
    store: GlanceStore, front: FaultyProxy, status: int, expected: type[SynclineError]
) -> None:
    """What a server answers while data still flows is the error, not a broken pipe; it is sent once."""
    image = store.create_image(DRAFT)
    front.on("PUT", "/file$").respond(status, b"because", read_bytes=2_000_000)
    with pytest.raises(expected, match="because"):
        store.write_data(image.id, iter([PIECE] * 64), 64 * len(PIECE))
    assert front.count("PUT") == 1
    assert store.get_image(image.id).status == "queued"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda rule: rule.cut("request", 3_000_000), UnreachableError, id="cut"),
        pytest.param(lambda rule: rule.cut("request", 3_000_000, reset=True), UnreachableError, id="reset"),
        pytest.param(lambda rule: rule.stall("request", 3_000_000), RemoteTimeoutError, id="stall"),
    ],
)
def test_upload_that_breaks_leaves_nothing_active(
    cloud: Lab, front: FaultyProxy, spoil: Callable[[Any], object], expected: type[SynclineError]
) -> None:
    """A broken or stalled upload ends in time and is an error that a new attempt can cure."""
    store = behind(cloud, front, stall_timeout_seconds=1)
    image = store.create_image(DRAFT)
    spoil(front.on("PUT", "/file$"))
    with pytest.raises(expected) as caught:
        store.write_data(image.id, iter([PIECE] * 64), 64 * len(PIECE))
    assert getattr(caught.value, "retryable", False)
    front.clear()
    assert not store.get_image(image.id).is_active


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda rule: rule.cut("response", 2_500_000), UnreachableError, id="cut"),
        pytest.param(lambda rule: rule.stall("response", 2_500_000), RemoteTimeoutError, id="stall"),
        pytest.param(lambda rule: rule.wrong_length(50), UnreachableError, id="short"),
    ],
)
def test_broken_download_raises_and_resumes(
    cloud: Lab, front: FaultyProxy, spoil: Callable[[Any], object], expected: type[SynclineError]
) -> None:
    """A download that breaks says so, and the rest can be had from where it broke."""
    store = behind(cloud, front, stall_timeout_seconds=1)
    image = filled(store, PIECE * 4)
    spoil(front.on("GET", "/file$", times=1))
    received: list[bytes] = []
    with pytest.raises(expected), store.read_data(image.id) as pieces:
        received.extend(pieces)
    front.clear()
    begun = b"".join(received)
    assert len(begun) >= 2 * len(PIECE)
    rest = whole(store, image.id, len(begun)) if len(begun) < 4 * len(PIECE) else b""
    assert begun + rest == PIECE * 4


def test_reading_may_stop_early(store: GlanceStore, front: FaultyProxy) -> None:
    """Leaving a download in the middle closes it; the store works on."""
    image = filled(store, PIECE * 4)
    with store.read_data(image.id) as pieces:
        assert next(pieces) == PIECE
    assert whole(store, image.id) == PIECE * 4
    assert front.count("GET", "/file$") == 2


def test_reading_and_writing_go_side_by_side(store: GlanceStore) -> None:
    """One image's data can flow from a region to another image there: the store serves both at once."""
    source, copy = filled(store, PIECE * 4), store.create_image(DRAFT)
    with store.read_data(source.id) as pieces:
        store.write_data(copy.id, pieces, source.size)
    assert store.get_image(copy.id).hash_value == source.hash_value


# What may not be done


def test_deactivated_image_cannot_be_downloaded(cloud: Lab) -> None:
    """Deactivating forbids downloads, reactivating allows them; saying it twice is no error."""
    store, member = open_store(cloud), open_store(cloud, account="member")
    image = filled(store)
    for _ in range(2):
        store.deactivate_image(image.id)
    assert store.get_image(image.id).status == "deactivated"
    with pytest.raises(ForbiddenError, match="deactivated"):
        whole(member, image.id)
    for _ in range(2):
        store.reactivate_image(image.id)
    assert whole(member, image.id) == b"content"


def test_forbidden_visibility_writes_nothing(cloud: Lab) -> None:
    """Who may not publish images gets an error, and the image keeps name and properties."""
    store = open_store(cloud, account="member")
    image = filled(store)
    with pytest.raises(ForbiddenError):
        store.update_image(
            image.id, Changes(name="final", visibility="public", set_properties={"nid": "8", "new": "1"})
        )
    assert store.get_image(image.id) == image


def test_forbidden_properties_are_named_the_rest_is_written(store: GlanceStore, front: FaultyProxy) -> None:
    """Property protections forbid single keys: the others are written, the forbidden ones named."""
    image = filled(store)
    changes = Changes(
        name="final",
        set_properties={"first": "1", "second": "2"},
        remove_properties=frozenset({"nid", "x"}),
    )
    front.on("PATCH", "", times=1).respond(403, b"protected")
    front.on("PATCH", "", skip=1, times=1).respond(403, b"protected")
    with pytest.raises(ForbiddenError, match="'first'") as caught:
        store.update_image(image.id, changes)
    assert "second" not in str(caught.value)
    after = store.get_image(image.id)
    assert (after.name, dict(after.properties)) == ("final", {"a/b~c": "x", "second": "2"})


def test_property_that_is_gone_already_does_not_stop_an_update(store: GlanceStore) -> None:
    """Removing what somebody else removed meanwhile is done, together with the rest."""
    image = filled(store)
    changes = Changes(name="x", set_properties={"n": "1"}, remove_properties=frozenset({"nid", "never"}))
    assert dict(store.update_image(image.id, changes).properties) == {"a/b~c": "x", "n": "1"}
    only = Changes(remove_properties=frozenset({"never"}))
    assert store.update_image(image.id, only).name == "x"


# Import


def settled(store: GlanceStore, image_id: str) -> tuple[Image, str | None]:
    """The image once its import has ended, and why it failed if it did."""
    import time

    end = time.monotonic() + 30
    while time.monotonic() < end:
        image, reason = store.get_image(image_id), store.import_failure(image_id)
        if image.is_active or reason:
            return image, reason
        time.sleep(0.05)
    raise AssertionError(f"the import of {image_id} does not end")


def test_import_methods_of_each_region(cloud: Lab, store: GlanceStore, front: FaultyProxy) -> None:
    """Discovery tells which ways of import a region offers; a server without discovery offers none."""
    for region in REGIONS:
        expected = cloud.regions[region.full].import_methods
        assert open_store(cloud, region).import_methods() == set(expected)
    front.on("GET", "/info/import").respond(404)
    assert store.import_methods() == frozenset()


@each_region
def test_glance_direct(cloud: Lab, region: RegionRef) -> None:
    """Data goes by way of the staging area where direct uploads are forbidden."""
    store = open_store(cloud, region)
    image = store.create_image(DRAFT)
    store.stage_data(image.id, iter([PIECE, PIECE]), 2 * len(PIECE))
    store.import_image(image.id, {"name": "glance-direct"})
    done, reason = settled(store, image.id)
    assert (done.size, reason) == (2 * len(PIECE), None)


def test_glance_download_between_regions(cloud: Lab) -> None:
    """Burgos fetches an image from Valladolid without a byte passing through us."""
    source, store = filled(open_store(cloud), PIECE), open_store(cloud, BURGOS)
    image = store.create_image(DRAFT)
    method = {
        "name": "glance-download",
        "glance_region": "Valladolid",
        "glance_image_id": source.id,
        "glance_service_interface": "public",
    }
    store.import_image(image.id, method)
    done, reason = settled(store, image.id)
    assert (done.hash_value, reason) == (source.hash_value, None)


def test_web_download_fails_with_a_reason_and_can_be_tried_again(cloud: Lab, tmp_path: Path) -> None:
    """A failed import tells why; a later one that works is not blamed for it."""
    store = open_store(cloud, BURGOS)
    image = store.create_image(DRAFT)
    (tmp_path / "image").write_bytes(PIECE)
    with file_server(tmp_path) as url:
        store.import_image(image.id, {"name": "web-download", "uri": f"{url}/missing"})
        failed, reason = settled(store, image.id)
        assert not failed.is_active
        assert reason
        store.import_image(image.id, {"name": "web-download", "uri": f"{url}/image"})
        end, reason = settled_after(store, image.id)
    assert (end.size, reason) == (len(PIECE), None)


def settled_after(store: GlanceStore, image_id: str) -> tuple[Image, str | None]:
    """Like ``settled``; asks at once, when the earlier failure is all that is known."""
    assert store.import_failure(image_id) is None
    return settled(store, image_id)


def test_import_that_is_not_offered_is_an_error(cloud: Lab) -> None:
    """A region that does not offer a method says so at once."""
    store = open_store(cloud, REGIONS[2])
    image = store.create_image(DRAFT)
    with pytest.raises(SynclineError, match="glance-download"):
        store.import_image(image.id, {"name": "glance-download"})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(frozenset(), {"fast"}), (frozenset({"slow"}), {"slow"}), (frozenset({"all"}), {"fast"})],
    ids=["default", "named", "all"],
)
def test_upload_goes_to_the_store_of_the_target(
    cloud: Lab, wanted: frozenset[str], expected: set[str]
) -> None:
    """The stores of a target say where uploads go; copy-image adds the missing ones."""
    store = open_store(cloud, BURGOS, policy=Policy(stores=wanted))
    image = filled(store)
    assert image.stores == expected
    store.import_image(image.id, {"name": "copy-image"}, ["all"])
    while store.get_image(image.id).stores != {"fast", "slow"}:
        assert store.import_failure(image.id) is None
