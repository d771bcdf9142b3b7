"""Glance's interoperable import: what is offered, asked and answered (spec 14.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.errors import BadAnswerError
from app.sync.images.stores.glance.failures import one_line

ALL_STORES = "all"
_FAILED_STORES = "os_glance_failed_import"
_UNDER_WAY = ("pending", "processing")


def offered_methods(answer: object) -> frozenset[str]:
    """Method names in the answer of the import discovery; ``BadAnswerError`` if it has another form."""
    methods = answer.get("import-methods") if isinstance(answer, Mapping) else None
    values = methods.get("value") if isinstance(methods, Mapping) else None
    if not isinstance(values, list):
        raise BadAnswerError("the import discovery names no methods")
    return frozenset(str(each) for each in values)


def import_request(
    method: Mapping[str, str], stores: Iterable[str], all_must_succeed: bool
) -> dict[str, object]:
    """The body that starts an import into ``stores``: named ones, every one (``all``), or the default."""
    body: dict[str, object] = {"method": dict(method)}
    wanted = sorted(set(stores))
    if ALL_STORES in wanted:
        body["all_stores"] = True
    elif wanted:
        body["stores"] = wanted
    if wanted:
        body["all_stores_must_succeed"] = all_must_succeed
    return body


def failed_import(record: object, tasks: object) -> str | None:
    """Why the newest import of an image failed, in the server's words; None if it did not.

    Args:
        record: the image's record.
        tasks: answer about the image's tasks, None where the server keeps none.

    """
    listed = tasks.get("tasks") if isinstance(tasks, Mapping) else None
    known = [each for each in listed or [] if isinstance(each, Mapping)]
    newest = max(known, key=lambda each: str(each.get("created_at") or ""), default=None)
    status = newest.get("status") if newest is not None else None
    if newest is not None and status == "failure":
        return one_line(str(newest.get("message") or "")) or "the import failed without a message"
    if status in _UNDER_WAY:
        return None  # what the record says of failed stores is about an earlier import
    stores = record.get(_FAILED_STORES) if isinstance(record, Mapping) else None
    return f"the import failed for {one_line(str(stores))}" if stores else None
