"""Requests to the service: bounded in bytes and seconds, every failure one of ``syncline_client.errors``."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from keystoneauth1 import exceptions as keystone
from keystoneauth1.adapter import Adapter

from syncline_client.errors import (
    AnswerError,
    EndpointError,
    Refusal,
    SyncClientError,
    TimedOutError,
    UnreachableError,
    read_refusal,
    status_error,
)

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.3
PIECE_BYTES = 64 * 1024
REFUSAL_BYTES = 64 * 1024
NO_CONTENT = 204
NOT_MODIFIED = 304
_REFUSED_FROM = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """The client's patience.

    Attributes:
        answer_seconds: for one whole answer, a stream of events excepted.
        silence_seconds: without a byte on a stream of events; the service sends a sign of life more often.
        answer_bytes: of one answer; 1,000 images are about 300 kB.
        connect_retries: how often a broken connection is tried again where that is safe.

    """

    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    silence_seconds: float = 60.0
    answer_bytes: int = 64 * 1024 * 1024
    connect_retries: int = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its status, the decoded JSON (None if there is no body) and the ETag if it has one."""

    status: int
    body: Any
    etag: str | None = None


class NoStreamError(AnswerError):
    """The service answered with something else than a stream of events."""


class Transport:
    """Speaks HTTP with the service through a keystoneauth adapter.

    Args:
        sleep: pauses between attempts, in seconds.

    """

    def __init__(self, adapter: Adapter, limits: Limits, sleep: Callable[[float], None] = time.sleep) -> None:
        self._adapter = adapter
        self._sleep = sleep
        self.limits = limits

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request and its whole answer; a broken connection is tried again where that is safe.

        Raises:
            SyncClientError: see the tree in ``syncline_client.errors``.

        """
        sent = {"Accept": "application/json", **(headers or {})}
        details: dict[str, Any] = {"params": dict(query)} if query else {}
        if content is not None:
            details["json"] = dict(content)
        is_safe = method == "GET" or "Idempotency-Key" in sent
        for attempt in range(self.limits.connect_retries if is_safe else 0):
            try:
                return self._ask_once(method, path, sent, details)
            except UnreachableError as error:
                log.info("%s %s: %s; trying again", method, path, error)
                self._sleep(RETRY_SECONDS * 2**attempt)
        return self._ask_once(method, path, sent, details)

    def _ask_once(
        self, method: str, path: str, headers: Mapping[str, str], details: Mapping[str, Any]
    ) -> Answer:
        deadline = time.monotonic() + self.limits.answer_seconds
        with self._opened(method, path, headers, self.limits.answer_seconds, details) as response:
            body = None
            if response.status_code != NOT_MODIFIED:
                body = _json(_content(response, self.limits.answer_bytes, deadline))
            return Answer(response.status_code, body, response.headers.get("ETag"))

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], silence_seconds: float
    ) -> Iterator[Iterator[bytes]]:
        """A stream of events in pieces as they come, once: who wants to go on opens another one.

        Raises:
            NoStreamError: the answer is none.
            SyncClientError: see the tree in ``syncline_client.errors``.

        """
        sent = {"Accept": "text/event-stream", **headers}
        with self._opened("GET", path, sent, silence_seconds, {}) as response:
            if response.status_code == NO_CONTENT:
                # Everything has been told: as good as a stream that ends at once.
                yield iter(())
                return
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise NoStreamError(f"the service answered with {kind or 'nothing'}, not with events")
            yield _arriving(response)

    @contextmanager
    def _opened(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        seconds: float,
        details: Mapping[str, Any],
    ) -> Iterator[requests.Response]:
        """An answer whose status is good and whose body has not been read; closed at the end."""
        with _explained():
            response = self._adapter.request(
                path,
                method,
                headers=dict(headers),
                stream=True,
                # A redirect would carry the token to whatever address the answer names.
                redirect=False,
                raise_exc=False,
                # keystoneauth would read the whole body, however large, to log it.
                log=False,
                timeout=(min(self.limits.connect_seconds, seconds), seconds),
                **details,
            )
            try:
                request_id = response.headers.get("X-Openstack-Request-Id", "-")
                log.debug("%s %s: %s %s", method, path, response.status_code, request_id)
                if response.status_code >= _REFUSED_FROM and response.status_code != NOT_MODIFIED:
                    raise status_error(_refusal(response, seconds))
                yield response
            finally:
                response.close()


def _json(content: bytes) -> object:
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise AnswerError("the answer is not JSON; does the address lead to Syncline?") from error


def _content(response: requests.Response, limit_bytes: int, deadline: float) -> bytes:
    pieces, size_bytes = [], 0
    for piece in _arriving(response):
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise AnswerError(f"the answer is larger than {limit_bytes} bytes")
        if time.monotonic() > deadline:
            raise TimedOutError("the answer did not end in time")
        pieces.append(piece)
    return b"".join(pieces)


def _refusal(response: requests.Response, seconds: float) -> Refusal:
    try:
        body = json.loads(_content(response, REFUSAL_BYTES, time.monotonic() + seconds))
    except (AnswerError, ValueError, RecursionError):
        # Not the service's own words, but those of a proxy: the status has to do.
        body = None
    return read_refusal(response.status_code, body, response.headers)


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """Whatever has arrived, at once; ``iter_content`` would wait until a piece is full."""
    while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
        yield piece


@contextmanager
def _explained() -> Iterator[None]:
    """Failures of keystoneauth, requests and urllib3 as errors of this client."""
    try:
        yield
    except (keystone.ClientException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise explain(error) from error


def explain(error: Exception) -> SyncClientError:
    """One of our errors for one of the libraries'."""
    text = " ".join(str(error).split())
    if isinstance(error, keystone.ConnectTimeout | requests.Timeout | urllib3.exceptions.TimeoutError):
        return TimedOutError(f"no answer in time: {text}")
    if isinstance(error, keystone.HttpError):
        return EndpointError(f"Keystone gives no token: {text}")
    if isinstance(error, keystone.ConnectionError | requests.RequestException | urllib3.exceptions.HTTPError):
        return UnreachableError(text)
    return EndpointError(text)
