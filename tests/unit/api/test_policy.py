"""The policy file and its language."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.auth.caller import ATTRIBUTES, Caller
from app.auth.expression import compile_tree, parse
from app.auth.guard import Guard
from app.auth.noauth import LoopbackIdentity
from app.auth.policy import ACTIONS, DEFAULT_FILE, Policy, load_policy
from app.errors import AccessDeniedError, ConfigurationError
from app.settings import AuthSettings, AuthStrategy

VALUES = {"reader_role": "reader", "member_role": "member", "admin_role": "admin"}
NOBODY = dict.fromkeys(ACTIONS, "!")


def decide(rule: str, caller: Caller, **rules: str) -> bool:
    """What a rule says of a caller."""
    held = {**NOBODY, **rules, "sync:get": rule}
    return Policy(held, VALUES, "test").allows("sync:get", caller)


def caller(*roles: str, **attributes: str) -> Caller:
    """A caller with roles."""
    return Caller("u1", "ann", frozenset(roles), **attributes)


RULES = [
    ("@", True),
    ("!", False),
    ("not !", True),
    ("not not @", True),
    ("role:reader", True),
    ("role:READER", True),
    ("role:admin", False),
    ("role:%(reader_role)s", True),
    ("role:%(admin_role)s or role:reader", True),
    ("role:admin and role:reader", False),
    ("role:reader and not role:admin", True),
    ("role:admin or role:reader and project_id:p1", True),
    ("(role:admin or role:reader) and project_id:p2", False),
    ("  ( role:reader )  ", True),
    ("role:x OR @", True),
    ("user_id:u1", True),
    ("user_name:bob", False),
    ("rule:own", True),
    ("not rule:own", False),
]


@pytest.mark.parametrize(("rule", "verdict"), RULES)
def test_rules_mean_what_they_say(rule: str, verdict: bool) -> None:
    """Roles, attributes, other rules, and, or, not, parentheses, everybody and nobody."""
    assert decide(rule, caller("reader", project_id="p1"), own="project_id:p1") is verdict


BAD_RULES = [
    "", " ", "and", "role:a and", "or role:a", "not", "(", "()", "(@", "@)", "@ @", "role", "role:", ":x",
    "role:a role:b", "rule:missing", "colour:red", "role:%(nothing)s", "ROLE:x OR @",
    "(" * 60 + "@" + ")" * 60,    "role:" + "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("rule", BAD_RULES, ids=lambda rule: rule[:20])
def test_what_is_no_rule_stops_the_start(rule: str) -> None:
    """A slip in a rule is found when the service starts, and named with its place."""
    with pytest.raises(ConfigurationError, match="sync:get"):
        decide(rule, caller())


@pytest.mark.parametrize(
    "rules", [{"a": "rule:a"}, {"a": "rule:b", "b": "not rule:a"}], ids=["itself", "circle"]
)
def test_rules_that_stand_on_themselves_stop_the_start(rules: dict[str, str]) -> None:
    """A circle of rules is refused."""
    with pytest.raises(ConfigurationError, match="stand on each other"):
        decide("@", caller(), **rules)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_policy_has_a_rule_for_every_action(action: str) -> None:
    """No action is without a rule."""
    with pytest.raises(ConfigurationError, match=action):
        Policy({name: "@" for name in ACTIONS if name != action}, VALUES, "test")


trees = st.recursive(
    st.sampled_from(["@", "!", "role:a", "role:b", "project_id:p"]),
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=12,
)


@given(rule=trees, roles=st.sets(st.sampled_from(["a", "b"])), project=st.sampled_from(["p", "q", ""]))
def test_rules_agree_with_boolean_logic(rule: str, roles: set[str], project: str) -> None:
    """Any nesting of and, or and not decides as logic does."""
    who = caller(*roles, project_id=project)
    truth = {
        "@": True,
        "!": False,
        "role:a": "a" in roles,
        "role:b": "b" in roles,
        "project_id:p": project == "p",
    }
    python = re.sub(r"@|!|role:\w|project_id:p", lambda found: str(truth[found[0]]), rule)
    assert decide(rule, who) is eval(python)


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    """No text makes the reader fail in another way than with its own error."""
    with suppress(ConfigurationError):
        compile_tree(parse(text, "here"), VALUES, {}, "here")


def auth(**options: object) -> AuthSettings:
    """Settings without authentication, for what follows it."""
    return AuthSettings(auth_strategy=AuthStrategy.NOAUTH, **options)  # type: ignore[arg-type]


GRANTS = {
    "reader": {"sync:get", "sync:refresh"},
    "member": {"sync:get", "sync:refresh", "sync:post", "sync:cancel"},
    "admin": set(ACTIONS),
    "other": set(),
}


@pytest.mark.parametrize(("role", "granted"), GRANTS.items())
def test_the_policy_that_comes_with_syncline(role: str, granted: set[str]) -> None:
    """Reader: GET; member: POST as well; admin: DELETE as well; anybody else: nothing."""
    policy = load_policy(auth())
    assert {action for action in ACTIONS if policy.allows(action, caller(role))} == granted


def test_the_roles_of_the_settings_are_meant() -> None:
    """The shipped policy uses the role names of the settings."""
    policy = load_policy(auth(member_role="operator"))
    assert policy.allows("sync:post", caller("operator"))
    assert not policy.allows("sync:post", caller("member"))


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    """policy_file names another file."""
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump({**NOBODY, "sync:get": "project_id:p1"}))
    policy = load_policy(auth(policy_file=str(path)))
    assert policy.allows("sync:get", caller(project_id="p1"))
    assert not policy.allows("sync:get", caller("admin", project_id="p2"))


@pytest.mark.parametrize(
    "content", [b"[]", b"a: [", b"1: x", b"sync:get: 1", b"\xff", b"# " + b"x" * 300_000, None], ids=range(7)
)
def test_a_file_that_is_no_policy_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    """A missing, endless or malformed file is named."""
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(path))):
        load_policy(auth(policy_file=str(path)))


def test_the_shipped_file_explains_every_attribute() -> None:
    """What a rule may ask for is listed where rules are written."""
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    assert all(name in text for name in ATTRIBUTES)


SCOPES = [
    ({"allowed_projects": ("p1",)}, {"project_id": "p1"}, True),
    ({"allowed_projects": ("p1",)}, {"project_id": "p2"}, False),
    ({"allowed_projects": ("p1",)}, {}, False),
    ({"allowed_domains": ("d1",)}, {"project_id": "p", "project_domain_id": "d1"}, True),
    ({"allowed_domains": ("d1",)}, {"domain_id": "d1"}, True),
    ({"allowed_domains": ("d1",)}, {"project_domain_id": "d2", "user_domain_id": "d1"}, False),
    (
        {"allowed_projects": ("p1",), "allowed_domains": ("d1",)},
        {"project_id": "p1", "project_domain_id": "d2"},
        False,
    ),
    ({}, {}, True),
]


@pytest.mark.parametrize(("options", "scope", "admitted"), SCOPES, ids=range(len(SCOPES)))
def test_access_can_be_restricted_to_projects_and_domains(
    options: dict[str, tuple[str, ...]], scope: dict[str, str], admitted: bool
) -> None:
    """The token's own scope has to lie in an allowed project and domain, where any are named."""
    settings = auth(**options)
    guard = Guard(settings, LoopbackIdentity(settings), load_policy(settings))
    who = caller("admin", **scope)
    if admitted:
        guard.require("sync:delete", who)
    else:
        with pytest.raises(AccessDeniedError):
            guard.require("sync:delete", who)


def test_a_caller_without_roles_is_nobody() -> None:
    """Even a rule for everybody needs a token with a role."""
    settings = auth()
    guard = Guard(settings, LoopbackIdentity(settings), Policy(dict.fromkeys(ACTIONS, "@"), VALUES, "test"))
    with pytest.raises(AccessDeniedError, match="roles"):
        guard.require("sync:get", caller())


@pytest.mark.parametrize(
    ("roles", "foremost"),
    [
        (("reader", "Admin"), "Admin"),
        (("member", "reader"), "member"),
        (("z", "b"), "b"),
        (("z", "reader"), "reader"),
    ],
)
def test_a_task_remembers_the_strongest_role(roles: tuple[str, ...], foremost: str) -> None:
    """Of several roles the one that the settings rank highest is kept."""
    settings = auth()
    guard = Guard(settings, LoopbackIdentity(settings), load_policy(settings))
    assert guard.foremost_role(caller(*roles)) == foremost
