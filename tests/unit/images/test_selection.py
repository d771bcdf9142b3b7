"""Which master images a target wants (spec images 3.2, 2.6)."""

from __future__ import annotations

import pytest

from app.sync.images.condition import parse_condition
from app.sync.images.conf.model import Policy
from app.sync.images.selection import is_obsolete_name, select
from tests.unit.images.builders import make_catalog, make_master

PRIVATE = {"visibility": "private"}


def policy(
    condition: str | None = None, metadata: tuple[str, ...] = (), force: tuple[str, ...] = ()
) -> Policy:
    """The rules of a target, as far as they select."""
    return Policy(
        condition=parse_condition(condition) if condition else None,
        metadata_set=frozenset(metadata),
        forcesyncs=frozenset(force),
    )


@pytest.mark.parametrize(
    ("fields", "rules", "wanted"),
    [
        pytest.param({}, policy(), True, id="public, no rules"),
        pytest.param(PRIVATE, policy(), False, id="private"),
        pytest.param({"visibility": "shared"}, policy(), False, id="shared is not public"),
        pytest.param({"visibility": "community"}, policy(), False, id="community is not public"),
        pytest.param(PRIVATE, policy(force=("m-a",)), True, id="forced though private"),
        pytest.param({}, policy("False", force=("m-a",)), True, id="forced against the condition"),
        pytest.param({}, policy("False"), False, id="condition false"),
        pytest.param(PRIVATE, policy("not image.is_public"), True, id="condition alone decides"),
        pytest.param({}, policy("'image.is_public'"), True, id="quoted condition is a true constant"),
        pytest.param({}, policy(metadata=("nid",)), False, id="no member of the set"),
        pytest.param(
            {"properties": {"nid": ""}}, policy(metadata=("nid", "x")), True, id="one member, empty"
        ),
        pytest.param(
            {"properties": {"nid": "1"}, **PRIVATE}, policy(metadata=("nid",)), False, id="set, private"
        ),
        pytest.param(
            {}, policy("image.is_public", metadata=("nid",)), True, id="condition switches the set off"
        ),
        pytest.param(
            {"properties": {"n": "1"}}, policy("metadata_set and True", ("nid",)), True, id="set is a name"
        ),
    ],
)
def test_rules(fields: dict, rules: Policy, wanted: bool) -> None:
    """The first rule that applies decides."""
    assert ("a" in select(make_catalog(make_master("a", **fields)).images, rules).images) is wanted


def test_kernel_id_may_select() -> None:
    """A reference may itself be a member of the metadata set."""
    images = make_catalog(make_master("a", properties={"kernel_id": "m-k"}), make_master("k")).images
    assert set(select(images, policy(metadata=("kernel_id",))).images) == {"a"}


def test_conditions_see_names_of_kernels() -> None:
    """When the condition is evaluated references hold names, not ids."""
    images = make_catalog(make_master("a", properties={"kernel_id": "m-k"}), make_master("k")).images
    assert set(select(images, policy("image.user_properties.get('kernel_id') == 'k'")).images) == {"a"}


def test_dangling_reference_keeps_its_image_selected() -> None:
    """An image whose kernel is gone is still the target's, so that its status can say so."""
    images = make_catalog(make_master("a", properties={"kernel_id": "gone"})).images
    assert set(select(images, policy(metadata=("kernel_id",))).images) == {"a"}


@pytest.mark.parametrize("rules", [policy(), policy("True"), policy(force=("m-a_obsolete",))])
def test_obsolete_names_are_never_selected(rules: Policy) -> None:
    """Nothing rescues a retired image."""
    assert not select(make_catalog(make_master("a_obsolete")).images, rules).images


@pytest.mark.parametrize(
    ("name", "retired"),
    [
        ("a_obsolete", True),
        ("_obsolete", True),
        ("a_OBSOLETE", False),
        ("obsolete", False),
        ("", False),
        (None, False),
    ],
)
def test_obsolete_names(name: str | None, retired: bool) -> None:
    """The suffix is nine characters, case-sensitive."""
    assert is_obsolete_name(name) is retired


def test_condition_that_fails_on_one_image() -> None:
    """Where the condition cannot be told the image is not selected, and the others go on."""
    images = make_catalog(
        make_master("bad"),
        make_master("good", properties={"nid": "7"}),
        make_master("forced", id="f"),
        make_master("bad_obsolete"),
    ).images
    chosen = select(images, policy("image.user_properties['nid'] == '7'", force=("f",)))
    assert set(chosen.images) == {"good", "forced"}
    assert set(chosen.failures) == {"bad"}
    assert chosen.failures["bad"]
