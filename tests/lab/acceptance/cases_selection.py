"""Numbers 75 to 103: forced images, plain synchronisation, conditions."""

from __future__ import annotations

from tests.lab.acceptance.steps import (
    BOTH,
    BURGOS,
    CACERES,
    Case,
    Conf,
    Expect,
    Given,
    Image,
    Names,
    Nothing,
    Recreate,
    Same,
    Says,
    SaysNot,
    Step,
    sync,
)
from tests.lab.acceptance.world import md5

PUBLIC = "image.is_public"
ONE, TWO, THREE = (Image(f"qatesting0{number}", f"0{number}") for number in (1, 2, 3))
SECRET_ONE, SECRET_TWO, SECRET_THREE = (image.but(public=False) for image in (ONE, TWO, THREE))
ID_ONE, ID_TWO, ID_THREE = (f"{{id:qatesting0{number}}}" for number in (1, 2, 3))
OWN = Image(public=False, props={"att4": "x"})
CONFLICT = Says(f"Image qatesting01 has a different checksum ({md5('01')}) in region {{R}}")
NOT_LISTED = (
    Given(SECRET_ONE, SECRET_TWO),
    Conf(metadata_condition=PUBLIC, forcesyncs=ID_TWO),
    sync(),
    Expect(BOTH, SECRET_TWO),
    Names(BOTH, "qatesting02"),
)


def forced_again(number: int, title: str, rules: dict[str, str], code: int, *expected: Step) -> Case:
    """A forced image gets other content, and its new id is listed."""
    return Case(
        number,
        title,
        (
            Given(SECRET_ONE),
            Conf(metadata_condition=PUBLIC, forcesyncs=ID_ONE, **rules),
            sync(),
            Recreate(SECRET_ONE.but(content="01b")),
            sync(code=code),
            *expected,
        ),
    )


def wanted(version: str) -> tuple[Image, Image]:
    """85: a public and a private image with two listed properties and one that is not."""
    props = {"att1": version, "att2": version, "att3": version}
    suffix = "" if version == "1" else "b"
    return Image("qatesting01", f"01{suffix}", True, props), Image("qatesting02", f"02{suffix}", False, props)


def without_third(images: tuple[Image, Image]) -> tuple[Image, ...]:
    """What arrives of them."""
    return tuple(
        image.but(props={key: value for key, value in image.props.items() if key != "att3"})
        for image in images
    )


FORCED = (
    Case(
        75,
        "a listed id is synchronised although private",
        (
            Given(SECRET_ONE),
            Conf(metadata_condition=PUBLIC, forcesyncs=ID_ONE),
            sync(),
            Expect(BOTH, SECRET_ONE),
        ),
    ),
    Case(
        76,
        "so are three",
        (
            Given(SECRET_ONE, SECRET_TWO, SECRET_THREE),
            Conf(metadata_condition=PUBLIC, forcesyncs=f"{ID_ONE}, {ID_TWO},{ID_THREE}"),
            sync(),
            Expect(BOTH, SECRET_ONE, SECRET_TWO, SECRET_THREE),
        ),
    ),
    Case(77, "an id that is not listed is not forced", NOT_LISTED),
    Case(78, "an id that is not listed is not forced (as 77)", NOT_LISTED),
    *(
        Case(
            number,
            "a list of ids with a false condition is a white list",
            (
                Given(OWN, TWO),
                Conf(metadata_condition="False", metadata_set=wanted_set, forcesyncs=ID_ONE),
                sync(),
                Expect(BOTH, OWN),
                Names(BOTH, "qatesting01"),
            ),
        )
        for number, wanted_set in ((79, None), (80, "att4"))
    ),
    forced_again(81, "forcing does not solve a conflict", {}, 3, CONFLICT, Nothing()),
    forced_again(
        82,
        "a forced image is replaced by its rule",
        {"replace": md5("01")},
        0,
        Expect(BOTH, SECRET_ONE.but(content="01b")),
        Names(BOTH, "qatesting01"),
    ),
    forced_again(
        83,
        "a forced image is renamed by its rule",
        {"rename": md5("01")},
        0,
        Expect(BOTH, SECRET_ONE.but(content="01b"), SECRET_ONE.but(name="qatesting01.old")),
        Names(BOTH, "qatesting01", "qatesting01.old"),
    ),
    *(
        Case(
            84,
            "a public and a forced private image keep their visibility",
            (Given(ONE, SECRET_TWO), Conf(forcesyncs=ids), sync(), Expect(BOTH, ONE, SECRET_TWO)),
            name,
        )
        for name, ids in (("one-listed", ID_TWO), ("both-listed", f"{ID_ONE},{ID_TWO}"))
    ),
    Case(
        85,
        "forced and public images are replaced, an unlisted private one stays out",
        (
            Given(*wanted("1"), SECRET_THREE),
            Conf(metadata_set="att1,att2", forcesyncs=ID_TWO, replace=f"{md5('01')},{md5('02')}"),
            sync(),
            *(Recreate(image) for image in wanted("2")),
            sync(),
            Expect(BOTH, *without_third(wanted("2"))),
            Names(BOTH, "qatesting01", "qatesting02"),
        ),
    ),
)

BASIC = (
    *(
        Case(
            86,
            "one image arrives, whichever way it takes",
            (
                Given(ONE),
                Conf(transport=transport),
                sync(),
                Expect(BOTH, ONE),
                Says("{R}: Image uploaded."),
            ),
            transport,
        )
        for transport in ("stream", "auto", "glance-download", "glance-direct")
    ),
    Case(
        87,
        "three images arrive",
        (Given(ONE, TWO, THREE), Conf(transport="auto"), sync(), Expect(BOTH, ONE, TWO, THREE)),
    ),
    Case(88, "of nothing comes nothing", (sync(), Nothing(), Names(BOTH))),
    Case(89, "an image is not sent twice", (Given(ONE), sync(), sync(), Nothing())),
    Case(90, "neither are two", (Given(ONE, TWO), sync(), sync(), Nothing())),
    Case(
        91,
        "only the new image is sent",
        (
            Given(ONE, TWO),
            sync(),
            Given(THREE),
            sync(),
            Says("{R}: Uploading image qatesting03 ("),
            SaysNot("Uploading image qatesting0[12]"),
            Same("qatesting01"),
            Same("qatesting02"),
            Expect(BOTH, ONE, TWO, THREE),
        ),
    ),
    Case(92, "a private image stays on the master", (Given(SECRET_ONE), sync(), Nothing(), Names(BOTH))),
    Case(
        93,
        "a second image of the name on the master takes the first out of the selection",
        (
            Given(ONE),
            sync(),
            Given(ONE.but(content="01b")),
            sync(),
            Says("Duplicated images with name qatesting01 will be ignored", at=BURGOS),
            Nothing(),
            Expect(BOTH, ONE),
        ),
    ),
    Case(
        94,
        "two images of one name on the master are ignored",
        (
            Given(ONE, ONE.but(content="01b")),
            sync(),
            Says("Duplicated images with name qatesting01 will be ignored", at=BURGOS),
            Nothing(),
            Names(BOTH),
        ),
    ),
    Case(
        95,
        "changed content without rule changes nothing",
        (Given(ONE), sync(), Recreate(ONE.but(content="01b")), sync(code=3), CONFLICT, Nothing()),
    ),
    Case(
        96,
        "two images of one name in a region are warned of",
        (
            Given(ONE, ONE, at=BOTH),
            Given(ONE),
            sync(),
            Says("{R}: image name qatesting01 is duplicated."),
            Nothing(),
        ),
    ),
    Case(
        97, "only the region that is named", (Given(ONE), sync("Burgos"), Expect(BURGOS, ONE), Names(CACERES))
    ),
    Case(
        98,
        "an image without data does not count as there",
        (
            Given(ONE.but(content=None), at=BOTH),
            Given(ONE),
            sync(),
            Says("{R}: state of image qatesting01 with UUID ", "  is not active: queued"),
            Expect(BOTH, ONE),
            Names(BOTH, "qatesting01", "qatesting01"),
        ),
    ),
)

TAGGED = Image(props={"nid": "1", "type": "base"})
CONDITIONS = (
    Case(
        99,
        "a condition can select private images",
        (Given(SECRET_ONE), Conf(metadata_condition="not image.is_public"), sync(), Expect(BOTH, SECRET_ONE)),
    ),
    *(
        Case(
            100,
            "without condition an image with any listed property is wanted",
            (
                Given(TAGGED),
                Conf(metadata_condition="", metadata_set=",".join(names)),
                sync(),
                Expect(BOTH, TAGGED.but(props={key: v for key, v in TAGGED.props.items() if key in names})),
            ),
            "-".join(names),
        )
        for names in (("nid",), ("nid", "sdc_aware"), ("nid", "type", "sdc_aware"))
    ),
    Case(
        101,
        "an image without properties is not wanted where some are listed",
        (Given(ONE), Conf(metadata_condition="", metadata_set="nid,type"), sync(), Nothing(), Names(BOTH)),
    ),
    *(
        Case(
            102,
            "nor is one that lacks all of the listed properties",
            (Given(TAGGED), Conf(metadata_set=names), sync(), Nothing(), Names(BOTH)),
            names.replace(",", "-"),
        )
        for names in ("sdc_aware", "sdc_aware,new_att")
    ),
    Case(
        103,
        "a listed property does not make a private image wanted",
        (
            Given(TAGGED.but(public=False)),
            Conf(metadata_condition=PUBLIC, metadata_set="nid"),
            sync(),
            Nothing(),
            Names(BOTH),
        ),
    ),
)

CASES = (*FORCED, *BASIC, *CONDITIONS)
