"""The client: one method for each thing that the service's API can do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from keystoneauth1.adapter import Adapter
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from syncline_client import results
from syncline_client.errors import AnswerError, EndpointError, SyncClientError
from syncline_client.events import Event
from syncline_client.following import Follower, Patience
from syncline_client.results import Members, Region, RegionSummary, Task, TaskItem, Version
from syncline_client.transport import Limits, Transport

SERVICE_TYPE = "sync"
PAGE_ITEMS = 500
PAGED = {"limit": str(PAGE_ITEMS)}

Row = TypeVar("Row")


class Client:
    """Speaks with one Syncline. Safe for threads as far as the session is.

    Args:
        endpoint: address of the service; None looks it up in the catalogue (service type ``sync``).
        session: carries the credential, the TLS options and the connections.
        region_name: where in the catalogue; None: the first there is.
        limits: how long and how much is waited for.
        patience: how tasks are followed.

    """

    def __init__(
        self,
        endpoint: str | None,
        session: Session,
        *,
        region_name: str | None = None,
        interface: str = "public",
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
            raise EndpointError(f"{endpoint!r} is not an http or https address")
        adapter = Adapter(
            session,
            service_type=SERVICE_TYPE,
            interface=interface,
            region_name=region_name,
            endpoint_override=endpoint,
            client_name="syncline-client",
        )
        self._patience = patience or Patience()
        self._transport = Transport(adapter, limits or Limits(), self._patience.sleep)

    @classmethod
    def noauth(cls, endpoint: str, *, limits: Limits | None = None, patience: Patience | None = None) -> Self:
        """A client of a service that runs with ``auth_strategy = noauth`` on this machine."""
        return cls(endpoint, Session(auth=NoAuth(endpoint=endpoint)), limits=limits, patience=patience)

    def version(self) -> Version:
        """Which service answers.

        Like every method, raises ``SyncClientError`` (see ``syncline_client.errors``).
        """
        return results.read_version(self._transport.ask("GET", "/").body)

    def regions(self) -> list[RegionSummary]:
        """Every region of every target, with what is known of it."""
        return list(self._listed("/regions", "regions", {}, results.read_summary))

    def region(
        self, name: str, *, image: str | None = None, all: bool = False, refresh: bool = False
    ) -> Region:
        """The images of a region as its last plan saw them.

        Args:
            image: only the images of this name.
            all: also the images that the synchronisation has nothing to do with.
            refresh: have a worker look at the region anew. The answer does not wait for it: it is what
                is known so far, with the id of the task to follow.

        """
        query = {"image": image} if image is not None else {}
        if all:
            query["all"] = "true"
        first = {"refresh": "true"} if refresh else {}
        pages = list(self._pages(_region_path(name), query, first))
        head = Members(pages[0], "a region")
        task = head.inner("task")
        return Region(
            name=name,
            images=tuple(
                results.read_image(entry)
                for page in pages
                for entry in Members(page, "a region").array("images")
            ),
            planned_at=head.time("planned_at"),
            synced_at=head.time("synced_at"),
            error=head.text("error"),
            task_id=task.required("taskId") if task else None,
        )

    def start(
        self,
        region: str,
        *,
        dry_run: bool = False,
        images: Collection[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Start to bring a region in line, or find the task that is at it already.

        Args:
            dry_run: only find out what would be done.
            images: names; None for all.
            idempotency_key: the same request with the same key starts nothing a second time.

        """
        content: dict[str, Any] = {"dry_run": True} if dry_run else {}
        if images is not None:
            content["images"] = list(images)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        path = _region_path(region)
        answer = self._transport.ask("POST", path, content=content or None, headers=headers)
        return results.read_task(answer.body, region)

    def tasks(self, region: str | None = None, status: str | None = None) -> Iterator[Task]:
        """Tasks, newest first; pages are fetched as they are needed.

        Args:
            status: ``syncing``, ``synced`` or ``failed``.

        """
        given = {"region": region, "status": status}
        query = {name: value for name, value in given.items() if value is not None}
        return self._listed("/tasks", "tasks", PAGED | query, results.read_task)

    def task(self, region: str, task_id: str) -> Task:
        """One task as it is now."""
        return results.read_task(self._transport.ask("GET", _task_path(region, task_id)).body, region)

    def items(self, region: str, task_id: str) -> Iterator[TaskItem]:
        """What the task did to each image, in the order of its plan."""
        path = _task_path(region, task_id)
        query = PAGED | {"items": "true"}
        return self._listed(path, "items", query, results.read_task_item, links="items_links")

    def cancel(self, region: str, task_id: str) -> Task:
        """Call a task off; what it has done stays done. ``ConflictError`` if it has ended."""
        answer = self._transport.ask("POST", f"{_task_path(region, task_id)}/cancel")
        return results.read_task(answer.body, region)

    def delete(self, region: str, task_id: str) -> None:
        """Remove a task that has ended from the history. ``SyncClientError`` if it is still syncing."""
        self._transport.ask("DELETE", _task_path(region, task_id))

    def follow(self, region: str, task_id: str, timeout_seconds: float | None = None) -> Iterator[Event]:
        """What happens in a task, from its beginning to its event ``ended``.

        A broken stream is opened again where it broke. While the service has none to spare the task
        is polled: then an event of kind ``task`` stands for each change.

        Raises:
            TimedOutError: the task did not end within the time.

        """
        clock = self._patience.clock
        deadline = clock() + timeout_seconds if timeout_seconds is not None else float("inf")
        return Follower(self._transport, _task_path(region, task_id), self._patience, deadline).events()

    def wait(self, region: str, task_id: str, timeout_seconds: float) -> Task:
        """The task when it has ended.

        Raises:
            TimedOutError: it did not end within the time.

        """
        for event in self.follow(region, task_id, timeout_seconds):
            if event.is_last:
                break
        return self.task(region, task_id)

    def _listed(
        self,
        path: str,
        key: str,
        query: Mapping[str, str],
        read: Callable[[object], Row],
        links: str = "links",
    ) -> Iterator[Row]:
        for page in self._pages(path, query, links=links):
            for entry in Members(page, f"the list of {key}").array(key):
                yield read(entry)

    def _pages(
        self,
        path: str,
        query: Mapping[str, str],
        first: Mapping[str, str] | None = None,
        links: str = "links",
    ) -> Iterator[object]:
        """The pages of a list, by marker; ``first`` is asked with the first of them only."""
        page = self._transport.ask("GET", path, query={**query, **(first or {})}).body
        yield page
        seen: set[str] = set()
        while (marker := next_marker(page, links)) is not None:
            if marker in seen:
                raise AnswerError(f"the list of {path} has no end")
            seen.add(marker)
            page = self._transport.ask("GET", path, query={**query, "marker": marker}).body
            yield page


def next_marker(page: object, links: str = "links") -> str | None:
    """The marker of the next page, from the page's link ``next``; None on the last page.

    The link's address is not used: only its marker counts, so that no answer can lead us elsewhere.

    Raises:
        AnswerError: the page or its links are not of the expected form.

    """
    for link in Members(page, "a page").array(links):
        members = Members(link, "a link")
        if members.text("rel") == "next":
            markers = parse_qs(urlsplit(members.required("href")).query).get("marker")
            if not markers:
                raise AnswerError("the link to the next page has no marker")
            return markers[-1]
    return None


def _region_path(region: str) -> str:
    return f"/regions/{_segment(region, safe=':')}"


def _task_path(region: str, task_id: str) -> str:
    return f"{_region_path(region)}/tasks/{_segment(task_id)}"


def _segment(text: str, safe: str = "") -> str:
    """A name as one segment of a path; those that a path would swallow are refused."""
    if text in ("", ".", ".."):
        raise SyncClientError(f"{text!r} is not the name of a region or task")
    return quote(text, safe=safe)
