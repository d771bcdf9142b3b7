"""All images of a region, page by page, and an end to listings that have none (spec 14.1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.errors import BadAnswerError

IMAGES_PATH = "/v2/images"
PAGE_IMAGES = 500
MAX_PAGES = 4000
"""Per query; servers may cap a page at 25 images, so this still allows 100,000 of them."""

Record = Mapping[str, object]
Fetch = Callable[[str], object]
"""Returns the parsed answer to a path with query, or None if the server does not know the query."""

_COMMON = {"sort": "created_at:asc,id:asc", "member_status": "all", "limit": str(PAGE_IMAGES)}
_HIDDEN = {"os_hidden": "true"}
_EVERYTHING = {"visibility": "all"}
_COMMUNITY = {"visibility": "community"}


def records(fetch: Fetch) -> Iterator[Record]:
    """Every image once, oldest first: hidden ones and those of any visibility included.

    Servers that do not know ``visibility=all`` are asked for community images separately. Raises
    ``BadAnswerError`` when the listing does not end or is not a listing.
    """
    first = fetch(path_of(_EVERYTHING))
    if first is None:
        queries = [pages(fetch, path_of(q)) for q in ({}, _COMMUNITY, _HIDDEN, _COMMUNITY | _HIDDEN)]
    else:
        hidden = pages(fetch, path_of(_EVERYTHING | _HIDDEN))
        queries = [pages(fetch, path_of(_EVERYTHING), first), hidden]
    seen: set[object] = set()
    for record in heapq.merge(*queries, key=_age):
        if record.get("id") not in seen:
            seen.add(record.get("id"))
            yield record


def path_of(query: Mapping[str, str]) -> str:
    """Path and query of the first page."""
    return f"{IMAGES_PATH}?{urlencode({**_COMMON, **query})}"


def _age(record: Record) -> str:
    return str(record.get("created_at") or "")


def pages(fetch: Fetch, path: str, first: object = None) -> Iterator[Record]:
    """The images of one query over all its pages; ``first`` is the first page if already there."""
    markers: set[str] = set()
    known: set[object] = set()
    page = first if first is not None else fetch(path)
    for _ in range(MAX_PAGES):
        images, following = _content(page)
        fresh = [record for record in images if record.get("id") not in known]
        known.update(record.get("id") for record in fresh)
        yield from fresh
        if following is None:
            return
        marker, path = next_page(following)
        if marker in markers or not fresh:
            raise BadAnswerError("the listing of images does not end: its pages repeat")
        markers.add(marker)
        page = fetch(path)
    raise BadAnswerError(f"the listing of images does not end: more than {MAX_PAGES} pages")


def _content(page: object) -> tuple[list[Record], str | None]:
    images = page.get("images") if isinstance(page, Mapping) else None
    following = page.get("next") if isinstance(page, Mapping) else None
    if not isinstance(images, list) or not all(isinstance(each, Mapping) for each in images):
        raise BadAnswerError("the listing of images holds no list of images")
    if following is not None and not isinstance(following, str):
        raise BadAnswerError("the listing of images has a next link that is no text")
    return images, following


def next_page(link: str) -> tuple[str, str]:
    """Marker and path of the next page.

    Only the query of the link is used: behind a proxy its path is not ours, and a link must not
    lead a token to another host.
    """
    query = parse_qsl(urlsplit(link).query, keep_blank_values=True)
    marker = dict(query).get("marker", "")
    if not marker:
        raise BadAnswerError("the next link of the listing of images has no marker")
    return marker, f"{IMAGES_PATH}?{urlencode(query)}"
