"""Glance's interoperable import: what is offered, asked for and gone wrong (spec 14.6)."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import BadAnswerError
from app.sync.images.stores.glance.imports import failed_import, import_request, offered_methods


def test_offered_methods_are_read() -> None:
    """Discovery names the methods a region offers."""
    answer = {
        "import-methods": {"description": "x", "type": "array", "value": ["glance-direct", "copy-image"]}
    }
    assert offered_methods(answer) == {"glance-direct", "copy-image"}
    assert offered_methods({"import-methods": {"value": []}}) == frozenset()


@pytest.mark.parametrize("answer", [None, [], {}, {"import-methods": []}, {"import-methods": {"value": "x"}}])
def test_other_discovery_is_refused(answer: object) -> None:
    """What does not look like the discovery is no empty one."""
    with pytest.raises(BadAnswerError):
        offered_methods(answer)


@pytest.mark.parametrize(
    ("stores", "must", "expected"),
    [
        ([], True, {}),
        (["b", "a", "b"], True, {"stores": ["a", "b"], "all_stores_must_succeed": True}),
        (["a"], False, {"stores": ["a"], "all_stores_must_succeed": False}),
        (["all"], True, {"all_stores": True, "all_stores_must_succeed": True}),
        (["all", "a"], False, {"all_stores": True, "all_stores_must_succeed": False}),
    ],
)
def test_import_asks_for_the_stores_of_the_target(
    stores: list[str], must: bool, expected: dict[str, Any]
) -> None:
    """Named stores, all of them, or the region's default."""
    method = {"name": "web-download", "uri": "http://x"}
    assert import_request(method, stores, must) == {"method": method, **expected}


OLD = {"created_at": "2026-01-01T00:00:00.000001", "status": "failure", "message": "old"}
NEW = {"created_at": "2026-01-01T00:00:00.000002", "status": "failure", "message": "no\nroute to\thost"}
FAILED = {"os_glance_failed_import": "fast,slow"}


@pytest.mark.parametrize(
    ("record", "tasks", "reason"),
    [
        pytest.param({}, None, None, id="nothing-known"),
        pytest.param({}, {"tasks": []}, None, id="no-task"),
        pytest.param({}, {"tasks": [NEW, OLD]}, "no route to host", id="newest-counts"),
        pytest.param({}, {"tasks": [OLD, NEW]}, "no route to host", id="in-any-order"),
        pytest.param(FAILED, {"tasks": [OLD, {**NEW, "status": "processing"}]}, None, id="tried-again"),
        pytest.param(FAILED, {"tasks": [OLD, {**NEW, "status": "pending"}]}, None, id="waiting"),
        pytest.param({}, {"tasks": [OLD, {**NEW, "status": "success"}]}, None, id="done"),
        pytest.param(
            FAILED, {"tasks": [{**NEW, "status": "success"}]}, "the import failed for fast,slow", id="in-part"
        ),
        pytest.param(FAILED, None, "the import failed for fast,slow", id="old-server"),
        pytest.param({"os_glance_failed_import": ""}, None, None, id="empty"),
        pytest.param(
            {}, {"tasks": [{**NEW, "message": None}]}, "the import failed without a message", id="wordless"
        ),
        pytest.param({}, {"tasks": "x"}, None, id="strange"),
        pytest.param([], [], None, id="stranger"),
    ],
)
def test_reason_of_the_newest_import(record: object, tasks: object, reason: str | None) -> None:
    """An import under way or done is not blamed for an earlier one's failure."""
    assert failed_import(record, tasks) == reason
