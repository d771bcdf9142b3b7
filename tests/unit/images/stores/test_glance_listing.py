"""A listing is complete, in order, without repetition, and ends."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadAnswerError
from app.sync.images.stores.glance import listing
from app.sync.images.stores.glance.listing import next_page, pages, path_of, records

Image = dict[str, Any]


class Server:
    """Lists images the way Glance does: filters, marker, a page size of its own."""

    def __init__(self, images: list[Image], page: int = 3, knows_all: bool = True) -> None:
        self._images = sorted(images, key=lambda each: (each["created_at"], each["id"]))
        self._page = page
        self._knows_all = knows_all
        self.asked: list[str] = []

    def __call__(self, path: str) -> object:
        """The answer to one request."""
        self.asked.append(path)
        query = {key: value[0] for key, value in parse_qs(urlsplit(path).query).items()}
        if query.get("visibility") == "all" and not self._knows_all:
            return None
        wanted = [each for each in self._images if self._matches(each, query)]
        if "marker" in query:
            ids = [each["id"] for each in wanted]
            wanted = wanted[ids.index(query["marker"]) + 1 :]
        found, more = wanted[: self._page], len(wanted) > self._page
        answer: dict[str, object] = {"images": found}
        if more:
            answer["next"] = f"/glance{path.partition('&marker')[0]}&marker={found[-1]['id']}"
        return answer

    @staticmethod
    def _matches(image: Image, query: dict[str, str]) -> bool:
        if image["os_hidden"] != (query.get("os_hidden") == "true"):
            return False
        if "visibility" not in query:
            return bool(image["visibility"] != "community")
        return query["visibility"] in ("all", image["visibility"])


images = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids().map(str),
            "created_at": st.sampled_from([f"2026-01-0{day}T00:00:00Z" for day in range(1, 6)]),
            "os_hidden": st.booleans(),
            "visibility": st.sampled_from(["public", "private", "shared", "community"]),
        }
    ),
    max_size=20,
    unique_by=lambda each: each["id"],
)


@given(images, st.integers(1, 5), st.booleans())
def test_every_image_is_listed_once_oldest_first(found: list[Image], page: int, knows_all: bool) -> None:
    """Hidden and community images are there too, on old and new servers, whatever the page size."""
    listed = list(records(Server(found, page, knows_all)))
    assert sorted(each["id"] for each in listed) == sorted(each["id"] for each in found)
    ages = [each["created_at"] for each in listed]
    assert ages == sorted(ages)


def image(number: int) -> Image:
    """A plain image."""
    return {"id": f"i{number}", "created_at": "2026", "os_hidden": False, "visibility": "public"}


def test_region_without_changes_costs_listing_pages_only() -> None:
    """Ten images in pages of three: four pages, and one to learn that nothing is hidden."""
    server = Server([image(number) for number in range(10)])
    assert len(list(records(server))) == 10
    assert len(server.asked) == 5
    assert all("sort=created_at%3Aasc%2Cid%3Aasc" in path for path in server.asked)


def test_image_that_moves_between_pages_is_listed_once() -> None:
    """An image that becomes hidden during the listing is not listed twice."""
    twice = {**image(1), "os_hidden": True}
    answers = iter([{"images": [image(1), image(2)]}, {"images": [twice]}])
    assert [each["id"] for each in records(lambda _: next(answers))] == ["i1", "i2"]


def test_repeated_page_ends_with_an_error() -> None:
    """A next link that leads back is not followed for ever."""
    with pytest.raises(BadAnswerError, match="does not end"):
        list(pages(lambda _: {"images": [image(1)], "next": "/v2/images?marker=i1"}, "x"))


def test_ever_new_markers_without_new_images_end_with_an_error() -> None:
    """Pages that bring nothing new are not asked for without end."""
    count = iter(range(10_000))
    with pytest.raises(BadAnswerError, match="repeat"):
        list(pages(lambda _: {"images": [image(1)], "next": f"/v2/images?marker={next(count)}"}, "x"))
    assert next(count) < 5


def test_ever_new_images_end_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a server that invents images without end is left after a bounded number of pages."""
    monkeypatch.setattr(listing, "MAX_PAGES", 50)
    count = iter(range(10_000))

    def fetch(_: str) -> object:
        number = next(count)
        return {"images": [image(number)], "next": f"/v2/images?marker=i{number}"}

    with pytest.raises(BadAnswerError, match="more than 50 pages"):
        list(pages(fetch, "x"))


@pytest.mark.parametrize(
    "page",
    [
        [],
        {},
        "x",
        {"images": None},
        {"images": [1]},
        {"images": {}},
        {"images": [], "next": 5},
        {"images": [image(1)], "next": "/v2/images"},
        {"images": [image(1)], "next": "/v2/images?marker="},
    ],
)
def test_what_is_no_listing_is_refused(page: object) -> None:
    """An answer that is JSON but no listing is a clear error."""
    with pytest.raises(BadAnswerError):
        list(records(lambda _: page))


@pytest.mark.parametrize(
    "link",
    [
        "/v2/images?limit=5&marker=abc&os_hidden=true",
        "https://evil.example/v2/images?limit=5&marker=abc&os_hidden=true",
        "//evil.example/?limit=5&marker=abc&os_hidden=true",
        "/image/v2/images?limit=5&marker=abc&os_hidden=true#x",
    ],
)
def test_next_link_keeps_filters_and_stays_on_the_server(link: str) -> None:
    """A next link cannot lead the token to another host."""
    assert next_page(link) == ("abc", "/v2/images?limit=5&marker=abc&os_hidden=true")


def test_first_page_asks_for_all() -> None:
    """Pending shares and all visibilities are asked for, hidden images separately (spec 14.1)."""
    query = parse_qs(urlsplit(path_of({"os_hidden": "true"})).query)
    assert query["member_status"] == ["all"]
    assert query["os_hidden"] == ["true"]
