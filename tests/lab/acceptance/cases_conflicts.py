"""Numbers 58 to 74: the region has other content under the same name."""

from __future__ import annotations

from tests.lab.acceptance.steps import (
    BOTH,
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

SETS = {"metadata_set": "nid,type"}
UNRELATED = "00000000000000000000000000000000"
DUPLICATED = Says("{R}: image name qatesting01 is duplicated.")


def image(number: int, *, new: bool = False, tagged: bool = False) -> Image:
    """``qatesting0N`` in its first or second version, perhaps with two listed properties."""
    value = "new" if new else "old"
    props = {"nid": value, "type": value} if tagged else {}
    return Image(f"qatesting0{number}", f"0{number}{'b' if new else ''}", props=props)


def kept(number: int, *, tagged: bool = False) -> Image:
    """What renaming leaves of the first version."""
    old = image(number, tagged=tagged)
    return old.but(name=f"{old.name}.old", public=False)


def conflict(
    number: int,
    title: str,
    rules: dict[str, str],
    *expected: Step,
    variant: str = "",
    count: int = 1,
    tagged: bool = False,
) -> Case:
    """Synchronise ``count`` images, change them on the master, apply the rules."""
    numbers = range(1, count + 1)
    options: dict[str, str] = {**(SETS if tagged else {}), **rules}
    return Case(
        number,
        title,
        (
            Given(*(image(one, tagged=tagged) for one in numbers)),
            Conf(**SETS) if tagged else Conf(),
            sync(),
            *(Recreate(image(one, new=True, tagged=tagged)) for one in numbers),
            Conf(**options),
            *expected,
        ),
        variant,
    )


def replaced(*numbers: int, tagged: bool = False) -> tuple[Step, ...]:
    """The new versions are there and nothing else is left of the old ones."""
    return (
        *(Says(f"{{R}}: Replacing image qatesting0{one} (", "{R}: Image uploaded.") for one in numbers),
        Expect(BOTH, *(image(one, new=True, tagged=tagged) for one in numbers)),
    )


def renamed(*numbers: int, tagged: bool = False) -> tuple[Step, ...]:
    """The new versions are there, and the old ones privately under another name."""
    return (
        *(Says(f"{{R}}: Renaming and replacing image qatesting0{one} (") for one in numbers),
        Expect(BOTH, *(image(one, new=True, tagged=tagged) for one in numbers)),
        Expect(BOTH, *(kept(one, tagged=tagged) for one in numbers)),
    )


def names(*numbers: int, old: tuple[int, ...] = ()) -> Names:
    """Exactly these images."""
    return Names(BOTH, *(f"qatesting0{one}" for one in numbers), *(f"qatesting0{one}.old" for one in old))


BOTH_SUMS = f"{md5('01')},{md5('02')}"
FORMS = {"both-sums": BOTH_SUMS, "sum-and-any": f"{md5('01')},any", "any": "any"}
SUM_OR_ANY = {"sum": md5("01"), "any": "any"}

RULES = (
    conflict(58, "a listed checksum is replaced", {"replace": md5("01")}, sync(), *replaced(1), names(1)),
    *(
        conflict(
            59,
            "a list that names another checksum changes nothing",
            {option: UNRELATED},
            sync(code=3),
            Says(f"Image qatesting01 has a different checksum ({md5('01')}) in region {{R}}"),
            Nothing(),
            variant=option,
        )
        for option in ("replace", "rename", "dontupdate")
    ),
    *(
        conflict(
            60,
            "content and properties are new after replacing",
            {"replace": rule},
            sync(),
            *replaced(1, tagged=True),
            names(1),
            variant=name,
            tagged=True,
        )
        for name, rule in SUM_OR_ANY.items()
    ),
    *(
        conflict(
            61,
            "two images are replaced",
            {"replace": rule},
            sync(),
            *replaced(1, 2),
            names(1, 2),
            variant=name,
            count=2,
        )
        for name, rule in FORMS.items()
    ),
    conflict(
        62, "renaming keeps the old content", {"rename": md5("01")}, sync(), *renamed(1), names(1, old=(1,))
    ),
    *(
        conflict(
            63,
            "renaming keeps the old properties, privately",
            {"rename": rule},
            sync(),
            *renamed(1, tagged=True),
            names(1, old=(1,)),
            variant=name,
            tagged=True,
        )
        for name, rule in SUM_OR_ANY.items()
    ),
    *(
        conflict(
            64,
            "two images are renamed",
            {"rename": rule},
            sync(),
            *renamed(1, 2, tagged=True),
            names(1, 2, old=(1, 2)),
            variant=name,
            count=2,
            tagged=True,
        )
        for name, rule in FORMS.items()
    ),
    *(
        conflict(
            number,
            "one is replaced and one renamed, each by its list",
            {"replace": md5("01"), "rename": md5("02")},
            sync(),
            *replaced(1, tagged=tagged),
            *renamed(2, tagged=tagged),
            names(1, 2, old=(2,)),
            count=2,
            tagged=tagged,
        )
        for number, tagged in ((65, False), (66, True))
    ),
    conflict(
        68,
        "a listed checksum to rename beats replacing any",
        {"replace": "any", "rename": md5("01")},
        sync(),
        *renamed(1),
        names(1, old=(1,)),
    ),
    conflict(
        69,
        "a listed checksum to replace beats renaming any",
        {"rename": "any", "replace": md5("01")},
        sync(),
        *replaced(1),
        names(1),
    ),
    conflict(
        70,
        "what is not to be updated stays, whatever the other lists say",
        {"replace": "any", "rename": "any", "dontupdate": md5("01")},
        sync(),
        Nothing(),
    ),
    conflict(
        71,
        "only the image that may be updated is renamed and replaced",
        {"replace": "any", "rename": "any", "dontupdate": md5("01")},
        sync(),
        *renamed(2),
        Same("qatesting01"),
        Expect(BOTH, image(1)),
        names(1, 2, old=(2,)),
        count=2,
    ),
)


def twins(number: int, title: str, contents: tuple[str, str], *expected: Step) -> Case:
    """Two images of one name in the regions; the master has content ``01``."""
    first, second = (Image(content=key) for key in contents)
    return Case(
        number,
        title,
        (Given(first, second, at=BOTH), Given(image(1)), Conf(replace="any"), sync(), DUPLICATED, *expected),
    )


TWINS = (
    twins(
        72,
        "with two images of the name and neither right, one is replaced",
        ("01b", "01c"),
        Says("{R}: Replacing image qatesting01 ("),
        Expect(BOTH, image(1)),
        Names(BOTH, "qatesting01", "qatesting01"),
    ),
    twins(73, "the second of two being right is enough", ("01b", "01"), Nothing(), SaysNot("Replacing")),
    twins(74, "so is the first", ("01", "01b"), Nothing(), SaysNot("Replacing")),
)

CASES = (*RULES, *TWINS)
