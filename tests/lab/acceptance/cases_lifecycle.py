"""Numbers 104 to 122: retired images, the order of regions, images of other projects."""

from __future__ import annotations

from tests.lab.acceptance.steps import (
    BOTH,
    BURGOS,
    CACERES,
    Case,
    Conf,
    Edit,
    Expect,
    Given,
    Image,
    Names,
    Nothing,
    Ordered,
    Recreate,
    Same,
    Says,
    Step,
    sync,
)

NAME = "qatesting01"
GONE = "qatesting01_obsolete"
ONE = Image(NAME)
RETIRED = Image(GONE)
RETIRE = Edit(NAME, name=GONE)
UPDATING = Says(f"{{R}}: updating obsolete image {GONE}")
IGNORED = Says(f"Ignore obsolete master image {GONE} because {NAME} exists", at=BURGOS)


def successor(number: int, key: str) -> Case:
    """108 to 110: a new image takes the name of a retired one."""
    return Case(
        number,
        "a new image is uploaded beside the retired one of its name",
        (
            Given(ONE),
            sync(),
            RETIRE,
            sync(),
            Given(ONE.but(content=key)),
            sync(),
            IGNORED,
            Same(GONE),
            Expect(BOTH, RETIRED, ONE.but(content=key)),
            Names(BOTH, NAME, GONE),
        ),
    )


PROPS_OLD = {"nid": "1", "sdc_aware": "yes"}
PROPS_NEW = {"nid": "2", "sdc_aware": "no"}
OBSOLETE = (
    Case(104, "a retired image is not brought to a region", (Given(RETIRED), sync(), Nothing(), Names(BOTH))),
    Case(
        105,
        "retiring on the master retires in the regions",
        (Given(ONE), sync(), RETIRE, sync(), UPDATING, Expect(BOTH, RETIRED), Names(BOTH, GONE)),
    ),
    Case(
        106,
        "an image of other content is not retired",
        (
            Given(ONE),
            sync(),
            RETIRE,
            Recreate(RETIRED.but(content="01b")),
            sync(),
            Nothing(),
            Expect(BOTH, ONE),
        ),
    ),
    Case(
        107,
        "retiring can be switched off",
        (
            Given(ONE),
            sync(),
            RETIRE,
            Conf(support_obsolete_images="False"),
            sync(),
            Nothing(),
            Expect(BOTH, ONE),
        ),
    ),
    successor(108, "01"),
    successor(109, "01"),
    successor(110, "01b"),
    Case(
        111,
        "a retired image becomes private with its master",
        (
            Given(ONE),
            sync(),
            Edit(NAME, name=GONE, visibility="private"),
            sync(),
            UPDATING,
            Expect(BOTH, RETIRED.but(public=False)),
        ),
    ),
    Case(
        112,
        "only the properties named for retired images follow",
        (
            Given(ONE.but(props=PROPS_OLD)),
            Conf(metadata_set="nid,sdc_aware", obsolete_syncprops="sdc_aware"),
            sync(),
            Edit(NAME, name=GONE, **PROPS_NEW),
            sync(),
            UPDATING,
            Expect(BOTH, RETIRED.but(props={"nid": "1", "sdc_aware": "no"})),
        ),
    ),
    Case(
        113,
        "two are retired and a third arrives in one run",
        (
            Given(ONE, Image("qatesting02", "02")),
            sync(),
            RETIRE,
            Edit("qatesting02", name="qatesting02_obsolete"),
            Given(Image("qatesting03", "03")),
            sync(),
            Expect(BOTH, RETIRED, Image("qatesting02_obsolete", "02"), Image("qatesting03", "03")),
            Names(BOTH, GONE, "qatesting02_obsolete", "qatesting03"),
        ),
    ),
    Case(
        114,
        "the image of another project is not retired",
        (
            Given(ONE.but(account="other"), at=BOTH),
            Given(RETIRED),
            sync(),
            Nothing(),
            Expect(BOTH, ONE.but(account="other")),
        ),
    ),
)

ORDER = (
    *(
        Case(
            115,
            "regions are served in the order that is preferred",
            (
                Given(ONE),
                Conf("main", preferable_order=",".join(order)),
                sync(),
                Ordered(tuple(f"{region}: Image uploaded." for region in order)),
                Expect(BOTH, ONE),
            ),
            order[0],
        )
        for order in (("Burgos", "Caceres"), ("Caceres", "Burgos"))
    ),
    *(
        Case(
            117,
            "an ignored region gets nothing",
            (Given(ONE), Conf(ignore_regions=ignored[0]), sync(), Expect(served, ONE), Names(ignored)),
            ignored[0],
        )
        for ignored, served in ((BURGOS, CACERES), (CACERES, BURGOS))
    ),
)

THEIRS = ONE.but(account="other")
THEIRS_CHANGED = THEIRS.but(content="01b")
FOREIGN = Says(f"{{R}}: image {NAME} (UUID ", "is owned by other tenant: ")


def foreign(number: int, title: str, options: dict[str, str], *steps: Step, variant: str = "") -> Case:
    """Another project has an image of the name with other content, and the configuration looks at it."""
    given: tuple[Step, ...] = (Given(THEIRS_CHANGED, at=BOTH), Given(ONE.but(props={"nid": "1"})))
    return Case(number, title, (*given, Conf(only_tenant_images="False", **options), *steps), variant)


TENANTS = (
    Case(118, "an equal image of ours is enough", (Given(ONE, at=BOTH), Given(ONE), sync(), Nothing())),
    Case(
        119,
        "an equal image of another project is not ours",
        (
            Given(THEIRS, at=BOTH),
            Given(ONE),
            Conf(only_tenant_images="True"),
            sync(),
            Expect(BOTH, ONE, THEIRS),
            Names(BOTH, NAME, NAME),
        ),
    ),
    foreign(120, "another project's image can be a conflict", {}, sync(code=3), FOREIGN, Nothing()),
    foreign(
        121,
        "an image that is not wanted replaces nobody's",
        {"replace": "any", "metadata_set": "type"},
        sync(),
        Nothing(),
        Expect(BOTH, THEIRS_CHANGED),
    ),
    foreign(
        122,
        "another project's image is replaced where that is allowed",
        {"replace": "any", "metadata_set": "nid", "modify_foreign": "True"},
        sync(),
        FOREIGN,
        Expect(BOTH, ONE.but(props={"nid": "1"})),
        Names(BOTH, NAME),
    ),
)

CASES = (*OBSOLETE, *ORDER, *TENANTS)
