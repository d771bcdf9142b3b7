"""Numbers 8 to 29: what the command line takes and prints."""

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
    Logs,
    Names,
    Nothing,
    Recreate,
    Run,
    Says,
    SaysNot,
    Status,
    Step,
    original,
)
from tests.lab.acceptance.world import md5

ONE = Image()
PRIVATE = Image(public=False)
TAGGED = Image(props={"nid": "10", "sdc_aware": "yes"})
FULL = Image(props={"nid": "10", "type": "base", "sdc_aware": "yes"})
CHANGED = ONE.but(content="01b")
NOT_PUBLIC = "metadata_condition=not image.is_public"
PUBLIC = "metadata_condition=image.is_public"
CONFLICT = f"Image qatesting01 has a different checksum ({md5('01')}) in region {{R}}"
LISTS = ("replace", "rename", "dontupdate")
UNRELATED = "00000000000000000000000000000000"

CONFIGURATION = (
    *(
        Case(
            8,
            "a condition given on the command line selects private images",
            (Given(PRIVATE), original("--config", f"{prefix}{NOT_PUBLIC}"), Expect(BOTH, PRIVATE)),
            name,
        )
        for name, prefix in (("bare", ""), ("default", "DEFAULT."))
    ),
    Case(
        9,
        "a region can be left out on the command line",
        (
            Given(PRIVATE),
            original("--config", NOT_PUBLIC, "master.ignore_regions=Caceres"),
            Expect(BURGOS, PRIVATE),
            Names(CACERES),
        ),
    ),
    Case(
        10,
        "a condition given on the command line keeps private images out",
        (Given(PRIVATE), original("--config", PUBLIC), Nothing(), Names(BOTH)),
    ),
    Case(
        11,
        "the command line can blank the file's condition and set the list of properties",
        (
            Given(ONE),
            Conf(metadata_condition="image.is_public"),
            original("--config", "master.metadata_condition=", "master.metadata_set=nid,sdc_aware"),
            Nothing(),
        ),
    ),
    Case(
        12,
        "condition and list of properties can both come from the command line",
        (
            Given(TAGGED),
            original("--config", f"master.{PUBLIC}", "master.metadata_set=nid,sdc_aware"),
            Expect(BOTH, TAGGED),
        ),
    ),
)

PENDING = (Says("{R}: Pending: qatesting01 (", "{R}: MBs pending : 0"), Names(BOTH))
DRY_RUN = (
    Case(13, "a dry run tells and does not do", (Given(ONE), original("--dry-run"), *PENDING)),
    Case(
        14,
        "also with a condition and a list of properties",
        (
            Given(FULL),
            Conf(metadata_condition="image.is_public", metadata_set="nid,type,sdc_aware"),
            original("--dry-run"),
            *PENDING,
        ),
    ),
)

OPTIONS = (
    "--parallel",
    "--config",
    "--dry-run",
    "--show-status",
    "--show-regions",
    "--make-backup",
    "usage:",
    "region",
)
HELP = tuple(
    Case(15, "help explains every option", (original(option), Says(*OPTIONS, at=BURGOS)), option.strip("-"))
    for option in ("-h", "--help")
)

FINISHED = Says("Region {R} has finished", "All is done.")
PARALLEL_CONF = Conf(metadata_condition="image.is_public", metadata_set="nid,type,sdc_aware")
PARALLEL = (
    *(
        Case(
            number,
            "regions are synchronised side by side, each with a log of its own",
            (
                Given(FULL),
                PARALLEL_CONF,
                Conf("main", max_children=children),
                original("--parallel"),
                FINISHED,
                Logs(("{R}: Uploading image qatesting01 (", "{R}: Image uploaded.")),
                Expect(BOTH, FULL),
            ),
        )
        for number, children in ((16, 1), (17, 3))
    ),
    *(
        Case(
            18,
            "a conflict without rule is warned of in the logs",
            (
                Given(ONE, at=BOTH),
                Given(CHANGED),
                Conf(**{option: UNRELATED}),
                original("--parallel", code=3),
                Logs((CONFLICT,)),
                Nothing(),
            ),
            option,
        )
        for option in LISTS
    ),
    Case(
        19,
        "replacing one image and renaming another in one parallel run",
        (
            Given(ONE, Image("qatesting02", "02"), at=BOTH),
            Given(CHANGED, Image("qatesting02", "02b")),
            Conf(replace=md5("01"), rename=md5("02")),
            original("--parallel"),
            Logs(("{R}: Replacing image qatesting01 (", "{R}: Renaming and replacing image qatesting02 (")),
            Expect(
                BOTH,
                CHANGED,
                Image("qatesting02", "02b"),
                Image("qatesting02.old", "02", public=False),
            ),
            Names(BOTH, "qatesting01", "qatesting02", "qatesting02.old"),
        ),
    ),
)

REGIONS = (
    *(
        Case(
            20,
            "every destination is listed",
            (run, Says("Burgos", "Caceres", "federation2:Madrid", at=BURGOS)),
            name,
        )
        for name, run in (("original", original("--show-regions")), ("product", Run("run.py", "regions")))
    ),
    Case(
        21,
        "the list is one line",
        (
            original("--show-regions"),
            Says("Burgos Caceres federation2:Madrid\n", at=BURGOS),
            SaysNot("Valladolid"),
        ),
    ),
)


def status_after_change(option: str, status: str) -> Case:
    """26: content and metadata have changed and a rule names the old checksum."""
    old = Image(props={"nid": "1"})
    steps: tuple[Step, ...] = (
        Given(old),
        Conf(metadata_set="nid"),
        original(),
        Recreate(old.but(content="01b", props={"nid": "2"})),
        Conf(**{option: md5("01")}),
        Status(f"{status} qatesting01"),
    )
    return Case(26, "the status tells which rule will be followed", steps, option)


KERNEL = Image("kernel", "01", format="aki")
RAMDISK = Image("ramdisk", "02", format="ari")
MACHINE = Image("machine", "03", kernel="kernel", format="ami")
SHOW_STATUS = (
    *(
        Case(
            22,
            "a new image is waiting everywhere",
            (Given(ONE), Status("pending_upload qatesting01", original=program == "original")),
            program,
        )
        for program in ("original", "product")
    ),
    Case(23, "a synchronised image is in order", (Given(ONE), original(), Status("ok qatesting01"))),
    Case(
        24,
        "each region has a status of its own",
        (
            Given(ONE),
            original("Burgos"),
            Status(burgos=("ok qatesting01",), caceres=("pending_upload qatesting01",)),
        ),
    ),
    Case(
        25,
        "changed content without rule is an error",
        (Given(ONE), original(), Recreate(CHANGED), Status("error_checksum qatesting01")),
    ),
    status_after_change("replace", "pending_replace"),
    status_after_change("rename", "pending_rename"),
    status_after_change("dontupdate", "ok_stalled_checksum"),
    Case(
        27,
        "changed properties are waiting to be written",
        (
            Given(FULL),
            Conf(metadata_set="nid,type,sdc_aware"),
            original(),
            Edit("qatesting01", nid="11", type="other"),
            Status("pending_metadata qatesting01"),
        ),
    ),
    Case(
        28,
        "a machine image waits for its new ramdisk",
        (
            Given(KERNEL, MACHINE),
            original(),
            Given(RAMDISK),
            Edit("machine", ramdisk="ramdisk"),
            Status("ok kernel", "pending_upload ramdisk", "pending_ami machine"),
        ),
    ),
    Case(
        29,
        "a machine image whose parts are not wanted in the region is an error",
        (
            Given(Image("machine", "03", props={"type": "m"}, format="ami")),
            Conf(metadata_set="type"),
            original(),
            Given(KERNEL, RAMDISK),
            Edit("machine", kernel="kernel", ramdisk="ramdisk"),
            Status("error_ami machine"),
        ),
    ),
)

CASES = (*CONFIGURATION, *DRY_RUN, *HELP, *PARALLEL, *REGIONS, *SHOW_STATUS)
