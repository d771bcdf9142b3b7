"""Reading requests, writing answers: the pure parts."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from app.api.answers import region_path, utc
from app.api.legacy import legacy_form
from app.api.parsing import places, strict_json
from app.api.problems import Problem
from app.api.region_bodies import RegionBodies, etag, rendered
from app.api.regions import page_of, window
from app.api.requests import global_request_id
from app.api.task_ids import is_task_id
from app.errors import AccessDeniedError, BusyError, NotFoundError, SynclineError, UsageError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_json_is_read_as_it_is(value: object) -> None:
    """Every JSON text is read to what it says."""
    assert strict_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=50))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    """No body makes the reader fail in another way than with 400."""
    with suppress(BadRequest):
        strict_json(data)


def test_faults_name_their_places() -> None:
    """Body faults carry JSON pointers, query faults the parameter."""
    messages = {"json": {"a/b": {0: ["bad"]}, "_schema": ["worse"]}, "query": {"limit": ["no"]}}
    assert list(places(messages)) == [
        {"detail": "bad", "pointer": "#/a~1b/0"},
        {"detail": "worse", "pointer": "#"},
        {"detail": "no", "parameter": "limit"},
    ]


def test_times_are_utc() -> None:
    """Times are ISO 8601 in UTC, to the second."""
    assert utc(None) is None
    zone = timezone(timedelta(hours=2))
    assert utc(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=zone)) == "2026-01-02T01:04:05Z"
    assert utc(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "path"),
    [("Burgos", "/regions/Burgos"), ("f2:Madrid", "/regions/f2:Madrid"), ("a/b ?", "/regions/a%2Fb%20%3F")],
)
def test_region_names_are_safe_in_paths(name: str, path: str) -> None:
    """Colons stay; everything that a path cannot hold is escaped."""
    assert region_path(name) == path


@given(st.lists(st.integers(), unique=True), st.integers(1, 10))
def test_pages_cover_a_list_once(names: list[int], limit: int) -> None:
    """Walking by markers shows every name once, in order, and stops."""
    texts = [str(name) for name in names]
    seen: list[str] = []
    marker: str | None = None
    for _ in range(len(texts) + 1):
        page, marker = window(texts, limit, marker)
        seen += page
        if marker is None:
            break
    assert seen == texts
    assert marker is None


def test_no_limit_is_one_page() -> None:
    """Without a limit everything is one page."""
    assert page_of([1, 2, 3], None) == ([1, 2, 3], None)
    with pytest.raises(UsageError):
        window(["a"], None, "b")


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("req-0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("req-0F8FAD5B-d9cb-469f-a165-70867728950e", False),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", False),
        ("req-0f8fad5b-d9cb-469f-a165-70867728950e\n", False),
        ("", False),
        (None, False),
    ],
)
def test_global_ids_have_one_form(header: str | None, accepted: bool) -> None:
    """Only req-<uuid> is taken for a request id."""
    assert global_request_id(header) == (header if accepted else None)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("f867c264-e5b3-11f1-9204-02fc00000001", True),
        ("x", False),
        ("f867c264-e5b3-11f1-9204-02fc0000000\0", False),
    ],
)
def test_task_ids_have_one_form(text: str, accepted: bool) -> None:
    """Nothing but an id is looked for in the database."""
    assert is_task_id(text) is accepted


class TestBodies:
    """Rendered answers."""

    def test_a_body_is_made_once(self) -> None:
        """The same key costs nothing the second time."""
        made: list[int] = []
        bodies = RegionBodies()
        for _ in range(3):
            assert bodies.get(("a",), lambda: {"n": made.append(1)}) == b'{"n":null}'
        assert len(made) == 1

    @given(st.lists(st.integers(0, 9), max_size=50), st.integers(1, 4))
    def test_their_number_is_bounded(self, keys: list[int], most: int) -> None:
        """However many regions are asked for, so many answers are kept and each is right."""
        bodies = RegionBodies(max_bodies=most)
        for key in keys:
            assert bodies.get((key,), lambda key=key: {"n": key}) == b'{"n":%d}' % key
        assert len(bodies) <= most

    @given(st.lists(st.integers(0, 9), max_size=50))
    def test_their_size_is_bounded(self, keys: list[int]) -> None:
        """Large answers push others out; one that is too large is given and not kept."""
        bodies = RegionBodies(max_bytes=100)
        for key in keys:
            bodies.get((key,), lambda key=key: {"text": "x" * (key * 20)})
        assert bodies._bytes == sum(map(len, bodies._held.values())) <= 100

    def test_tags_differ_as_keys_do(self) -> None:
        """Keys that differ anywhere have different tags."""
        keys = [("a", 1), ("a", 2), ("a", "1"), ("b", 1), ("a", 1, None), ("a", (1,))]
        assert len({etag(key) for key in keys}) == len(keys)

    def test_members_keep_their_order(self) -> None:
        """JSON has the members in the order they were given, and any text."""
        assert rendered({"z": 1, "a": "ñ"}) == '{"z":1,"a":"ñ"}'.encode()


class TestProblems:
    """Errors as bodies."""

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "Bad request"),
            (401, "The request you have made requires authentication."),
            (403, "Forbidden"),
            (404, "Item not found: "),
            (405, "Bad method"),
            (409, "Conflict"),
            (500, "Unhandled exception"),
            (503, "Service Unavailable"),
        ],
    )
    def test_messages_are_those_of_the_original(self, status: int, message: str) -> None:
        """The table of messages, and usual phrases for what the original answered as HTML."""
        error = Problem(status, "code", "text").body("/", "req-1")["error"]
        assert (error["message"], error["code"]) == (message, status)
        assert ("title" in error) is (status == 401)
        assert ("description" in error) is (status != 500)

    @pytest.mark.parametrize(
        ("error", "method", "status", "message"),
        [
            (AccessDeniedError("User hasn't defined roles"), "GET", 400, "User hasn't defined roles"),
            (AccessDeniedError("sync:post is not allowed"), "GET", 400, "Role is not admin"),
            (BusyError("gone wrong"), "DELETE", 400, "gone wrong"),
            (BusyError("gone wrong"), "POST", 400, None),
        ],
    )
    def test_the_originals_form(
        self, error: SynclineError, method: str, status: int, message: str | None
    ) -> None:
        """Where the original put its own words into the message, the legacy form does."""
        form = legacy_form(error, method)
        assert form is not None
        assert (form.status, form.message) == (status, message)

    def test_most_errors_have_no_form_of_their_own(self) -> None:
        """What the original answered alike is left as it is."""
        assert legacy_form(NotFoundError("x"), "GET") is None
