"""Numbers 30 to 44: which properties arrive, and how they follow the master."""

from __future__ import annotations

from tests.lab.acceptance.steps import (
    BOTH,
    Case,
    Conf,
    Edit,
    Expect,
    Given,
    Image,
    Names,
    Nothing,
    Recreate,
    Same,
    Says,
    Step,
    sync,
)

PUBLIC = "image.is_public"
PROPS = {"nid": "10", "type": "base", "sdc_aware": "yes"}
FULL = Image(props=PROPS)
THREE = "nid,type,sdc_aware"
UPDATED = Says("{R}: Updating the metadata of image qatesting01")
PAIRS = (
    ("nid", "type"),
    ("nid", "sdc_aware"),
    ("type", "sdc_aware"),
    ("nid", "unknown1"),
    ("type", "unknown1"),
    ("sdc_aware", "unknown1"),
    ("nid", "unknown2"),
    ("type", "unknown2"),
    ("unknown1", "unknown2"),
)
EMPTY_VALUES: tuple[dict[str, str], ...] = (
    {"nid": ""},
    {"nid": "", "type": ""},
    {"nid": "", "type": "base"},
    {"nid": "10", "type": "", "sdc_aware": ""},
)


def filtered(names: tuple[str, ...]) -> dict[str, str]:
    """The known properties among the names."""
    return {name: value for name, value in PROPS.items() if name in names}


def selection(number: int, names: tuple[str, ...]) -> Case:
    """32, 33: only what the list names arrives."""
    return Case(
        number,
        "exactly the listed properties that exist arrive",
        (
            Given(FULL),
            Conf(metadata_condition=PUBLIC, metadata_set=",".join(names)),
            sync(),
            Expect(BOTH, FULL.but(props=filtered(names))),
        ),
        "-".join(names),
    )


def change(
    number: int, title: str, wanted: str, old: dict[str, str], steps: tuple[Step, ...], new: dict[str, str]
) -> Case:
    """Synchronise ``old``, change the master by ``steps``, synchronise again: the copies have ``new``."""
    given = Image(props=old)
    return Case(
        number,
        title,
        (
            Given(given),
            Conf(metadata_condition=PUBLIC, metadata_set=wanted),
            sync(),
            *steps,
            sync(),
            UPDATED,
            Same("qatesting01"),
            Expect(BOTH, given.but(props=new)),
        ),
    )


CASES = (
    Case(
        30,
        "listed properties are equal everywhere",
        (Given(FULL), Conf(metadata_condition=PUBLIC, metadata_set=THREE), sync(), Expect(BOTH, FULL)),
    ),
    *(selection(32, (name,)) for name in ("nid", "type", "sdc_aware", "unknown1")),
    *(selection(33, pair) for pair in PAIRS),
    Case(34, "without a list all properties arrive", (Given(FULL), sync(), Expect(BOTH, FULL))),
    Case(
        35,
        "empty values arrive as they are",
        (
            Given(*(Image(f"empty{number}", "01", props=props) for number, props in enumerate(EMPTY_VALUES))),
            Conf(metadata_condition=PUBLIC, metadata_set=THREE),
            sync(),
            Expect(
                BOTH,
                *(Image(f"empty{number}", "01", props=props) for number, props in enumerate(EMPTY_VALUES)),
            ),
        ),
    ),
    change(
        36,
        "changed values follow",
        "nid,new_att",
        {"nid": "1", "new_att": "a"},
        (Edit("qatesting01", nid="2", new_att="b"),),
        {"nid": "2", "new_att": "b"},
    ),
    change(
        37,
        "three changed values follow",
        "nid,type,nid_version",
        {"nid": "1", "type": "a", "nid_version": "1"},
        (Edit("qatesting01", nid="2", type="b", nid_version="2"),),
        {"nid": "2", "type": "b", "nid_version": "2"},
    ),
    change(
        38,
        "a new property is added and others follow",
        THREE,
        {"nid": "1", "type": "a"},
        (Edit("qatesting01", nid="2", type="b", sdc_aware="no"),),
        {"nid": "2", "type": "b", "sdc_aware": "no"},
    ),
    change(
        39,
        "a property that is gone on the master is removed",
        THREE,
        PROPS,
        (Recreate(Image(props={"nid": "10", "type": "base"})),),
        {"nid": "10", "type": "base"},
    ),
    change(
        40,
        "it is removed and the others follow",
        THREE,
        PROPS,
        (Recreate(Image(props={"nid": "11", "type": "other"})),),
        {"nid": "11", "type": "other"},
    ),
    change(
        41,
        "one property is added, the edited ones follow",
        "nid,type,sdc_aware,new_att",
        PROPS,
        (Edit("qatesting01", nid="11", type="other", new_att="x"),),
        {"nid": "11", "type": "other", "sdc_aware": "yes", "new_att": "x"},
    ),
    change(
        42,
        "a property that left the list keeps its value",
        THREE,
        PROPS,
        (Conf(metadata_set="nid,sdc_aware"), Edit("qatesting01", nid="11", type="other")),
        {"nid": "11", "type": "base", "sdc_aware": "yes"},
    ),
    Case(
        43,
        "nothing is done where nothing has changed",
        (Given(FULL), Conf(metadata_condition=PUBLIC, metadata_set=THREE), sync(), sync(), Nothing()),
    ),
    Case(
        44,
        "an equal image with a new id is the same image",
        (
            Given(FULL),
            Conf(metadata_condition=PUBLIC, metadata_set=THREE),
            sync(),
            Recreate(FULL),
            sync(),
            Nothing(),
            Names(BOTH, "qatesting01"),
        ),
    ),
)
