"""Options that are read by nobody, or mean something else than they seem to: warnings, never errors."""

from __future__ import annotations

from difflib import get_close_matches

from app.sync.images.conf.findings import Diagnosis
from app.sync.images.conf.model import SetMode, Target
from app.sync.images.conf.option import DEFAULT, MAIN, Option
from app.sync.images.conf.reader import Document, Entry
from app.sync.images.conf.schema import BY_NAME, find_option

ANY = "any"
_LIKENESS = 0.75


def examine_document(document: Document, diagnosis: Diagnosis) -> None:
    """Look for unknown, misplaced, repeated and deprecated options, and for misleading section names."""
    for entry in document.repeated:
        diagnosis.warn(entry.place, "the option is set again further down, and that counts", "remove one")
    referenced = document.referenced
    for entry in document.entries:
        option = find_option(entry.option)
        if option is not None:
            _examine_entry(entry, option, diagnosis)
        elif entry.option not in referenced:
            diagnosis.warn(entry.place, "unknown option, it has no effect", _suggestion(entry.option))
    for target in document.targets:
        _examine_name(target, document, diagnosis)


def _suggestion(name: str) -> str:
    close = get_close_matches(name, BY_NAME, n=1, cutoff=_LIKENESS)
    return f"did you mean {close[0]}?" if close else "remove it, or see `config sample`"


def _examine_entry(entry: Entry, option: Option, diagnosis: Diagnosis) -> None:
    place = entry.place
    if entry.section not in (DEFAULT, MAIN) and option.section == MAIN:
        diagnosis.warn(place, "the option has no effect in a target", "move it to [main]")
    elif entry.section == MAIN and option.section != MAIN:
        diagnosis.warn(place, "the option has no effect in [main]", "move it to a target or to [DEFAULT]")
    elif option.name == "use_keystone_v3":
        diagnosis.warn(place, "deprecated, the identity API is always version 3", "remove it")
    elif option.is_secret and ("%%" in entry.value or "%(" in entry.value):
        diagnosis.warn(place, "percent signs are taken literally here", "do not double them")


def _examine_name(target: str, document: Document, diagnosis: Diagnosis) -> None:
    word = target.strip()
    meant = {MAIN: MAIN, DEFAULT.lower(): DEFAULT}.get(word.lower())
    place = document.section_place(target)
    if meant is not None:
        diagnosis.warn(place, "the section is read as a target", f"write [{meant}] if it is none")
    elif ":" in target or word != target:
        diagnosis.warn(
            place,
            "no region of the target can be named on the command line",
            "choose a name without colons and blanks at its ends",
        )


def examine_target(target: Target, document: Document, diagnosis: Diagnosis, *, has_images: bool) -> None:
    """Look for options of a target that cannot work together.

    Args:
        has_images: ``images_dir`` is set.

    """
    for name, message, remedy in _contradictions(target, has_images=has_images):
        entry = document.entry(target.name, name)
        place = entry.place if entry else document.section_place(target.name)
        diagnosis.warn(place, message, remedy)


def _contradictions(target: Target, *, has_images: bool) -> list[tuple[str, str, str]]:
    policy = target.policy
    found = []
    if target.tls.insecure:
        text = f"CERTIFICATES OF TARGET {target.name} ARE NOT VERIFIED, anybody can pose as its servers"
        found.append(("insecure", text, "set cacert to the authority's certificate instead"))
    if "web-download" in target.transport and not target.web_download_uri:
        found.append(("transport", "web-download needs web_download_uri", "set it in the same section"))
    if target.web_download_uri and "{id}" not in target.web_download_uri:
        found.append(("web_download_uri", "every image has the same address", "put {id} into it"))
    if "local-file" in target.transport and not has_images:
        found.append(("transport", "local-file needs images_dir", "set it in [main]"))
    if policy.members_mode is not SetMode.OFF and not policy.project_map:
        found.append(("members_mode", "without project_map no member is followed", "set project_map"))
    found.extend(
        (name, "only the lower-case word any stands for every checksum", "write any")
        for name, sums in (("replace", policy.replace), ("rename", policy.rename))
        if any(item.lower() == ANY and item != ANY for item in sums)
    )
    return found
