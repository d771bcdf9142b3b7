"""Numbers 45 to 57: machine images with their kernels and ramdisks."""

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
    sync,
)
from tests.lab.acceptance.world import md5

WANTED = "nid,type"
NO_COMPLAINT = SaysNot("Not found|WARNING|ERROR")
OLD = ("01", "02", "03")
NEW = ("01b", "02b", "03b")


def trio(
    keys: tuple[str, str, str] = OLD, suffix: str = "", *, public: bool = True, tagged: str = ""
) -> tuple[Image, ...]:
    """Kernel, ramdisk and machine image with this content; ``tagged``: their value of two properties."""
    props = {"nid": tagged, "type": tagged} if tagged else {}
    names = [f"{name}{suffix}" for name in ("kernel", "ramdisk", "machine")]
    kernel = Image(names[0], keys[0], public, props, format="aki")
    ramdisk = Image(names[1], keys[1], public, props, format="ari")
    machine = Image(names[2], keys[2], public, props, kernel=names[0], ramdisk=names[1], format="ami")
    return kernel, ramdisk, machine


def secret(images: tuple[Image, ...]) -> tuple[Image, ...]:
    """The same on the master with a property that is not wanted elsewhere."""
    return tuple(image.but(props={**image.props, "local": "x"}) for image in images)


def recreate(images: tuple[Image, ...]) -> tuple[Recreate, ...]:
    """New versions of images on the master, kernels first so that references hold."""
    return tuple(Recreate(image) for image in images)


ORDERS = {
    "machine-smallest": ("02", "03", "01"),
    "kernel-largest": ("03", "01", "02"),
    "ramdisk-largest": ("01", "03", "02"),
}
NAMES = ("kernel", "ramdisk", "machine")
# the new machine refers to the old ramdisk, which stays on the master
NEW_KERNEL = (trio(("01b", "02", "03"))[0], trio()[2])
NEW_RAMDISK = (trio(("01", "02b", "03"))[1], trio()[2])

CASES = (
    Case(
        45,
        "references hold the ids of the region",
        (Given(*trio()), sync(), Expect(BOTH, *trio()), NO_COMPLAINT),
    ),
    Case(
        49,
        "listed properties and references arrive",
        (
            Given(*secret(trio(tagged="1"))),
            Conf(metadata_set=WANTED),
            sync(),
            Expect(BOTH, *trio(tagged="1")),
        ),
    ),
    *(
        Case(
            50,
            "references are right at once, whatever the order of sizes",
            (
                Given(*trio(keys)),
                sync(),
                NO_COMPLAINT,
                Expect(BOTH, *trio(keys)),
                sync(),
                Nothing(),
                SaysNot("Updating the metadata"),
            ),
            name,
        )
        for name, keys in ORDERS.items()
    ),
    *(
        Case(
            51,
            "also with listed properties",
            (
                Given(*secret(trio(keys, tagged="1"))),
                Conf(metadata_set=WANTED),
                sync(),
                NO_COMPLAINT,
                Expect(BOTH, *trio(keys, tagged="1")),
                sync(),
                Nothing(),
            ),
            name,
        )
        for name, keys in ORDERS.items()
    ),
    Case(
        52,
        "three conflicts without rule change nothing",
        (
            Given(*trio()),
            sync(),
            *recreate(trio(NEW)),
            sync(code=3),
            Nothing(),
            Says(*(f"Image {name} has a different checksum" for name in NAMES)),
        ),
    ),
    Case(
        53,
        "all three are replaced and refer to each other",
        (
            Given(*trio()),
            sync(),
            *recreate(trio(NEW)),
            Conf(replace=",".join(md5(key) for key in OLD)),
            sync(),
            Expect(BOTH, *trio(NEW)),
            Names(BOTH, *NAMES),
        ),
    ),
    Case(
        54,
        "a replaced kernel is referred to by the machine image that stays",
        (
            Given(*trio()),
            sync(),
            *recreate(NEW_KERNEL),
            Conf(replace="any"),
            sync(),
            Same("ramdisk"),
            Same("machine"),
            Expect(BOTH, *trio(("01b", "02", "03"))),
            Names(BOTH, *NAMES),
        ),
    ),
    Case(
        55,
        "a renamed trio refers to itself, and so does the new one",
        (
            Given(*trio()),
            sync(),
            *recreate(trio(NEW)),
            Conf(rename=",".join(md5(key) for key in OLD)),
            sync(),
            Expect(BOTH, *trio(NEW), *trio(OLD, ".old", public=False)),
            Names(BOTH, *NAMES, *(f"{name}.old" for name in NAMES)),
        ),
    ),
    Case(
        56,
        "a renamed ramdisk is no longer referred to",
        (
            Given(*trio()),
            sync(),
            *recreate(NEW_RAMDISK),
            Conf(rename="any"),
            sync(),
            Same("kernel"),
            Same("machine"),
            Expect(BOTH, *trio(("01", "02b", "03")), Image("ramdisk.old", "02", public=False, format="ari")),
            Names(BOTH, *NAMES, "ramdisk.old"),
        ),
    ),
)
