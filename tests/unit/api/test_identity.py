"""Finding out who asks: what needs no Keystone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth import tokens
from app.auth.keystone import KeystoneIdentity, keystone_v3, middleware_options
from app.auth.noauth import host_name
from app.auth.tokens import TokenStore
from app.errors import TokenEmptyError, TokenMissingError, UnreachableError
from app.settings import AuthSettings

AUTH = AuthSettings(
    keystone_url="http://127.0.0.1:9",
    service_username="sync",
    service_password="hidden-word",
    service_project_name="service",
)


@pytest.mark.parametrize(
    "url",
    ["http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v3/", "http://k:5000/v2.0"],
)
def test_any_form_of_the_identity_url_is_understood(url: str) -> None:
    """The address may have any version suffix or none."""
    assert keystone_v3(url) == "http://k:5000/v3"


def test_a_path_before_the_version_stays() -> None:
    """An identity API below a path is found there."""
    assert keystone_v3("https://cloud.example/identity/v3") == "https://cloud.example/identity/v3"


@pytest.mark.parametrize(("seconds", "time"), [(300, 300), (0, -1)], ids=["some", "none"])
def test_no_caching_means_none(seconds: int, time: int) -> None:
    """0 seconds switch the cache off; for the middleware it would mean for ever."""
    options = middleware_options(AuthSettings(token_cache_seconds=seconds))
    assert options["token_cache_time"] == time


def test_the_service_project_may_be_named_or_numbered() -> None:
    """An id needs no domain, a name does."""
    by_id = middleware_options(AuthSettings(service_project_id="p1"))
    assert by_id["project_id"] == "p1"
    assert "project_name" not in by_id
    by_name = middleware_options(AuthSettings(service_project_name="service"))
    assert (by_name["project_name"], by_name["project_domain_name"]) == ("service", "Default")


def environ(**headers: str) -> dict[str, object]:
    """A request."""
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/regions", **headers}


def test_no_token_is_not_an_empty_one() -> None:
    """A missing and an empty header are told apart, without asking Keystone."""
    identity = KeystoneIdentity(AUTH)
    with pytest.raises(TokenMissingError):
        identity.caller(environ())
    for empty in ("", "  "):
        with pytest.raises(TokenEmptyError, match="Token is empty"):
            identity.caller(environ(HTTP_X_AUTH_TOKEN=empty))


def test_a_keystone_that_is_away_is_not_a_bad_token(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens the answer is `away`; neither token nor password reaches the log."""
    with caplog.at_level("DEBUG"), pytest.raises(UnreachableError):
        KeystoneIdentity(AUTH).caller(environ(HTTP_X_AUTH_TOKEN="gAAAA-token"))
    assert "gAAAA-token" not in caplog.text
    assert "hidden-word" not in caplog.text


@pytest.mark.parametrize(
    ("header", "name"),
    [("a", "a"), ("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", ""), ("[::1", "::1")],
)
def test_host_headers_are_read(header: str, name: str) -> None:
    """The name is what stands before the port."""
    assert host_name(header) == name


class TestTokenStore:
    """What is remembered of tokens."""

    def test_it_forgets_when_the_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is known a moment after its time, and it takes no place any more."""
        now = [100.0]
        monkeypatch.setattr(tokens, "monotonic", lambda: now[0])
        store = TokenStore()
        store.set("k", b"v", time=10)
        now[0] = 109.9
        assert store.get("k") == b"v"
        now[0] = 110.0
        assert store.get("k") is None
        assert len(store) == 0

    def test_an_empty_store_is_a_store(self) -> None:
        """The middleware uses it from the first token on."""
        assert TokenStore()

    @pytest.mark.parametrize("time", [0, -1])
    def test_it_keeps_nothing_without_time(self, time: int) -> None:
        """Without caching nothing is kept."""
        store = TokenStore()
        store.set("k", b"v", time=time)
        assert store.get("k") is None

    @given(st.lists(st.sampled_from("abcdefgh"), max_size=60))
    def test_it_keeps_the_newest(self, keys: list[str]) -> None:
        """However many tokens come, the last ones are known and the number is bounded."""
        store = TokenStore(max_tokens=3)
        for key in keys:
            store.set(key, key.encode(), time=60)
        newest = list(dict.fromkeys(reversed(keys)))[:3]
        assert len(store) == len(newest)
        assert all(store.get(key) == key.encode() for key in newest)
