"""A target's way into its cloud: one token, a catalogue, and clear words when Keystone refuses."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.errors import (
    AuthenticationError,
    BadAnswerError,
    ConfigurationError,
    CredentialError,
    ForbiddenError,
    RemoteFaultError,
    RemoteTimeoutError,
    SynclineError,
    UnknownRegionError,
    UnreachableError,
)
from app.sync.images.conf.model import Credential, Policy, Settings, Target, Tls
from app.sync.images.model import RegionRef
from app.sync.images.stores.glance import OpenStackCloud
from app.sync.images.stores.glance.login import base_url, image_endpoints
from tests.unit.images.stores.scripted import Connection, catalog, scripted

SECRET = "hunter2-password"
TOKEN = "gAAAAABtoken" + "z" * 60
MASTER = RegionRef("master", "Valladolid")
CLOSED = "http://127.0.0.1:1"
"""Nothing listens there."""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://g:9292", "http://g:9292"),
        ("http://g:9292/", "http://g:9292"),
        ("http://g:9292/v2", "http://g:9292"),
        ("http://g:9292/v2/", "http://g:9292"),
        ("http://g:9292/v1", "http://g:9292"),
        ("https://g/image/v2.9", "https://g/image"),
        ("https://g/image", "https://g/image"),
    ],
)
def test_endpoints_with_or_without_version_are_the_same(url: str, expected: str) -> None:
    """Catalogues name Glance with or without a version suffix."""
    assert base_url(url) == expected


CATALOG: list[dict[str, object]] = [
    {"type": "identity", "endpoints": [{"interface": "public", "region_id": "Nowhere", "url": "http://k"}]},
    {
        "type": "image",
        "endpoints": [
            {"interface": "public", "region_id": "West", "url": "http://west/v2"},
            {"interface": "internal", "region_id": "West", "url": "http://west.internal"},
            {"interface": "public", "region": "East", "url": "http://east"},
            {"interface": "public", "region_id": "West", "url": "http://second"},
            {"interface": "public", "region_id": None, "url": "http://none"},
            {"interface": "public", "region_id": "Bare", "url": None},
        ],
    },
    {"type": "image", "endpoints": None},
]


@pytest.mark.parametrize(
    ("interface", "expected"),
    [
        ("public", {"West": "http://west", "East": "http://east"}),
        ("publicURL", {"West": "http://west", "East": "http://east"}),
        ("internal", {"West": "http://west.internal"}),
        ("admin", {}),
    ],
)
def test_regions_are_those_with_an_image_endpoint(interface: str, expected: dict[str, str]) -> None:
    """Regions of a target are the image endpoints with its interface, the first one of each region."""
    assert image_endpoints(CATALOG, interface) == expected


def settings(url: str, **options: object) -> Settings:
    """A configuration with one target at this Keystone."""
    credential = Credential(url, username="syncer", password=SECRET, project_name="images")
    target = Target("master", Policy(), credential, retries=2, read_timeout_seconds=5)
    return Settings("Valladolid", {"master": replace(target, **options)})  # type: ignore[arg-type]


def token(regions: dict[str, str]) -> dict[str, object]:
    """What Keystone says with a token."""
    return {
        "token": {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "syncer", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p42", "name": "images", "domain": {"id": "default", "name": "Default"}},
            "catalog": catalog(regions),
        }
    }


def keystone(regions: dict[str, str] | None = None) -> Callable[[Connection], None]:
    """A Keystone that gives a token to whoever asks."""

    def handler(connection: Connection) -> None:
        while connection.request():
            connection.json(
                token(regions or {"Valladolid": "http://v", "Burgos": "http://b"}), 201, **SUBJECT
            )

    return handler


TWO = {"Valladolid": "http://v", "Burgos": "http://b"}
SUBJECT = {"X_Subject_Token": TOKEN}


def test_regions_in_alphabetical_order_and_one_token_for_all_stores() -> None:
    """A target's stores share one token: fifty regions do not log in fifty times."""
    with scripted(keystone()) as server:
        cloud = OpenStackCloud(settings(server.url + "/v2.0/"))
        assert cloud.region_names("master") == ["Burgos", "Valladolid"]
        stores = [cloud.store(RegionRef("master", name)) for name in ("Burgos", "Valladolid", "Burgos")]
        assert {store.project_id for store in stores} == {"p42"}
        assert [store.region for store in stores] == ["Burgos", "Valladolid", "Burgos"]
        assert {store.location for store in stores} == {server.url}
        assert [head.split()[1] for head in server.heads] == ["/v3/auth/tokens"]


def test_threads_that_need_a_token_at_once_get_one() -> None:
    """Parallel regions wait for one login instead of making many."""
    with scripted(keystone()) as server:
        cloud = OpenStackCloud(settings(server.url))
        start = threading.Barrier(8)

        def work(_: int) -> str:
            start.wait(5)
            return cloud.store(MASTER).project_id

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, range(8))) == {"p42"}
        assert len(server.heads) == 1


def test_endpoint_override_wins_and_adds_regions() -> None:
    """A configured address replaces the catalogue's, and can name a region it lacks."""
    with scripted(keystone()) as server:
        cloud = OpenStackCloud(
            settings(server.url, endpoint_override={"Burgos": f"{CLOSED}/v2/", "Extra": "http://x"}),
            sleep=lambda _: None,
        )
        assert cloud.region_names("master") == ["Burgos", "Extra", "Valladolid"]
        with pytest.raises(UnreachableError, match="no connection") as caught:
            cloud.store(RegionRef("master", "Burgos")).get_image("1")
    assert caught.value.where == f"Burgos ({CLOSED})"


def test_store_of_an_overridden_region_needs_no_keystone() -> None:
    """Opening a store does no more I/O than it needs."""
    cloud = OpenStackCloud(settings(CLOSED, endpoint_override={"Valladolid": "http://v"}))
    assert cloud.store(MASTER).region == "Valladolid"


def test_unknown_target_and_region_are_named() -> None:
    """A region or target that nobody knows is an error that says which."""
    with scripted(keystone()) as server:
        cloud = OpenStackCloud(settings(server.url))
        with pytest.raises(UnknownRegionError, match="Atlantis"):
            cloud.store(RegionRef("master", "Atlantis"))
        with pytest.raises(UnknownRegionError, match="'lab'") as caught:
            cloud.region_names("lab")
    assert "master" in caught.value.remedy


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"credential": None}, "no credential"),
        ({"credential": Credential("http://k", username="u", project_name="p")}, "password"),
        (
            {"credential": Credential("nonsense", username="u", password="p", project_name="p")},
            "keystone_url",
        ),
    ],
)
def test_unusable_credential_names_the_target(options: dict[str, object], says: str) -> None:
    """What is wrong with a credential is said with the target's name."""
    with pytest.raises(CredentialError, match=says) as caught:
        OpenStackCloud(settings("http://k", **options)).region_names("master")
    assert caught.value.where == "target master"
    assert isinstance(caught.value, ConfigurationError)


def refusal(status: int, body: object, **headers: str) -> Callable[[Connection], None]:
    """A Keystone that always answers this."""

    def handler(connection: Connection) -> None:
        while connection.request():
            text = body if isinstance(body, str) else json.dumps(body)
            connection.answer(status, text.encode(), Content_Type="application/json", **headers)

    return handler


def hang_up(connection: Connection) -> None:
    """A Keystone that closes every connection."""
    connection.head()


def silence(connection: Connection) -> None:
    """A Keystone that never answers."""
    connection.head()
    connection.server.stopped.wait()


UNSCOPED = {"token": {k: v for k, v in token({})["token"].items() if k not in ("project", "catalog")}}  # type: ignore[attr-defined]
UNAUTHORIZED = {"error": {"code": 401, "message": "The request you have made requires authentication."}}


@pytest.mark.parametrize(
    ("handler", "expected", "says", "calls"),
    [
        pytest.param(refusal(401, UNAUTHORIZED), AuthenticationError, "requires", 1, id="wrong-password"),
        pytest.param(refusal(403, UNAUTHORIZED), ForbiddenError, "cannot get a token", 1, id="locked"),
        pytest.param(refusal(404, "<html>no</html>"), BadAnswerError, "not that of a Keystone", 1, id="web"),
        pytest.param(refusal(200, "<html>hi</html>"), BadAnswerError, "not that of a Keystone", 1, id="html"),
        pytest.param(refusal(201, [1]), BadAnswerError, "not that of a Keystone", 1, id="list"),
        pytest.param(refusal(201, token({})), BadAnswerError, "not that of a Keystone", 1, id="no-header"),
        pytest.param(refusal(302, "", Location="http://evil/"), BadAnswerError, "not that", 1, id="redirect"),
        pytest.param(refusal(201, UNSCOPED, **SUBJECT), AuthenticationError, "project", 1, id="no-project"),
        pytest.param(refusal(500, "oops"), RemoteFaultError, "HTTP 500", 3, id="broken"),
        pytest.param(refusal(503, "", Retry_After="1"), RemoteFaultError, "HTTP 503", 3, id="busy"),
        pytest.param(hang_up, UnreachableError, "broke", 3, id="hang-up"),
        pytest.param(silence, RemoteTimeoutError, "no answer", 3, id="silence"),
    ],
)
def test_refusal_of_keystone_is_clear(
    handler: Callable[[Connection], None],
    expected: type[SynclineError],
    says: str,
    calls: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Wrong password, dead or foreign server: one error that names target and address, never a secret."""
    caplog.set_level(logging.DEBUG)
    slept: list[float] = []
    with scripted(handler) as server:
        at = settings(server.url, read_timeout_seconds=0.2, endpoint_override={"Valladolid": "http://v"})
        store = OpenStackCloud(at, sleep=slept.append).store(MASTER)
        with pytest.raises(expected, match=says) as caught:
            store.project_id  # noqa: B018 - reading it asks Keystone
        assert len(server.heads) == calls
        assert server.url in caught.value.where
    assert "master" in caught.value.where or "Valladolid" in caught.value.where
    assert len(slept) == calls - 1
    everything = f"{caught.value} {caught.value!r} {caplog.text}"
    assert SECRET not in everything
    assert TOKEN not in everything


@pytest.mark.parametrize(
    "answer", [[1], {"token": []}, {"token": {}}, "x", {"token": {"expires_at": "soon"}}]
)
def test_answer_that_is_no_token_is_noticed_by_every_call(answer: object) -> None:
    """Whatever stands at keystone_url, a call to Glance ends with a clear error."""
    with scripted(refusal(201, answer, **SUBJECT)) as server:
        at = settings(server.url, endpoint_override={"Valladolid": CLOSED})
        with pytest.raises(BadAnswerError, match="not that of a Keystone"):
            OpenStackCloud(at).store(MASTER).get_image("1")


def test_ready_token_is_used_as_it_is() -> None:
    """A token from elsewhere is shown to Keystone, not exchanged, and never shown to a person."""

    def handler(connection: Connection) -> None:
        while connection.head():
            connection.json(token(TWO))

    with scripted(handler) as server:
        given = Credential(server.url, auth_type="v3token", token=TOKEN)
        cloud = OpenStackCloud(settings(server.url, credential=given))
        assert cloud.region_names("master") == ["Burgos", "Valladolid"]
        assert cloud.store(MASTER).project_id == "p42"
        assert [head.split()[:2] for head in server.heads] == [["GET", "/v3/auth/tokens"]]
    with scripted(refusal(404, UNAUTHORIZED)) as server, pytest.raises(AuthenticationError) as caught:
        OpenStackCloud(settings(server.url, credential=replace(given, auth_url=server.url))).store(MASTER)
    assert "expired" in caught.value.remedy
    assert TOKEN not in str(caught.value)


def test_refused_login_says_what_to_look_at() -> None:
    """A refused password and a refused application credential have different remedies."""
    application = Credential(
        "http://k",
        auth_type="v3applicationcredential",
        application_credential_id="a",
        application_credential_secret=SECRET,
    )
    with scripted(refusal(401, UNAUTHORIZED)) as server:
        for credential, hint in (
            (Credential(server.url, username="u", password=SECRET, project_name="p"), "check user, password"),
            (replace(application, auth_url=server.url), "may be expired"),
        ):
            with pytest.raises(AuthenticationError) as caught:
                OpenStackCloud(settings(server.url, credential=credential)).region_names("master")
            assert hint in caught.value.remedy


def test_insecure_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    """Who switches certificate checks off is told so, once for each target."""
    with scripted(keystone()) as server:
        cloud = OpenStackCloud(settings(server.url, tls=Tls(insecure=True)))
        cloud.region_names("master")
        cloud.store(MASTER)
    assert [record.levelname for record in caplog.records if "NOT checked" in record.message] == ["WARNING"]


def glance_that_redirects(seen: list[str]) -> Callable[[Connection], None]:
    """A Glance that sends its clients elsewhere."""

    def handler(connection: Connection) -> None:
        while head := connection.head():
            seen.append(head)
            connection.answer(302, Location="http://127.0.0.1:1/elsewhere")

    return handler


def test_token_does_not_follow_a_redirect() -> None:
    """A token is sent to the address that was configured or is in the catalogue, and nowhere else."""
    seen: list[str] = []
    with ExitStack() as stack:
        glance = stack.enter_context(scripted(glance_that_redirects(seen)))
        server = stack.enter_context(scripted(keystone({"Valladolid": glance.url})))
        with pytest.raises(BadAnswerError, match="302") as caught:
            OpenStackCloud(settings(server.url)).store(MASTER).get_image("1")
    assert "127.0.0.1:1/elsewhere" in caught.value.remedy
    assert len(seen) == 1
