"""The API before the real Keystone: who gets in, who does not, and what they are told (spec images 9.2)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keystoneauth1 import exceptions
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from werkzeug.test import TestResponse

from app.schema import upgrade
from app.settings import ApiSettings, AuthSettings
from tests.functional.api.site import Site, service_settings
from tests.lab.conftest import ProxyFactory
from tests.lab.faults import FaultyProxy
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

UNAUTHORIZED = "The request you have made requires authentication."
MakeSite = Callable[..., Site]


@pytest.fixture
def keystone(lab: Lab, proxy: ProxyFactory) -> FaultyProxy:
    """The lab's Keystone, with a proxy before it that counts and breaks."""
    return proxy(lab.federation().auth_url)


@pytest.fixture
def make_site(lab: Lab, keystone: FaultyProxy, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes services that ask the lab's Keystone; arguments are options of ``[api]`` and ``[auth]``."""
    service = lab.account("glance")
    made: list[Site] = []

    def make(api: dict[str, bool] | None = None, **options: object) -> Site:
        settings = service_settings(tmp_path, "")
        upgrade(settings.database_url)
        auth = AuthSettings(
            keystone_url=keystone.url,
            service_username=service.name,
            service_password=service.password,
            service_project_name=service.project,
            keystone_interface="public",
        )
        made.append(
            Site.open(
                dataclasses.replace(
                    settings,
                    api=ApiSettings(**(api or {})),
                    auth=dataclasses.replace(auth, **options),  # type: ignore[arg-type]
                )
            )
        )
        return made[-1]

    yield make
    for site in made:
        site.close()


def ask(site: Site, token: str | None, method: str = "GET", path: str = "/regions") -> TestResponse:
    """A request with a token."""
    return site.client.open(path, method=method, headers={} if token is None else {"X-Auth-Token": token})


class TestTokens:
    """Which tokens are good."""

    def test_a_valid_token_lets_in(self, make_site: MakeSite, lab: Lab) -> None:
        """A token of a project with a configured role is served; its owner is remembered in the task."""
        site, token = make_site(), lab.token("syncer")
        assert ask(site, token).status_code == 200
        answer = ask(site, token, "POST", "/regions/Burgos")
        assert answer.status_code == 200
        task = ask(site, token, path=answer.headers["Location"]).json
        assert task["requester"] == "syncer"

    @pytest.mark.parametrize("kind", ["missing", "empty", "blank", "garbage", "long", "not ascii"])
    def test_what_is_no_token_is_refused(self, make_site: MakeSite, keystone: FaultyProxy, kind: str) -> None:
        """401 with the original's words, and where to get a token."""
        tokens = {
            "missing": None,
            "empty": "",
            "blank": "  ",
            "garbage": "not-a-token",
            "long": "gAAAAAB" + "x" * 3000,
            "not ascii": "t\xf6ken",
        }
        answer = ask(make_site(), tokens[kind])
        assert answer.status_code == 401
        error = answer.json["error"]
        assert (error["message"], error["code"], error["title"]) == (UNAUTHORIZED, 401, "Unauthorized")
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}/v3"'

    def test_an_expired_token_is_refused(self, make_site: MakeSite, lab: Lab) -> None:
        """A token is good until it expires and not a moment longer, although it is remembered."""
        site, token = make_site(), lab.token("syncer", lifetime_seconds=4)
        assert ask(site, token).status_code == 200
        deadline = time.monotonic() + 30
        while ask(site, token).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert ask(site, token).status_code == 401

    def test_a_revoked_token_is_refused_without_a_cache(self, make_site: MakeSite, lab: Lab) -> None:
        """With token_cache_seconds = 0 a revoked token is refused at once."""
        site, token = make_site(token_cache_seconds=0), lab.token("syncer")
        assert ask(site, token).status_code == 200
        lab.revoke(token)
        assert ask(site, token).status_code == 401

    def test_a_revoked_token_lives_no_longer_than_the_cache(self, make_site: MakeSite, lab: Lab) -> None:
        """With a cache a revoked token is refused when the cache's time is over."""
        site, token = make_site(token_cache_seconds=2), lab.token("syncer")
        assert ask(site, token).status_code == 200
        lab.revoke(token)
        deadline = time.monotonic() + 30
        while ask(site, token).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert ask(site, token).status_code == 401

    def test_a_known_token_costs_keystone_nothing(self, make_site: MakeSite, lab: Lab) -> None:
        """Within the cache's time Keystone is not asked again, not even whether the token was revoked."""
        site, token = make_site(token_cache_seconds=300), lab.token("syncer")
        assert ask(site, token).status_code == 200
        lab.revoke(token)
        assert {ask(site, token).status_code for _ in range(5)} == {200}

    def test_nothing_odd_is_logged_at_the_start(
        self, make_site: MakeSite, lab: Lab, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A service that is set up well and used well starts and serves without a warning."""
        site = make_site()
        assert ask(site, lab.token("syncer")).status_code == 200
        assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []

    def test_identity_headers_of_a_client_count_for_nothing(self, make_site: MakeSite, lab: Lab) -> None:
        """Nobody becomes somebody else by sending the headers that validation sets."""
        site = make_site()
        spoofed = {"X-Roles": "admin", "X-User-Id": "x", "X-Identity-Status": "Confirmed"}
        assert site.client.get("/regions", headers=spoofed).status_code == 401
        headers = {"X-Auth-Token": lab.token("member"), **spoofed}
        task = site.client.post("/regions/Burgos", headers=headers)
        assert site.client.delete(task.headers["Location"], headers=headers).status_code == 403

    def test_tokens_and_passwords_stay_out_of_the_log(
        self, make_site: MakeSite, lab: Lab, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not even at the most talkative level."""
        token = lab.token("syncer")
        with caplog.at_level("DEBUG"):
            site = make_site()
            ask(site, token)
            ask(site, "garbage-token-of-a-person")
        assert token not in caplog.text
        assert "garbage-token-of-a-person" not in caplog.text
        assert lab.account("glance").password not in caplog.text

    @pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs/api"])
    def test_some_things_need_no_token(self, make_site: MakeSite, keystone: FaultyProxy, path: str) -> None:
        """GET / and the description tolerate any token and ask nobody about it."""
        site = make_site()
        assert ask(site, None, path=path).status_code == 200
        assert ask(site, "garbage", path=path).status_code == 200
        assert keystone.count() == 0


RIGHTS = {
    "syncer": (200, 200, 409),
    "member": (200, 200, 403),
    "nobody": (403, 403, 403),
}


@pytest.mark.parametrize("account", RIGHTS)
def test_roles_decide_what_is_allowed(make_site: MakeSite, lab: Lab, account: str) -> None:
    """Reader: GET; member: POST as well; admin: DELETE as well; no role: nothing."""
    site, token = make_site(), lab.token(account) if account != "nobody" else unscoped(lab)
    admin = lab.token("syncer")
    task = ask(site, admin, "POST", "/regions/Caceres").headers["Location"]
    got = (
        ask(site, token).status_code,
        ask(site, token, "POST", "/regions/Burgos").status_code,
        ask(site, token, "DELETE", task).status_code,
    )
    assert got == RIGHTS[account]


def unscoped(lab: Lab) -> str:
    """A token of a user without any role."""
    who = lab.account("nobody")
    login = Password(f"{who.auth_url}/v3", user_id=who.user_id, password=who.password, unscoped=True)
    return str(Session(auth=login).get_token())


@pytest.mark.parametrize("option", ["allowed_projects", "allowed_domains"])
def test_access_can_be_restricted(make_site: MakeSite, lab: Lab, option: str) -> None:
    """Only tokens for the named projects or domains are served."""
    inside = lab.account("syncer").project_id if option == "allowed_projects" else "default"
    token = lab.token("syncer")
    assert ask(make_site(**{option: (inside,)}), token).status_code == 200
    assert ask(make_site(**{option: ("elsewhere",)}), token).status_code == 403
    if option == "allowed_projects":
        assert ask(make_site(**{option: (inside,)}), lab.token("other")).status_code == 403


class TestKeystoneAway:
    """A Keystone that does not answer is not the caller's fault."""

    @pytest.mark.parametrize("fault", ["refused", "error", "wrong password"])
    def test_it_is_a_503(self, make_site: MakeSite, lab: Lab, keystone: FaultyProxy, fault: str) -> None:
        """503 with Retry-After, and service again as soon as Keystone is back."""
        options = {"service_password": "wrong"} if fault == "wrong password" else {}
        site, token = make_site(**options), lab.token("syncer")
        if fault == "refused":
            keystone.refuse()
        elif fault == "error":
            keystone.on("*", r"/v3").respond(500)
        answer = ask(site, token)
        assert (answer.status_code, answer.json["error"]["code"]) == (503, 503)
        assert int(answer.headers["Retry-After"]) > 0
        assert ask(site, None, path="/").status_code == 200
        if fault == "wrong password":
            return
        if fault == "refused":
            keystone.accept()
        keystone.clear()
        assert ask(site, token).status_code == 200

    def test_tokens_that_are_known_still_work(
        self, make_site: MakeSite, lab: Lab, keystone: FaultyProxy
    ) -> None:
        """A minute without Keystone is not felt by those whose token is known."""
        site, token = make_site(), lab.token("syncer")
        assert ask(site, token).status_code == 200
        keystone.refuse()
        assert ask(site, token).status_code == 200
        keystone.accept()


class TestLegacyCodes:
    """The original's answers (spec images 9.2), with ``legacy_status_codes``."""

    @pytest.fixture
    def old(self, make_site: MakeSite) -> Site:
        """A service with the original's codes."""
        return make_site(api={"legacy_status_codes": True})

    def test_a_missing_token(self, old: Site) -> None:
        """Header absent: 401."""
        assert ask(old, None).status_code == 401

    def test_an_empty_token(self, old: Site) -> None:
        """Header present but empty: 400 "Token is empty"."""
        answer = ask(old, "")
        assert answer.status_code == 400
        assert answer.json["error"] == {"message": "Token is empty", "code": 400}

    def test_an_unknown_token(self, old: Site) -> None:
        """Keystone's own code: 404."""
        answer = ask(old, "garbage")
        assert (answer.status_code, answer.json["error"]["message"]) == (404, "Item not found: ")

    def test_no_roles(self, old: Site, lab: Lab) -> None:
        """A token without roles: 400 with the original's words."""
        answer = ask(old, unscoped(lab))
        assert answer.json["error"]["message"].startswith("User hasn't defined roles")
        assert answer.status_code == 400

    def test_another_role(self, old: Site, lab: Lab) -> None:
        """A role that is not enough: 400 with the original's words."""
        token = lab.token("member")
        task = ask(old, token, "POST", "/regions/Burgos").headers["Location"]
        answer = ask(old, token, "DELETE", task)
        assert (answer.status_code, answer.json["error"]["message"]) == (400, "Role is not admin")

    def test_keystone_away(self, old: Site, lab: Lab, keystone: FaultyProxy) -> None:
        """Keystone unreachable: 400."""
        token = lab.token("syncer")
        keystone.refuse()
        assert ask(old, token).status_code == 400
        keystone.accept()


def test_method_and_route_come_before_the_token(make_site: MakeSite) -> None:
    """The order of checks is route, method, token, region (spec images 9.1)."""
    site = make_site()
    assert ask(site, None, path="/nothing").status_code == 404
    assert ask(site, None, "PUT", "/regions/Burgos").status_code == 405
    assert ask(site, None, path="/regions/Nowhere").status_code == 401


def test_the_region_comes_before_the_body(make_site: MakeSite, lab: Lab) -> None:
    """An unknown region is told before anything about the body."""
    headers = {"X-Auth-Token": lab.token("syncer"), "Content-Type": "application/json"}
    answer = make_site().client.post("/regions/Nowhere", data="{", headers=headers)
    assert answer.status_code == 404


def test_a_keystoneauth_session_is_served(make_site: MakeSite, lab: Lab) -> None:
    """A client that logs in with keystoneauth can use its session's token as it is."""
    session = lab.session("syncer")
    assert ask(make_site(), session.get_token()).status_code == 200
    with pytest.raises(exceptions.Unauthorized):
        Session(auth=Password(f"{lab.account().auth_url}/v3", user_id="x", password="y")).get_token()
