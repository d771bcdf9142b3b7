"""Region arguments: what they mean, in which order, and what happens to names that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UnknownRegionError, UnreachableError
from app.sync.images.conf.model import Policy, Settings, Target
from app.sync.images.regions import RegionArgument, parse_argument, resolve, show_regions

CATALOGUE = {
    "master": ["Valladolid", "Burgos", "Caceres", "Avila"],
    "other": ["Madrid", "Burgos"],
    "empty": [],
}


def make_settings(
    *,
    master_region: str = "Valladolid",
    targets: Sequence[str] = ("master", "other", "empty"),
    ignored: Mapping[str, Sequence[str]] | None = None,
    order: Sequence[str] = (),
) -> Settings:
    """Build a configuration of targets without credentials."""
    left_out = ignored or {}
    return Settings(
        master_region=master_region,
        targets={
            name: Target(name, Policy(), ignore_regions=frozenset(left_out.get(name, ()))) for name in targets
        },
        preferable_order=tuple(order),
    )


class Catalogue:
    """Answers from a dictionary and remembers what it was asked."""

    def __init__(self, regions: Mapping[str, list[str]]) -> None:
        self.regions = regions
        self.asked: list[str] = []

    def __call__(self, target: str) -> list[str]:
        self.asked.append(target)
        return list(self.regions[target])


def names(
    arguments: Sequence[str], settings: Settings, region_names: Callable[[str], list[str]]
) -> list[str]:
    """Resolve to full names."""
    return [region.full for region in resolve(arguments, settings, region_names)]


@pytest.mark.parametrize(
    ("text", "target", "name"),
    [
        ("Burgos", "master", "Burgos"),
        ("master:Burgos", "master", "Burgos"),
        ("other:Madrid", "other", "Madrid"),
        ("other:", "other", None),
        ("master:", "master", None),
        ("a:b:c", "master", "a:b:c"),
        ("a:b:", "a:b", None),
        (":", "", None),
        (":Burgos", "", "Burgos"),
        ("", "master", ""),
        ("Año Nuevo", "master", "Año Nuevo"),
    ],
)
def test_argument_names_a_region_or_a_whole_target(text: str, target: str, name: str | None) -> None:
    """NAME, master:NAME and TARGET:NAME are regions, TARGET: is all of them; else colons are just text."""
    argument = parse_argument(text)
    assert argument == RegionArgument(text, target, name)
    assert argument.is_expansion is (name is None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["r2", "r1"]),
        (["master:"], ["r2", "r1"]),
        (["master:", "other:"], ["other:r1", "r2", "r1"]),
        (["r1", "other:"], ["other:r1", "r1"]),
        (["r1", "other:r1", "r2"], ["r1", "other:r1", "r2"]),
        (["other:r1", "r1"], ["other:r1", "r1"]),
    ],
    ids=["none", "master", "both targets", "name and target", "explicit", "explicit turned round"],
)
def test_preferable_order_applies_as_soon_as_a_target_is_expanded(
    arguments: list[str], expected: list[str]
) -> None:
    """With an expansion the preferred regions come first; a purely explicit list keeps its order."""
    settings = make_settings(targets=("master", "other"), order=("other:r1", "r2", "r3"))
    catalogue = Catalogue({"master": ["Valladolid", "r1", "r2"], "other": ["r1"]})
    assert names(arguments, settings, catalogue) == expected


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ([], {}, ["Avila", "Burgos", "Caceres"]),
        (["other:"], {}, ["other:Burgos", "other:Madrid"]),
        (["empty:"], {}, []),
        (["master:"], {"ignored": {"master": ["Burgos"], "other": ["Avila"]}}, ["Avila", "Caceres"]),
        (["other:"], {"ignored": {"master": ["Burgos"]}}, ["other:Burgos", "other:Madrid"]),
        (["Burgos"], {"ignored": {"master": ["Burgos"]}}, ["Burgos"]),
        (["Valladolid"], {}, ["Valladolid"]),
        (["master:Valladolid", "master:"], {}, ["Valladolid", "Avila", "Burgos", "Caceres"]),
        (["Burgos", "master:Burgos", "other:Burgos"], {}, ["Burgos", "other:Burgos"]),
        (["Caceres", "master:"], {}, ["Caceres", "Avila", "Burgos"]),
        (["master:", "Burgos"], {"order": ["Caceres", "Burgos"]}, ["Caceres", "Burgos", "Avila"]),
        ([], {"order": ["Caceres", "Caceres", "Nowhere"]}, ["Caceres", "Avila", "Burgos"]),
        (["other:"], {"order": ["Madrid"]}, ["other:Burgos", "other:Madrid"]),
        (["other:"], {"order": ["other:Madrid"]}, ["other:Madrid", "other:Burgos"]),
        (["other:"], {"master_region": "Madrid"}, ["other:Burgos", "other:Madrid"]),
    ],
    ids=[
        "no argument is target master without the master region",
        "other targets carry their prefix",
        "a target may be empty",
        "ignored regions are left out of expansions",
        "ignored regions belong to their target",
        "an explicit region is never ignored",
        "the master region may be named",
        "the master region may be named beside an expansion",
        "one region is worked on once",
        "a named region is not repeated by an expansion",
        "an expansion reorders named regions too",
        "unknown and repeated preferences do not matter",
        "preferences are full names",
        "preferences with a prefix",
        "the master region is one of target master only",
    ],
)
def test_arguments_become_regions(
    arguments: list[str], options: dict[str, object], expected: list[str]
) -> None:
    """Expansion, ignored regions, the master region, order and repetition follow the documented rules."""
    assert names(arguments, make_settings(**options), Catalogue(CATALOGUE)) == expected


def test_region_of_master_may_hold_colons() -> None:
    """A region of target master whose own name has several colons can be named as it is."""
    regions = resolve(["a:b:c"], make_settings(), Catalogue({"master": ["a:b:c"]}))
    assert [(region.target, region.name, region.full) for region in regions] == [("master", "a:b:c", "a:b:c")]


@pytest.mark.parametrize(
    ("argument", "named", "known"),
    [
        ("Burgo", "'Burgo'", "Avila, Burgos, Caceres, Valladolid"),
        ("master:Madrid", "'Madrid'", "Avila, Burgos, Caceres, Valladolid"),
        ("other:Avila", "'Avila'", "Burgos, Madrid"),
        ("empty:Avila", "'Avila'", "none"),
        ("", "''", "Avila, Burgos, Caceres, Valladolid"),
        ("burgos", "'burgos'", "Avila, Burgos, Caceres, Valladolid"),
        ("odd\nname", r"'odd\nname'", "Avila, Burgos, Caceres, Valladolid"),
        ("nobody:", "'nobody'", "empty, master, other"),
        ("nobody:Burgos", "'nobody'", "empty, master, other"),
        ("Master:Burgos", "'Master'", "empty, master, other"),
        (":", "''", "empty, master, other"),
    ],
)
def test_unknown_name_is_an_error_that_lists_the_known_ones(argument: str, named: str, known: str) -> None:
    """An unknown region or target is named, with the names that would have been right, and nothing runs."""
    with pytest.raises(UnknownRegionError) as caught:
        resolve(["Burgos", argument], make_settings(), Catalogue(CATALOGUE))
    assert named in caught.value.what
    assert caught.value.remedy.endswith(f": {known}")
    assert repr(argument) in caught.value.where
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_unknown_target_is_found_before_any_server_is_asked() -> None:
    """A misspelt target costs no waiting for the regions of the others."""
    catalogue = Catalogue(CATALOGUE)
    with pytest.raises(UnknownRegionError):
        resolve(["master:", "nobody:"], make_settings(), catalogue)
    assert catalogue.asked == []


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], ["master"]),
        (["Burgos", "Avila", "master:"], ["master"]),
        (["other:Madrid", "Burgos", "other:"], ["other", "master"]),
        (["other:Madrid"], ["other"]),
    ],
)
def test_only_targets_that_matter_are_asked_and_once_each(arguments: list[str], asked: list[str]) -> None:
    """A federation that is down does not stop work on another one that alone was asked for."""
    catalogue = Catalogue(CATALOGUE)
    resolve(arguments, make_settings(), catalogue)
    assert catalogue.asked == asked


@pytest.mark.parametrize("arguments", [[], ["Burgos"]], ids=["expansion", "name"])
def test_failure_to_list_regions_reaches_the_caller(arguments: list[str]) -> None:
    """An unreachable Keystone is reported as that, and not as an unknown region."""

    def unreachable(target: str) -> list[str]:
        raise UnreachableError("no connection", where=target)

    with pytest.raises(UnreachableError):
        resolve(arguments, make_settings(), unreachable)


def test_show_regions_lists_every_destination() -> None:
    """All destinations appear: those of target master first, without the master region and ignored ones."""
    settings = make_settings(
        targets=("other", "empty", "master"),
        ignored={"master": ["Avila"]},
        order=("other:Madrid", "Caceres"),
    )
    catalogue = Catalogue(CATALOGUE)
    assert show_regions(settings, catalogue) == ["Burgos", "Caceres", "other:Burgos", "other:Madrid"]
    assert sorted(catalogue.asked) == ["empty", "master", "other"]


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
CATALOGUES = st.fixed_dictionaries(
    {key: st.lists(NAMES, unique=True) for key in ("master", "other", "third")}
)


@st.composite
def commands(draw: st.DrawFn) -> tuple[list[str], Settings, dict[str, list[str]]]:
    """Draw a catalogue, a configuration for it and arguments that both know."""
    catalogue = draw(CATALOGUES)
    known = [f"{target}:" for target in catalogue]
    known += [f"{target}:{name}" for target, held in catalogue.items() for name in held]
    known += catalogue["master"]
    settings = make_settings(
        master_region=draw(NAMES),
        targets=tuple(catalogue),
        ignored={target: draw(st.lists(NAMES, max_size=2)) for target in catalogue},
        order=draw(st.lists(NAMES | st.sampled_from(known), max_size=5)),
    )
    return draw(st.lists(st.sampled_from(known), max_size=6)), settings, catalogue


@given(commands())
def test_every_region_meant_appears_once_in_order(
    command: tuple[list[str], Settings, dict[str, list[str]]],
) -> None:
    """Whatever is asked for: nothing is worked on twice, nothing is lost, preferred regions come first."""
    arguments, settings, catalogue = command
    found = names(arguments, settings, Catalogue(catalogue))
    named = [text.removeprefix("master:") for text in arguments if not text.endswith(":")]
    expanded = [text for text in arguments if text.endswith(":")] or ([] if arguments else ["master:"])
    each = [name for text in expanded for name in names([text], settings, Catalogue(catalogue))]
    assert len(found) == len(set(found))
    assert set(found) == set(named) | set(each)
    if not expanded:
        assert found == list(dict.fromkeys(named))
        return
    ranks = {name: rank for rank, name in reversed(list(enumerate(settings.preferable_order)))}
    preferred = [name for name in found if name in ranks]
    assert found[: len(preferred)] == preferred == sorted(preferred, key=ranks.__getitem__)


@given(commands())
def test_listing_order_of_the_catalogue_does_not_matter(
    command: tuple[list[str], Settings, dict[str, list[str]]],
) -> None:
    """Two runs work in the same order however the catalogue lists its regions."""
    arguments, settings, catalogue = command
    turned = {target: held[::-1] for target, held in catalogue.items()}
    assert names(arguments, settings, Catalogue(catalogue)) == names(arguments, settings, Catalogue(turned))
    assert show_regions(settings, Catalogue(catalogue)) == show_regions(settings, Catalogue(turned))
