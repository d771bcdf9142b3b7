"""Who we are in a target (spec 2.4, 2.5, 14.10)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigurationError, CredentialError
from app.sync.images.conf.credentials import decode_password
from app.sync.images.conf.findings import Place
from app.sync.images.conf.identity import below, check_complete, to_credential, typed
from app.sync.images.conf.model import Credential

MAIN = "[main]\nmaster_region = Valladolid\n"
FOUR = "user = alice\npassword = wonder\nkeystone_url = http://k:5000\ntenant = images\n"
CREDENTIAL = "credential = bob,c2VjcmV0,http://b:5000,copies\n"
APPLICATION = (
    "application_credential_id = ac1\napplication_credential_secret = hush\nkeystone_url = http://k\n"
)
ENVIRON = {
    "OS_USERNAME": "eve",
    "OS_PASSWORD": "apple",
    "OS_AUTH_URL": "http://e:5000",
    "OS_TENANT_NAME": "garden",
}
ALICE = Credential("http://k:5000", username="alice", password="wonder", project_name="images")
BOB = Credential("http://b:5000", username="bob", password="secret", project_name="copies")
EVE = Credential("http://e:5000", username="eve", password="apple", project_name="garden")
BY_APPLICATION = Credential(
    "http://k",
    "v3applicationcredential",
    application_credential_id="ac1",
    application_credential_secret="hush",
)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param(FOUR, ALICE, id="four options"),
        pytest.param(CREDENTIAL, BOB, id="credential"),
        pytest.param(FOUR + CREDENTIAL, ALICE, id="all four options beat credential"),
        pytest.param("user = alice\n" + CREDENTIAL, BOB, id="some of the four do not"),
        pytest.param("credential = bob, c2VjcmV0 , http://b:5000 , copies , more", BOB, id="fifth field"),
        pytest.param("credential = bob,c2Vj!cmV0,http://b:5000,copies", BOB, id="foreign characters"),
        pytest.param(
            "credential = bob,c2VjcmV0,\\\n  http://b:5000,copies", BOB, id="continued with a backslash"
        ),
        pytest.param("credential = bob,c2VjcmV0,http://b:5000/v2.0,copies", None, id="version 2 URL"),
        pytest.param(FOUR.replace("5000", "5000/v2.0/"), None, id="version 2 URL with slash"),
        pytest.param(FOUR.replace("5000", "5000/v3"), None, id="version 3 URL"),
        pytest.param(FOUR.replace("5000", "5000/"), ALICE, id="slash at the end of the URL"),
        pytest.param(APPLICATION, BY_APPLICATION, id="application credential"),
        pytest.param(
            APPLICATION + "auth_type = v3applicationcredential\ntenant = x\nuser = y",
            BY_APPLICATION,
            id="application credential implies project and user",
        ),
        pytest.param(
            APPLICATION.replace("_id = ac1", "_name = n") + "user = alice\nuser_domain_id = d",
            Credential(
                "http://k",
                "v3applicationcredential",
                username="alice",
                user_domain_id="d",
                application_credential_name="n",
                application_credential_secret="hush",
            ),
            id="application credential by name",
        ),
        pytest.param(
            "token = t0\nkeystone_url = http://k\ntenant = images",
            Credential("http://k", "v3token", token="t0", project_name="images"),
            id="token",
        ),
        pytest.param(
            FOUR + "trust_id = tr",
            Credential("http://k:5000", username="alice", password="wonder", trust_id="tr"),
            id="trust stands in place of the project",
        ),
        pytest.param(
            FOUR + "trust_id = tr\nauth_type = trust",
            Credential("http://k:5000", username="alice", password="wonder", trust_id="tr"),
            id="trust by name",
        ),
        pytest.param(
            FOUR.replace("user =", "user_id =").replace("tenant =", "project_id =")
            + "user_domain_name = Corp\nproject_domain_name = Corp",
            Credential(
                "http://k:5000",
                user_id="alice",
                password="wonder",
                project_id="images",
                user_domain_name="Corp",
                project_domain_name="Corp",
            ),
            id="ids and domains",
        ),
        pytest.param(
            CREDENTIAL + "user_domain_name = Corp",
            Credential(
                "http://b:5000",
                username="bob",
                password="secret",
                project_name="copies",
                user_domain_name="Corp",
            ),
            id="credential refined",
        ),
        pytest.param(
            "credential = bob,,http://b:5000,copies\npassword = secret", BOB, id="blank field filled"
        ),
        pytest.param(FOUR.replace("wonder", "5%d%%(s)s"), None, id="percent signs"),
    ],
)
@pytest.mark.parametrize("target", ["master", "other"])
def test_forms(load_text, section: str, expected: Credential | None, target: str) -> None:
    """Each form of a credential that a section may hold is understood, in every target."""
    text = f"{MAIN}[{target}]\n{section}"
    environ = {} if target == "master" else ENVIRON
    credential = load_text(text, environ=environ).targets[target].credential
    if expected is not None:
        assert credential == expected
    elif "%" in section:
        assert credential.password == "5%d%%(s)s"
    else:
        assert credential.auth_url in ("http://b:5000/v3", "http://k:5000/v3")


@pytest.mark.parametrize(
    ("section", "changed", "expected"),
    [
        pytest.param("", {}, EVE, id="no section, everything from the environment"),
        pytest.param(
            "user = alice",
            {},
            Credential("http://e:5000", username="alice", password="apple", project_name="garden"),
            id="one option in the file",
        ),
        pytest.param(
            "user = alice\nkeystone_url = http://k:5000\ntenant = images",
            {},
            Credential("http://k:5000", username="alice", password="apple", project_name="images"),
            id="only the password in the environment",
        ),
        pytest.param(
            "user =\npassword =\nkeystone_url = http://k:5000\ntenant =",
            {},
            Credential("http://k:5000", username="eve", password="apple", project_name="garden"),
            id="blank options count as missing",
        ),
        pytest.param(
            "credential = bob,,http://b:5000,copies",
            {},
            Credential("http://b:5000", username="bob", password="apple", project_name="copies"),
            id="blank field of credential",
        ),
        pytest.param(FOUR, {}, ALICE, id="the file comes first"),
        pytest.param(FOUR, {"OS_TRUST_ID": "tr", "OS_PROJECT_ID": "p"}, ALICE, id="the file's project stays"),
        pytest.param(
            FOUR,
            {"OS_USER_DOMAIN_NAME": "Corp", "OS_PROJECT_DOMAIN_ID": "c"},
            ALICE,
            id="a name in the file does not take a domain from the environment",
        ),
        pytest.param(FOUR, {"OS_TOKEN": "t", "OS_AUTH_TYPE": "token"}, ALICE, id="nor another kind"),
        pytest.param(FOUR, {"OS_CLOUD": "nowhere"}, ALICE, id="OS_CLOUD is not looked up without need"),
        pytest.param(APPLICATION, {}, BY_APPLICATION, id="application credential in the file"),
        pytest.param(
            "",
            {"OS_PROJECT_NAME": "new"},
            Credential("http://e:5000", username="eve", password="apple", project_name="new"),
            id="OS_PROJECT_NAME before OS_TENANT_NAME",
        ),
        pytest.param(
            "",
            {"OS_USER_DOMAIN_NAME": "Corp", "OS_PROJECT_DOMAIN_NAME": "Corp", "OS_AUTH_TYPE": "v3password"},
            Credential(
                "http://e:5000",
                username="eve",
                password="apple",
                project_name="garden",
                user_domain_name="Corp",
                project_domain_name="Corp",
            ),
            id="domains from the environment",
        ),
        pytest.param(
            "",
            {
                "OS_AUTH_URL": "http://k",
                "OS_APPLICATION_CREDENTIAL_ID": "ac1",
                "OS_APPLICATION_CREDENTIAL_SECRET": "hush",
            },
            BY_APPLICATION,
            id="application credential in the environment",
        ),
        pytest.param(
            "user_domain_name = Corp",
            {},
            Credential(
                "http://e:5000",
                username="eve",
                password="apple",
                project_name="garden",
                user_domain_name="Corp",
            ),
            id="domain in the file, name in the environment",
        ),
        pytest.param(
            "",
            {"OS_PASSWORD": "", "OS_TOKEN": "t0"},
            Credential("http://e:5000", "v3token", token="t0", project_name="garden"),
            id="token in the environment",
        ),
    ],
)
def test_master_falls_back_on_the_environment(load_text, section: str, changed, expected: Credential) -> None:
    """What master's section lacks, or leaves blank, comes from the environment, field by field."""
    environ = {**ENVIRON, **changed}
    assert load_text(f"{MAIN}[master]\n{section}", environ=environ).targets["master"].credential == expected


@pytest.mark.parametrize("missing", sorted(ENVIRON))
def test_missing_variable_is_named(load_text, missing: str) -> None:
    """A missing part of master's credential is fatal, naming option and variable."""
    environ = {name: value for name, value in ENVIRON.items() if name != missing}
    with pytest.raises(CredentialError) as caught:
        load_text(MAIN, environ=environ)
    variable = missing.replace("TENANT", "PROJECT")
    assert variable in caught.value.remedy
    assert "[master]" in str(caught.value)


def test_other_targets_do_not_use_the_environment(load_text) -> None:
    """A further target without a full credential is fatal, whatever the environment holds."""
    with pytest.raises(CredentialError, match=r"\[other\].*lacks password"):
        load_text(f"{MAIN}[other]\n{FOUR.replace('password', '#')}", environ=ENVIRON)


@pytest.mark.parametrize("name", ["other", "logging", "Main", "MAIN"])
def test_every_section_is_a_target(load_text, name: str) -> None:
    """A section without credential is fatal, and the message tells what the section is taken for."""
    with pytest.raises(CredentialError) as caught:
        load_text(f"{MAIN}[{name}]\n", environ=ENVIRON)
    assert f"[{name}]" in caught.value.where
    assert "there is no credential" in caught.value.what
    assert ("lower case" if name.lower() == "main" else "is a target") in caught.value.remedy


def test_default_credential_serves_all_targets(load_text) -> None:
    """Several targets may use the same credential, given once."""
    settings = load_text(f"{MAIN}[DEFAULT]\n{FOUR}[master]\n[other]\n[third]\nuser = carol\n")
    users = {name: target.credential.username for name, target in settings.targets.items()}
    assert users == {"master": "alice", "other": "alice", "third": "carol"}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        pytest.param("credential = bob,c2VjcmV0Cg,http://b,t", "second field", id="bad padding"),
        pytest.param("credential = bob,abcde,http://b,t", "second field", id="impossible length"),
        pytest.param("credential = bob,/w==,http://b,t", "second field", id="not UTF-8"),
        pytest.param("credential = bob,pässword,http://b,t", "second field", id="not ASCII"),
        pytest.param("credential = bob,c2VjcmV0,http://b", "3 fields", id="three fields"),
        pytest.param("credential = None", "1 fields", id="the text None"),
        pytest.param(FOUR.replace("http://k", "ftp://k"), "not an HTTP URL", id="other scheme"),
        pytest.param(FOUR.replace("http://k:5000", "keystone"), "not an HTTP URL", id="no scheme"),
        pytest.param(FOUR.replace("k:5000", "k:port"), "not an HTTP URL", id="no port number"),
        pytest.param(
            FOUR.replace("//k", "//u:pa55word@k"), "user name or password", id="password in the URL"
        ),
        pytest.param(
            CREDENTIAL.replace("//b", "//u:pa55word@b"), "user name or password", id="in credential"
        ),
        pytest.param(FOUR + "auth_type = kerberos", "kerberos", id="unknown kind"),
        pytest.param(FOUR + "auth_type = trust", "trust_id", id="trust without id"),
        pytest.param("user = u\npassword = p\nkeystone_url = http://k", "lacks tenant", id="no project"),
        pytest.param(APPLICATION.replace("ac1", ""), "application_credential_id", id="no application id"),
        pytest.param(APPLICATION.replace("_id = ac1", "_name = n"), "lacks user", id="application of nobody"),
        pytest.param(
            "password_file = nowhere\n" + FOUR.replace("password", "#"), "nowhere", id="no such file"
        ),
        pytest.param("password_env = PW\n" + FOUR.replace("password", "#"), "no PW", id="no such variable"),
    ],
)
def test_bad_credential(load_text, section: str, words: str) -> None:
    """A wrong credential names section, option and remedy, and never the secret."""
    with pytest.raises(ConfigurationError) as caught:
        load_text(f"{MAIN}[master]\n{section}")
    message = str(caught.value)
    assert words in message
    assert "[master]" in message
    assert caught.value.remedy
    assert not any(secret in message for secret in ("c2VjcmV0", "secret\n", "wonder", "hush", "pa55word"))


def test_undecodable_password_names_the_option(load_text) -> None:
    """An undecodable password is a credential error with file, line, section and option."""
    with pytest.raises(CredentialError) as caught:
        load_text(f"{MAIN}[master]\ncredential = bob,abcde,http://b,t")
    assert caught.value.where.endswith("line 4, [master] credential")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("secret", ["password", "application_credential_secret", "token"])
@pytest.mark.parametrize("source", ["file", "file below home", "env", "both"])
def test_secret_kept_elsewhere(load_text, tmp_path: Path, secret: str, source: str) -> None:
    """A secret may stand in a file of its own, or in a variable that the configuration names."""
    (tmp_path / "secret.txt").write_text("s3cret %1\r\nsecond line\n", encoding="utf-8")
    lines = {
        "file": f"{secret}_file = secret.txt",
        "file below home": f"{secret}_file = ~/secret.txt",
        "env": f"{secret}_env = MINE",
        "both": f"{secret} = s3cret %1\n{secret}_file = nowhere",
    }[source]
    rest = "keystone_url = http://k\ntenant = t\n"
    rest += {"password": "user = u", "token": ""}.get(secret, "application_credential_id = i")
    settings = load_text(
        f"{MAIN}[master]\n{lines}\n{rest}", environ={"MINE": "s3cret %1", "HOME": str(tmp_path)}
    )
    assert getattr(settings.targets["master"].credential, secret) == "s3cret %1"


def test_password_file_counts_as_one_of_the_four(load_text, tmp_path: Path) -> None:
    """With the password in a file, the four options still beat credential."""
    (tmp_path / "pw").write_text("wonder\n", encoding="utf-8")
    section = FOUR.replace("password = wonder", "password_file = pw") + CREDENTIAL
    assert load_text(f"{MAIN}[master]\n{section}").targets["master"].credential == ALICE


@pytest.mark.parametrize("content", [b"", b"\n", b"\nwonder\n", b"\xff\xfe\n"])
def test_password_file_without_password(load_text, tmp_path: Path, content: bytes) -> None:
    """A password file that does not begin with a line of text is refused."""
    (tmp_path / "pw").write_bytes(content)
    with pytest.raises(CredentialError, match="does not begin with a line of text") as caught:
        load_text(f"{MAIN}[master]\n{FOUR.replace('password = wonder', 'password_file = pw')}")
    assert "password_file" in caught.value.where


def test_no_secret_is_shown(load_text) -> None:
    """Neither settings nor their warnings show a secret."""
    section = FOUR + "token = t0ken\napplication_credential_secret = hush-hush\nauth_type = password"
    settings = load_text(f"{MAIN}[master]\n{section}\nuse_keystone_v3 = yes")
    text = f"{settings!r} {settings.targets['master']} {settings.warnings}"
    assert "alice" in text
    assert not any(secret in text for secret in ("wonder", "t0ken", "hush-hush"))


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        pytest.param(FOUR, "imagesid", id="four options"),
        pytest.param(CREDENTIAL, "copiesid", id="credential"),
        pytest.param("credential = bob,abcde,http://b,copies", "copiesid", id="undecodable password"),
        pytest.param("credential = bob,fake", "", id="too few fields"),
        pytest.param("tenant = images", "imagesid", id="only the project"),
        pytest.param("tenant_id = 77\ntenant = images", "77", id="tenant_id"),
        pytest.param("keystone_url = nonsense\ntenant = images", "imagesid", id="bad URL"),
        pytest.param("password_file = nowhere\ntenant = images", "imagesid", id="no password file"),
        pytest.param("cloud = nowhere", "", id="no such cloud"),
        pytest.param("auth_type = kerberos\ntenant = images", "imagesid", id="unknown kind"),
        pytest.param("cacert = nowhere\ntenant = images", "imagesid", id="no such certificate"),
    ],
)
def test_without_a_server_credentials_are_optional(load_text, section: str, hint: str) -> None:
    """For directory and backup clouds only the project counts, and no secret is read."""
    settings = load_text(f"{MAIN}[master]\n{section}", need_credentials=False)
    target = settings.targets["master"]
    assert target.project_hint == hint
    assert target.credential is None or not target.credential.password


def test_without_a_server_nothing_at_all_is_no_error(load_text) -> None:
    """A missing credential leaves the target without one."""
    settings = load_text(f"{MAIN}[other]\n", need_credentials=False)
    assert [target.credential for target in settings.targets.values()] == [None, None]


FIELDS = st.dictionaries(
    st.sampled_from(
        [name for name in Credential.__dataclass_fields__ if name != "auth_type"]  # every field but the kind
    ),
    st.sampled_from(["http://a", "http://b"]),
)


@given(FIELDS, FIELDS, st.booleans())
def test_upper_source_is_never_changed(upper, lower, inherits: bool) -> None:
    """What the file says stays as it is, whatever the environment adds."""
    merged = below(upper, lower, inherits_domains=inherits)
    assert merged.items() >= upper.items()
    assert merged.items() <= {**lower, **upper}.items()
    for names in (("username", "user_id"), ("project_name", "project_id", "trust_id")):
        given_above = {name for name in names if name in upper}
        assert not given_above or {name for name in names if name in merged} == given_above


COMPLETE = st.sampled_from(
    [
        ("auth_url", "username", "password", "project_name"),
        ("auth_url", "user_id", "password", "trust_id"),
        ("auth_url", "application_credential_id", "application_credential_secret"),
        ("auth_url", "token"),
    ]
).map(lambda names: dict.fromkeys(names, "http://c"))


@given(COMPLETE, FIELDS)
def test_complete_fields_make_a_credential(complete, more) -> None:
    """Fields that are enough make a credential of one unambiguous kind, whatever stands beside them."""
    place = Place("f", section="master")
    fields = below(typed(complete), more, inherits_domains=True)
    check_complete(fields, place)
    credential = to_credential(fields, place)
    assert credential.auth_type == typed(complete)["auth_type"]
    secrets = {
        "password": credential.password,
        "v3token": credential.token,
        "v3applicationcredential": credential.application_credential_secret,
    }
    assert [kind for kind, secret in secrets.items() if secret] == [credential.auth_type]
    assert not (credential.trust_id and credential.project_name)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_encoded_password_comes_back(password: str) -> None:
    """Every password survives the four-field form, commas and line ends included."""
    encoded = base64.b64encode(password.encode()).decode()
    assert decode_password(encoded, Place("f")) == password
