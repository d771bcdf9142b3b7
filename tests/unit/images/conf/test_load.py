"""Where a configuration comes from, and what comes out as a whole (spec 2.1, 2.3, 2.5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.sync.images import conf
from app.sync.images.conf import find_file, load
from app.sync.images.conf.model import Policy, Settings, Target, Tls

ROOT = Path(__file__).parents[4]
SCENARIOS = ROOT.parent / "shared" / "scenarios"
ENVIRON = {
    "OS_USERNAME": "eve",
    "OS_PASSWORD": "apple",
    "OS_AUTH_URL": "http://e:5000",
    "OS_TENANT_NAME": "garden",
    "OS_REGION_NAME": "Burgos",
}
GOLDEN = """
[main]
master_region = Valladolid

[master]
credential = user,ZmFrZXBhc3N3b3JkLG9mY291cnNl,\\
  http://server:4730/v2.0,tenant1
metadata_set = nid, type
#forcesyncs = 003
[other]
credential = user2,ZmFrZXBhc3N3b3JkLG9mY291cnNl,\\
  http://server2:4730/v2.0,tenant2
ignore_region = Region2
metadata_set = type
metadata_condition = image.is_public and\\
 'type' in image.user_properties and image.user_properties['type']\\
  == 'baseimage'
"""
MINIMAL = "[main]\nmaster_region = {}\n"


@pytest.fixture
def standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Standard places of this test's own; neither file is there."""
    places = (tmp_path / "fiware.d" / "glancesync.conf", tmp_path / "etc" / "glancesync.conf")
    for place in places:
        place.parent.mkdir()
    monkeypatch.setattr(conf, "STANDARD_FILES", places)
    return places


def test_no_file_at_all_works(standard) -> None:
    """The tool works without configuration: a master target with all defaults."""
    settings = load(environ=ENVIRON)
    target = settings.targets["master"]
    assert settings == Settings("Burgos", {"master": target})
    assert target == Target("master", Policy(), target.credential)
    assert target.tls == Tls()
    assert target.policy.support_obsolete_images
    assert target.credential.username == "eve"


def test_no_file_with_overrides(standard) -> None:
    """Options given on the command line have effect without any file."""
    overrides = ["main.master_region=Madrid", "metadata_set=nid", "master.retries=1", "max_children=2"]
    settings = load(None, overrides, ENVIRON)
    assert (settings.master_region, settings.max_children) == ("Madrid", 2)
    assert settings.targets["master"].policy.metadata_set == {"nid"}
    assert settings.targets["master"].retries == 1


def test_file_without_master_section(load_text) -> None:
    """Target master exists also if the file has no such section, and takes from DEFAULT."""
    settings = load_text("[main]\n[DEFAULT]\nmetadata_set = nid\n", environ=ENVIRON)
    assert settings.targets["master"].policy.metadata_set == {"nid"}


@pytest.mark.parametrize(
    ("explicit", "variable", "present", "expected"),
    [
        pytest.param("a", "b", "01", "a", id="the explicit option wins"),
        pytest.param(None, "b", "01", "b", id="then the variable"),
        pytest.param(None, None, "01", "0", id="then the first standard place"),
        pytest.param(None, "", "01", "0", id="a blank variable is none"),
        pytest.param(None, None, "1", "1", id="then the second"),
        pytest.param(None, None, "", None, id="then only the environment"),
    ],
)
def test_search_order(tmp_path: Path, standard, explicit, variable, present: str, expected) -> None:
    """An explicit option beats GLANCESYNC_CONFIG, which beats the standard places."""
    files = {"a": tmp_path / "a", "b": tmp_path / "b", "0": standard[0], "1": standard[1]}
    for name in {*present, "a", "b"}:
        files[name].write_text(MINIMAL.format(f"R{name}"), encoding="utf-8")
    environ = dict(ENVIRON)
    if variable is not None:
        environ["GLANCESYNC_CONFIG"] = str(files[variable]) if variable else ""
    settings = load(files[explicit] if explicit else None, environ=environ)
    assert settings.master_region == (f"R{expected}" if expected else "Burgos")
    assert settings.source == (str(files[expected]) if expected else "environment")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_named_file_must_exist(tmp_path: Path, standard, how: str) -> None:
    """A file that is named and not there is an error, not silently ignored."""
    standard[0].write_text(MINIMAL.format("R"), encoding="utf-8")
    missing = tmp_path / "gone.conf"
    environ = {**ENVIRON, **({"GLANCESYNC_CONFIG": str(missing)} if how == "variable" else {})}
    with pytest.raises(ConfigurationError) as caught:
        load(missing if how == "option" else None, environ=environ)
    assert caught.value.where == str(missing)
    assert caught.value.exit_code == 1


def test_unreadable_standard_file_is_an_error(standard) -> None:
    """A standard file that is there but cannot be read is not passed over."""
    standard[0].mkdir()
    standard[1].write_text(MINIMAL.format("R"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"fiware\.d"):
        load(environ=ENVIRON)


def test_standard_places_of_the_product() -> None:
    """The two places that the original's documentation and code name are both searched."""
    assert [str(path) for path in conf.STANDARD_FILES] == [
        "/etc/fiware.d/glancesync.conf",
        "/etc/glancesync.conf",
    ]
    assert find_file(None, {}, standard=()) is None


@pytest.mark.parametrize(
    ("text", "environ", "region"),
    [
        pytest.param("Valladolid", {"OS_REGION_NAME": "Burgos"}, "Valladolid", id="the file first"),
        pytest.param("", {"OS_REGION_NAME": "Burgos"}, "Burgos", id="blank"),
        pytest.param("None", {"OS_REGION_NAME": "Burgos"}, "Burgos", id="the text None"),
        pytest.param("master:Valladolid", {}, "Valladolid", id="prefix of the master target"),
    ],
)
def test_master_region(load_text, text: str, environ: dict[str, str], region: str) -> None:
    """The master region comes from the file, else from OS_REGION_NAME."""
    settings = load_text(MINIMAL.format(text), environ=environ, need_credentials=False)
    assert settings.master_region == region


@pytest.mark.parametrize(
    "text", ["[main]\n", "[main]\nmaster_region =\n", "[main]\nmaster_region = none\n", ""]
)
@pytest.mark.parametrize("need", [True, False])
def test_missing_master_region(load_text, text: str, need: bool) -> None:
    """A missing master region is fatal, and the message names both ways to set it."""
    environ = {name: value for name, value in ENVIRON.items() if name != "OS_REGION_NAME"}
    with pytest.raises(ConfigurationError) as caught:
        load_text(text, environ=environ, need_credentials=need)
    assert "master_region in [main]" in caught.value.remedy
    assert "OS_REGION_NAME" in caught.value.remedy


def test_master_region_of_another_target(load_text) -> None:
    """The master region is a region of target master."""
    with pytest.raises(ConfigurationError, match="no region of target master"):
        load_text(MINIMAL.format("other:Madrid"), environ=ENVIRON)


def check_golden(settings: Settings) -> None:
    """What every configuration with a target other in the golden scenarios means."""
    assert settings.master_region == "Valladolid"
    assert list(settings.targets) == ["master", "other"]
    master, other = settings.targets.values()
    assert (master.credential.auth_url, other.credential.auth_url) == (
        "http://server:4730/v3",
        "http://server2:4730/v3",
    )
    assert (master.project_hint, other.project_hint) == ("tenant1id", "tenant2id")
    assert master.policy == Policy(metadata_set=frozenset({"nid", "type"}))
    assert other.policy.metadata_set == {"type"}
    assert other.policy.condition.text == (
        "image.is_public and 'type' in image.user_properties and image.user_properties['type'] == 'baseimage'"
    )
    assert other.ignore_regions == frozenset()
    (warning,) = settings.warnings
    assert "[other] ignore_region: unknown option" in warning
    assert "ignore_regions" in warning


@pytest.mark.parametrize("need", [True, False])
def test_golden_configuration(load_text, need: bool) -> None:
    """A file of the original reads unchanged; its misspelt option is warned about and inert."""
    settings = load_text(GOLDEN, need_credentials=need)
    check_golden(settings)
    password = settings.targets["master"].credential.password
    assert password == ("fakepassword,ofcourse" if need else "")


@pytest.mark.skipif(not SCENARIOS.is_dir(), reason="the shared scenarios are not beside the checkout")
@pytest.mark.parametrize("name", ["alreadysync/config", "default.conf"])
def test_shared_golden_configuration(name: str) -> None:
    """The golden scenarios' configurations mean what the specification says of them."""
    check_golden(load(SCENARIOS / name, environ={}, need_credentials=False))


@pytest.mark.skipif(not SCENARIOS.is_dir(), reason="the shared scenarios are not beside the checkout")
@pytest.mark.parametrize("name", ["ami", "checksum", "metadata"])
def test_shared_configuration_of_one_target(name: str) -> None:
    """The other golden configurations load without a warning."""
    settings = load(SCENARIOS / name / "config", environ={})
    policy = settings.targets["master"].policy
    assert settings.warnings == ()
    assert policy.metadata_set == {"nid", "type"}
    if name == "checksum":
        rules = (policy.forcesyncs, policy.dontupdate, policy.rename, policy.replace)
        assert rules == ({"003"}, {"ch1"}, {"ch2"}, {"ch4"})


def test_old_sample_file_reads_as_empty(load_text) -> None:
    """The literal None of the original's sample file means that nothing is set."""
    text = """
    [main]
    master_region = None
    preferable_order = None
    [DEFAULT]
    metadata_condition =
    forcesyncs = None
    ignore_regions = None
    only_tenant_images = True
    [master]
    use_keystone_v3 = False
    """
    settings = load_text(text, environ=ENVIRON)
    target = settings.targets["master"]
    assert (settings.master_region, settings.preferable_order) == ("Burgos", ())
    assert (target.policy, target.ignore_regions) == (Policy(), frozenset())
    (warning,) = settings.warnings
    assert "use_keystone_v3: deprecated" in warning


def test_first_error_is_raised(load_text) -> None:
    """Of several errors the one of the file's syntax comes first."""
    with pytest.raises(ConfigurationError, match="line 3"):
        load_text("[main]\nmax_children = 0\nnonsense\n", environ=ENVIRON)


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an explicit environment the process's own counts, as it is at the call."""
    path = tmp_path / "f"
    path.write_text("[main]\nmaster_region = R\n[master]\npassword_env = MINE\ntenant = t", encoding="utf-8")
    for name, value in {**ENVIRON, "MINE": "plum", "GLANCESYNC_CONFIG": str(path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OS_CLOUD", raising=False)
    assert load().targets["master"].credential.password == "plum"


def test_loading_needs_no_client_library(conf_file) -> None:
    """The command line starts quickly: reading a configuration imports no OpenStack client and no YAML."""
    code = (
        "import json, sys; from pathlib import Path; from app.sync.images.conf import load;"
        "load(Path(sys.argv[1]), environ={}); print(json.dumps(sorted(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(conf_file(GOLDEN))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    loaded = {name.partition(".")[0] for name in json.loads(answer.stdout)}
    assert not loaded & {"keystoneauth1", "glanceclient", "requests", "yaml", "rich", "click"}
