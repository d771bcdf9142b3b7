"""Every option of ``glancesync.conf``, once (spec images 2.3, 2.4, 14).

The reader, the warnings about unknown options, the defaults and the sample file all come from ``OPTIONS``.
"""

from __future__ import annotations

from app.sync.images.conf.model import ObsoleteMode, SetMode, SignaturePolicy, VisibilityMode
from app.sync.images.conf.option import OVERRIDE_PREFIX, Kind, Option, Record, group
from app.sync.images.conf.schema_credentials import CREDENTIAL_OPTIONS

TRANSPORTS = ("auto", "local-file", "glance-download", "web-download", "stream", "glance-direct")
INTERFACES = ("public", "internal", "admin")


_MAIN = group(
    "",
    Option(
        "master_region",
        Kind.TEXT,
        Record.SETTINGS,
        "The region of target master whose images are the reference.",
        env=("OS_REGION_NAME",),
    ),
    Option(
        "preferable_order",
        Kind.LIST,
        Record.SETTINGS,
        "Regions to work on first, by full name (Burgos, other:Madrid); the others follow.",
    ),
    Option(
        "max_children",
        Kind.INTEGER,
        Record.SETTINGS,
        "How many regions are synchronised at once with --parallel.",
        default="1",
        minimum=1,
    ),
    Option(
        "images_dir",
        Kind.PATH,
        Record.SETTINGS,
        "Directory that holds master image files named by image id; transport local-file reads it.",
        remark="Formerly /var/lib/glance/images was always used; now nothing is read unless it is set.",
    ),
)

_SELECTION = group(
    "What we want there",
    Option(
        "forcesyncs",
        Kind.SET,
        Record.POLICY,
        "Ids of master images that are wanted whatever the other rules say.",
    ),
    Option(
        "metadata_condition",
        Kind.CONDITION,
        Record.POLICY,
        "Wanted are the images for which this is true, e.g. image.is_public and "
        "'nid' in image.user_properties. Blank: not set, also where [DEFAULT] sets it.",
        field="condition",
    ),
    Option(
        "metadata_set",
        Kind.SET,
        Record.POLICY,
        "Properties that are compared and copied; without a condition, also the ones of which a public "
        "image must have at least one. Empty: every property, every public image.",
    ),
    Option(
        "ignore_regions",
        Kind.SET,
        Record.TARGET,
        "Regions, without target prefix, that are left out unless they are named on the command line.",
    ),
    Option(
        "only_tenant_images",
        Kind.BOOLEAN,
        Record.POLICY,
        "Leave images of other projects out of account.",
        default="yes",
    ),
    Option(
        "modify_foreign",
        Kind.BOOLEAN,
        Record.POLICY,
        "Allow changing and deleting images of other projects (with only_tenant_images = no).",
        default="no",
        remark="Formerly implied by only_tenant_images = False.",
    ),
    Option(
        "stores",
        Kind.SET,
        Record.POLICY,
        "Glance stores that must hold each image, or all. Empty: the server's default store.",
    ),
    Option(
        "all_stores_must_succeed",
        Kind.BOOLEAN,
        Record.TARGET,
        "An import fails if one of the stores fails.",
        default="yes",
    ),
)

_CONFLICTS = group(
    "Other content under the same name (checksums of the region's image: MD5 or algorithm:hex)",
    Option("dontupdate", Kind.SET, Record.POLICY, "Keep the region's image."),
    Option(
        "replace",
        Kind.SET,
        Record.POLICY,
        "Upload the master's image, then delete the old one. The word any stands for every checksum.",
    ),
    Option(
        "rename",
        Kind.SET,
        Record.POLICY,
        "Upload the master's image and keep the old one, private, as <name>.old. The word any stands for "
        "every checksum.",
    ),
)

_METADATA = group(
    "How metadata follow",
    Option(
        "sync_visibility",
        Kind.CHOICE,
        Record.POLICY,
        "public_only: public or not; exact: public, community, shared or private as on the master.",
        default=VisibilityMode.PUBLIC_ONLY.value,
        choices=tuple(VisibilityMode),
    ),
    Option("sync_hidden", Kind.BOOLEAN, Record.POLICY, "Copy os_hidden.", default="no"),
    Option("sync_protected", Kind.BOOLEAN, Record.POLICY, "Copy protected.", default="no"),
    Option(
        "unprotect",
        Kind.BOOLEAN,
        Record.POLICY,
        "Take the protection off an image that has to be deleted; otherwise it is renamed.",
        default="no",
    ),
    Option(
        "sync_deactivation",
        Kind.BOOLEAN,
        Record.POLICY,
        "Deactivate the copies of an image that is deactivated on the master.",
        default="no",
    ),
    Option(
        "tags_mode",
        Kind.CHOICE,
        Record.POLICY,
        "off; merge adds the master's tags; exact also removes others.",
        default=SetMode.OFF.value,
        choices=tuple(SetMode),
    ),
    Option(
        "members_mode",
        Kind.CHOICE,
        Record.POLICY,
        "The same for the projects that an image is shared with; needs project_map.",
        default=SetMode.OFF.value,
        choices=tuple(SetMode),
    ),
    Option(
        "project_map", Kind.MAP, Record.POLICY, "Project id of the master to project id here, for members."
    ),
    Option(
        "certificate_map",
        Kind.MAP,
        Record.POLICY,
        "Certificate id of the master's key manager to the one here, for signed images.",
    ),
    Option(
        "signature_policy",
        Kind.CHOICE,
        Record.POLICY,
        "Signed image without an entry in certificate_map: drop copies it unsigned, require is an error.",
        default=SignaturePolicy.DROP.value,
        choices=tuple(SignaturePolicy),
    ),
    Option(
        "ignored_properties",
        Kind.LIST,
        Record.POLICY,
        "Further properties that are never compared nor copied; * and ? are wildcards.",
    ),
    Option(
        "provenance_properties",
        Kind.BOOLEAN,
        Record.POLICY,
        "Leave the master's hash as a property on the copies, for regions whose Glance converts data.",
        default="no",
    ),
    Option(
        "support_obsolete_images",
        Kind.BOOLEAN,
        Record.POLICY,
        "Follow master images that were renamed to <name>_obsolete.",
        default="yes",
    ),
    Option(
        "obsolete_syncprops",
        Kind.SET,
        Record.POLICY,
        "Properties that obsolete images still take over, beside metadata_set.",
    ),
    Option(
        "obsolete_mode",
        Kind.CHOICE,
        Record.POLICY,
        "Mark obsolete images by name, by os_hidden, or both.",
        default=ObsoleteMode.RENAME.value,
        choices=tuple(ObsoleteMode),
    ),
)

_TRANSFER = group(
    "How we go about it",
    Option(
        "transport",
        Kind.LIST,
        Record.TARGET,
        "Ways for image data, tried in this order. auto: whatever both ends offer, cheapest first.",
        default="auto",
        choices=TRANSPORTS,
    ),
    Option(
        "web_download_uri",
        Kind.URL,
        Record.TARGET,
        "Where the region's Glance can fetch an image for web-download; {id} becomes the master image's id.",
    ),
    Option(
        "interface",
        Kind.CHOICE,
        Record.TARGET,
        "Which endpoints of the catalogue to use.",
        default="public",
        choices=INTERFACES,
        env=("OS_INTERFACE",),
        remark="Formerly the first one listed.",
    ),
    Option(
        f"{OVERRIDE_PREFIX}<region>",
        Kind.URL,
        Record.TARGET,
        "Glance of that region, in place of the catalogue's. The region's name keeps its case.",
        field="endpoint_override",
    ),
    Option(
        "retries",
        Kind.INTEGER,
        Record.TARGET,
        "How often a failed call or transfer is tried again.",
        default="3",
    ),
    *(
        Option(name, Kind.SECONDS, Record.TARGET, text, default, f"{name}_seconds", minimum=1)
        for name, default, text in (
            ("list_images_timeout", "30", "Longest time for the whole listing of a region."),
            ("connect_timeout", "10", "Longest wait for a connection."),
            ("read_timeout", "60", "Longest wait for an answer."),
            ("stall_timeout", "120", "A transfer without a single byte for so long has failed."),
            ("import_timeout", "3600", "Longest wait for a server-side import."),
        )
    ),
    Option(
        "cacert",
        Kind.PATH,
        Record.TLS,
        "File with the certificates of the authorities to trust, in place of the system's.",
        env=("OS_CACERT",),
    ),
    Option("cert", Kind.PATH, Record.TLS, "Client certificate.", env=("OS_CERT",)),
    Option("key", Kind.PATH, Record.TLS, "Key of the client certificate.", env=("OS_KEY",)),
    Option(
        "insecure",
        Kind.BOOLEAN,
        Record.TLS,
        "Do not verify certificates. Anybody on the way can then read the password.",
        default="no",
    ),
)

OPTIONS: tuple[Option, ...] = (
    *_MAIN,
    *CREDENTIAL_OPTIONS,
    *_SELECTION,
    *_CONFLICTS,
    *_METADATA,
    *_TRANSFER,
)
BY_NAME = {option.name: option for option in OPTIONS}


def find_option(name: str) -> Option | None:
    """The option of a (normalised) name; all ``endpoint_override.X`` are one option."""
    if name.startswith(OVERRIDE_PREFIX):
        return BY_NAME[f"{OVERRIDE_PREFIX}<region>"]
    return BY_NAME.get(name)
