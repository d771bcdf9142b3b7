"""Credentials from clouds.yaml and secure.yaml (spec 14.10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ConfigurationError, CredentialError
from app.sync.images.conf.clouds import CloudEntry, read_cloud
from app.sync.images.conf.model import Credential

CLOUDS = """
clouds:
  home:
    region_name: Valladolid
    interface: internal
    cacert: ~/ca.pem
    verify: false
    auth:
      auth_url: https://k:5000/v3
      username: alice
      password: "0123"
      project_name: images
      user_domain_name: Corp
      project_domain_name: Corp
  robot:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://k:5000
      application_credential_id: ac1
      application_credential_secret: hush
  old:
    auth: {auth_url: 'http://k/v2.0', username: u, password: p, tenant_name: t, token: null, unknown: 1}
  shared:
    auth: {auth_url: 'http://k', username: u, project_name: t}
  empty:
"""
SECURE = """
clouds:
  shared:
    cert: ~/client.pem
    auth: {password: hidden}
  elsewhere: {}
"""
MAIN = "[main]\nmaster_region = Valladolid\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with both files in the standard place."""
    folder = tmp_path / "home" / ".config" / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text(CLOUDS, encoding="utf-8")
    (folder / "secure.yaml").write_text(SECURE, encoding="utf-8")
    for name in ("ca.pem", "client.pem"):
        (tmp_path / "home" / name).touch()
    return tmp_path / "home"


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """An environment with nothing but that home directory."""
    return {"HOME": str(home)}


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        pytest.param(
            "home",
            Credential(
                "https://k:5000/v3",
                username="alice",
                password="0123",
                project_name="images",
                user_domain_name="Corp",
                project_domain_name="Corp",
            ),
            id="password with domains",
        ),
        pytest.param(
            "robot",
            Credential(
                "https://k:5000",
                "v3applicationcredential",
                application_credential_id="ac1",
                application_credential_secret="hush",
            ),
            id="application credential",
        ),
        pytest.param(
            "old",
            Credential("http://k/v3", username="u", password="p", project_name="t"),
            id="old names and URL",
        ),
        pytest.param(
            "shared",
            Credential("http://k", username="u", password="hidden", project_name="t"),
            id="secure.yaml adds the password",
        ),
    ],
)
@pytest.mark.parametrize("how", ["option", "variable", "other target"])
def test_entry(load_text, environ, cloud: str, expected: Credential, how: str) -> None:
    """An entry is named by option cloud in any target, or by OS_CLOUD for master."""
    if how == "variable":
        settings = load_text(
            MAIN.replace("Valladolid", "None"), environ={**environ, "OS_CLOUD": cloud, "OS_REGION_NAME": "R"}
        )
    elif how == "option":
        settings = load_text(f"{MAIN}[master]\ncloud = {cloud}", environ=environ)
    else:
        settings = load_text(
            f"{MAIN}[master]\ncloud = old\n[other]\ncloud = {cloud}", environ={**environ, "OS_CLOUD": "none"}
        )
    target = settings.targets["other" if how == "other target" else "master"]
    if cloud == "home":
        assert target.tls.insecure
    assert target.credential == expected


def test_rest_of_the_entry(environ, home: Path, tmp_path: Path) -> None:
    """An entry also tells region, interface and TLS files."""
    entry = read_cloud("home", environ, tmp_path)
    assert (entry.region_name, entry.interface, entry.verify) == ("Valladolid", "internal", False)
    assert entry.tls == {"cacert": str(home / "ca.pem")}
    assert read_cloud("shared", environ, tmp_path).tls == {"cert": str(home / "client.pem")}


def test_relative_paths_of_an_entry(tmp_path: Path) -> None:
    """Relative paths mean what they mean to the OpenStack clients: below the working directory."""
    (tmp_path / "clouds.yaml").write_text("clouds: {home: {cacert: tls/ca.pem}}", encoding="utf-8")
    assert read_cloud("home", {}, tmp_path).tls == {"cacert": str(tmp_path / "tls" / "ca.pem")}


def test_empty_entry(environ, tmp_path: Path) -> None:
    """An entry without content says nothing."""
    assert read_cloud("empty", environ, tmp_path) == CloudEntry()


def test_no_secret_is_shown(environ, tmp_path: Path) -> None:
    """The representation of an entry shows no secret."""
    assert "hidden" not in repr(read_cloud("shared", environ, tmp_path))


def test_region_and_interface_reach_the_settings(load_text, environ) -> None:
    """The entry's region is the master region, and its interface the target's, if nothing else says so."""
    settings = load_text("[master]\ncloud = home\ncacert =", environ=environ, need_credentials=False)
    assert settings.master_region == "Valladolid"
    assert settings.targets["master"].interface == "internal"


def test_options_refine_the_entry(load_text, environ) -> None:
    """Options of the section come before the entry; a name keeps the entry's domain."""
    section = "[master]\ncloud = home\ntenant = archive\ninterface = public\ninsecure = no\n"
    target = load_text(MAIN + section, environ=environ, need_credentials=False).targets["master"]
    assert target.credential.project_name == "archive"
    assert target.interface == "public"
    assert not target.tls.insecure
    section = "[master]\ncloud = shared\nproject_id = 77\npassword = mine\n"
    credential = (
        load_text(MAIN + section, environ=environ, need_credentials=True).targets["master"].credential
    )
    assert (credential.project_id, credential.project_name, credential.password) == ("77", "", "mine")


@pytest.mark.parametrize(
    ("text", "user"),
    [
        pytest.param(
            "[DEFAULT]\nuser = d\npassword = d\n[other]\ncloud = old\n", "u", id="own cloud beats DEFAULT"
        ),
        pytest.param(
            "[DEFAULT]\ncloud = old\n[other]\ncredential = bob,c2VjcmV0,http://b,t\n",
            "bob",
            id="own credential beats the cloud of DEFAULT",
        ),
        pytest.param("[DEFAULT]\ncloud = old\n[other]\nuser = carol\n", "carol", id="DEFAULT cloud refined"),
        pytest.param(
            "[DEFAULT]\ncloud = nowhere\n[other]\ncloud =\ncredential = bob,c2VjcmV0,http://b,t\n",
            "bob",
            id="blank cancels DEFAULT",
        ),
    ],
)
def test_nearer_section_counts(load_text, environ, text: str, user: str) -> None:
    """What a section says itself beats what [DEFAULT] says, also across kinds of credentials."""
    master = "[master]\ncloud = shared\n"
    assert load_text(MAIN + master + text, environ=environ).targets["other"].credential.username == user


def test_variables_come_before_the_entry_of_os_cloud(load_text, environ) -> None:
    """OS_* variables refine the entry that OS_CLOUD names."""
    environ |= {"OS_CLOUD": "shared", "OS_PROJECT_NAME": "mine"}
    credential = load_text(MAIN, environ=environ).targets["master"].credential
    assert (credential.username, credential.project_name) == ("u", "mine")


@pytest.mark.parametrize("place", ["OS_CLIENT_CONFIG_FILE", "working directory", "XDG_CONFIG_HOME", "yml"])
def test_places(home: Path, tmp_path: Path, place: str) -> None:
    """The file is looked for where the OpenStack clients look; nearer places come first."""
    text = "clouds: {home: {auth: {username: nearer}}}"
    environ = {"HOME": str(home)}
    if place == "OS_CLIENT_CONFIG_FILE":
        (tmp_path / "mine").write_text(text, encoding="utf-8")
        (tmp_path / "clouds.yaml").write_text("clouds: {}", encoding="utf-8")
        environ[place] = "mine"
    elif place == "XDG_CONFIG_HOME":
        (tmp_path / "xdg" / "openstack").mkdir(parents=True)
        (tmp_path / "xdg" / "openstack" / "clouds.yaml").write_text(text, encoding="utf-8")
        environ[place] = str(tmp_path / "xdg")
    else:
        (tmp_path / ("clouds.yml" if place == "yml" else "clouds.yaml")).write_text(text, encoding="utf-8")
    assert read_cloud("home", environ, tmp_path).identity["username"] == "nearer"


def test_secure_file_is_named(environ, tmp_path: Path) -> None:
    """OS_CLIENT_SECURE_FILE names the file of secrets."""
    (tmp_path / "mine").write_text("clouds: {shared: {auth: {password: other}}}", encoding="utf-8")
    entry = read_cloud("shared", {**environ, "OS_CLIENT_SECURE_FILE": "mine"}, tmp_path)
    assert entry.identity["password"] == "other"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param(None, CredentialError, "there is no clouds.yaml", id="no file"),
        pytest.param("clouds: {other: {}}", CredentialError, "known: other", id="no such entry"),
        pytest.param("clouds: {}", CredentialError, "known: none", id="no entries"),
        pytest.param("clouds: [", ConfigurationError, "not YAML", id="not YAML"),
        pytest.param(
            "clouds:\n  home: *pa55word", ConfigurationError, "line 2", id="secret read as an alias"
        ),
        pytest.param(
            "clouds:\n  home: !pa55word x", ConfigurationError, "not YAML", id="secret read as a tag"
        ),
        pytest.param("[" * 20000, ConfigurationError, "not YAML", id="nested without end"),
        pytest.param("", ConfigurationError, "no mapping `clouds`", id="empty file"),
        pytest.param("- clouds", ConfigurationError, "no mapping `clouds`", id="a list"),
        pytest.param("clouds: {home: x}", ConfigurationError, "a mapping is expected", id="entry is text"),
        pytest.param("clouds: {home: {auth: x}}", ConfigurationError, "a mapping", id="auth is text"),
        pytest.param(
            "clouds: {home: {auth: {password: 0123}}}", ConfigurationError, "auth.password", id="number"
        ),
        pytest.param("clouds: {home: {verify: maybe}}", ConfigurationError, "verify", id="bad verify"),
        pytest.param("clouds: {home: {interface: 1}}", ConfigurationError, "interface", id="bad interface"),
    ],
)
def test_bad_file(tmp_path: Path, text: str | None, kind: type[ConfigurationError], words: str) -> None:
    """A wrong file is named, with a remedy or a line, and nothing of it is quoted."""
    if text is not None:
        (tmp_path / "clouds.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(kind) as caught:
        read_cloud("home", {"XDG_CONFIG_HOME": str(tmp_path / "no")}, tmp_path)
    assert words in str(caught.value)
    assert "pa55word" not in str(caught.value)
    assert text is None or str(tmp_path) in caught.value.where


def test_named_file_must_exist(tmp_path: Path) -> None:
    """A file that OS_CLIENT_CONFIG_FILE names is not silently replaced by another."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="gone"):
        read_cloud("home", {"OS_CLIENT_CONFIG_FILE": "gone"}, tmp_path)


def test_incomplete_entry_names_what_is_missing(load_text, tmp_path: Path) -> None:
    """An entry without password is reported like any incomplete credential."""
    (tmp_path / "c").write_text(
        "clouds: {home: {auth: {auth_url: 'http://k', username: u}}}", encoding="utf-8"
    )
    with pytest.raises(CredentialError, match="lacks password, tenant"):
        load_text(f"{MAIN}[master]\ncloud = home", environ={"OS_CLIENT_CONFIG_FILE": str(tmp_path / "c")})
