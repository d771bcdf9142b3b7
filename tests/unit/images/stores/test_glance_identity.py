"""From a configured credential to a login (spec 14.10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from keystoneauth1.identity import v3

from app.errors import CredentialError
from app.sync.images.conf.model import Credential
from app.sync.images.stores.glance.identity import (
    ReadyToken,
    keystone_root,
    kind,
    remedy,
    scope,
    shared_login,
)

PASSWORD = Credential("http://k:5000", username="u", password="p-secret", project_name="images")
APPLICATION = Credential(
    "http://k:5000",
    auth_type="v3applicationcredential",
    application_credential_id="a1",
    application_credential_secret="s-secret",
)
TOKEN = Credential("http://k:5000", auth_type="v3token", token="t-secret")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://k:5000", "http://k:5000"),
        ("http://k:5000/", "http://k:5000"),
        ("http://k:5000/v2.0", "http://k:5000"),
        ("http://k:5000/v2.0/", "http://k:5000"),
        ("http://k:5000/v3", "http://k:5000"),
        ("http://k:5000/v3/", "http://k:5000"),
        ("http://k:5000/v3.14", "http://k:5000"),
        ("https://k/identity/v3", "https://k/identity"),
        ("https://k/identity", "https://k/identity"),
        (" https://K.Example/v3 ", "https://k.example"),
        ("https://user:secret@k:5000/v3?x=y#z", "https://k:5000"),
        ("http://[::1]:5000/v3", "http://[::1]:5000"),
    ],
)
def test_address_with_or_without_version_is_the_same(text: str, expected: str) -> None:
    """Old files with /v2.0 work, and addresses without version are normal."""
    assert keystone_root(text) == expected


@pytest.mark.parametrize(
    "text", ["", "k:5000", "ftp://k/v3", "http://", "/v3", "http://k:notaport", "http://[::1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A wrong keystone_url is a clear error of the configuration."""
    with pytest.raises(CredentialError, match="keystone_url"):
        keystone_root(text)


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (PASSWORD, {"project_name": "images", "project_domain_id": "default"}),
        (replace(PASSWORD, project_domain_name="D"), {"project_name": "images", "project_domain_name": "D"}),
        (replace(PASSWORD, project_domain_id="d"), {"project_name": "images", "project_domain_id": "d"}),
        (replace(PASSWORD, project_id="42"), {"project_id": "42"}),
        (replace(PASSWORD, trust_id="t"), {"trust_id": "t"}),
        (replace(PASSWORD, auth_type="trust", trust_id="t"), {"trust_id": "t"}),
        (APPLICATION, {}),
        (replace(APPLICATION, project_name="ignored"), {}),
        (TOKEN, {}),
        (replace(TOKEN, project_name="images"), {"project_name": "images", "project_domain_id": "default"}),
        (replace(TOKEN, project_id="42"), {"project_id": "42"}),
    ],
)
def test_token_is_for_the_project_named(credential: Credential, expected: dict[str, str]) -> None:
    """Domains are ``default`` when nothing is named; application credentials and trusts imply a project."""
    assert scope(credential, kind(credential)) == expected


def method_of(credential: Credential) -> Any:
    """How the credential proves who it is."""
    return shared_login(credential).auth_methods[0]


def test_password_login() -> None:
    """User by name in a domain, or by id."""
    named = method_of(PASSWORD)
    assert isinstance(named, v3.PasswordMethod)
    assert (named.username, named.user_domain_id, named.password) == ("u", "default", "p-secret")
    assert method_of(replace(PASSWORD, user_domain_name="D")).user_domain_name == "D"
    by_id = method_of(replace(PASSWORD, user_id="7"))
    assert (by_id.user_id, by_id.user_domain_id) == ("7", None)
    assert shared_login(PASSWORD).auth_url == "http://k:5000/v3"


def test_application_credential_login() -> None:
    """By id, or by name with its user."""
    by_id = method_of(APPLICATION)
    assert (by_id.application_credential_id, by_id.application_credential_secret) == ("a1", "s-secret")
    named = replace(
        APPLICATION, application_credential_id="", application_credential_name="sync", username="u"
    )
    found = method_of(named)
    assert (found.application_credential_name, found.username, found.user_domain_id) == (
        "sync",
        "u",
        "default",
    )


def test_token_login() -> None:
    """A ready-made token is used as it is, or exchanged for one of the project named."""
    assert isinstance(shared_login(TOKEN), ReadyToken)
    exchanged = replace(TOKEN, project_name="images")
    assert not isinstance(shared_login(exchanged), ReadyToken)
    assert method_of(exchanged).token == "t-secret"


@pytest.mark.parametrize(
    ("credential", "lacks"),
    [
        (replace(PASSWORD, username=""), "user"),
        (replace(PASSWORD, password=""), "password"),
        (replace(PASSWORD, project_name=""), "tenant"),
        (replace(PASSWORD, auth_type="trust"), "trust_id"),
        (replace(APPLICATION, application_credential_secret=""), "application_credential_secret"),
        (replace(APPLICATION, application_credential_id=""), "application_credential_id"),
        (replace(TOKEN, token=""), "token"),
        (replace(PASSWORD, auth_type="kerberos"), "auth_type"),
    ],
)
def test_incomplete_credential_names_what_it_lacks(credential: Credential, lacks: str) -> None:
    """What is missing is named, secrets are not."""
    with pytest.raises(CredentialError, match=lacks) as caught:
        shared_login(credential)
    assert "secret" not in str(caught.value).replace("application_credential_secret", "")


@pytest.mark.parametrize("credential", [PASSWORD, APPLICATION, TOKEN, replace(PASSWORD, trust_id="t")])
def test_every_kind_has_a_remedy(credential: Credential) -> None:
    """A refused login tells what to look at."""
    assert remedy(credential)
