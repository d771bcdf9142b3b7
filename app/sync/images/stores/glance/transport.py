"""HTTP below Keystone and Glance: every answer bounded in bytes and seconds, every failure one of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from keystoneauth1.session import TCPKeepAliveAdapter

from app.errors import BadAnswerError, RemoteError, RemoteTimeoutError, UnreachableError
from app.sync.images.conf.model import Target
from app.sync.images.stores.glance.connection import pools
from app.sync.images.stores.glance.failures import one_line

ANSWER_BYTES = 64 * 1024 * 1024
"""No listing page, catalogue or error page comes near this size."""
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience with one server, in seconds and bytes.

    ``read_seconds`` bounds a whole answer, ``stall_seconds`` each pause while image data flows.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    stall_seconds: float = 120.0
    answer_bytes: int = ANSWER_BYTES

    @classmethod
    def of(cls, target: Target) -> Limits:
        """The limits that a target's configuration sets."""
        return cls(target.connect_timeout_seconds, target.read_timeout_seconds, target.stall_timeout_seconds)


def is_stream(body: object) -> bool:
    """Whether a request body is image data that flows, not a small text held in memory."""
    return body is not None and not isinstance(body, bytes | str)


class BoundedAdapter(TCPKeepAliveAdapter):
    """Sends requests; reads answers whole unless the caller streams them.

    A numeric ``timeout`` of a request is the deadline of its whole answer in seconds.

    Args:
        label: region or target, for messages.
        limits: see ``Limits``.

    """

    def __init__(self, label: str, limits: Limits) -> None:
        self._label = label
        self._limits = limits
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - base class
        """Let connections watch the server while they send."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = pools(self._limits.stall_seconds)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer; its body is already read unless it is a success and ``stream`` was asked for.

        Raises ``UnreachableError``, ``RemoteTimeoutError`` or ``BadAnswerError``.
        """
        flows = stream or is_stream(request.body)
        whole = float(timeout) if isinstance(timeout, int | float) else self._limits.read_seconds
        patience = self._limits.stall_seconds if flows else whole
        end = time.monotonic() + whole
        try:
            response = super().send(
                request,
                stream=True,
                timeout=(min(self._limits.connect_seconds, patience), patience),
                verify=verify,
                cert=cert,
                proxies=proxies,
            )
        except requests.RequestException as error:
            raise connection_failure(error, self.where(request.url)) from error
        if not stream or response.status_code >= 300:
            self._read(response, time.monotonic() + whole if flows else end)
            if is_stream(request.body) and response.status_code >= 400:
                # Part of the data may never have been sent: such a connection cannot be used again.
                self.close()
        return response

    def where(self, url: str | None) -> str:
        """Region or target and address of a request, without path, query and credentials."""
        parts = urlsplit(url or "")
        return f"{self._label} ({parts.scheme}://{parts.netloc.rpartition('@')[2]})"

    def _read(self, response: requests.Response, end: float) -> None:
        where = self.where(response.url)
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := response.raw.read1(_PIECE_BYTES, decode_content=False):
                pieces.append(piece)
                size += len(piece)
                if size > self._limits.answer_bytes:
                    raise BadAnswerError(
                        f"the answer is larger than {self._limits.answer_bytes} bytes", where=where
                    )
                if time.monotonic() > end:
                    raise RemoteTimeoutError("the answer did not end in time", where=where)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise connection_failure(error, where) from error
        finally:
            response.close()
        # What Response.content sets when requests itself reads the body.
        response._content = b"".join(pieces)
        response._content_consumed = True  # type: ignore[attr-defined]


def connection_failure(error: BaseException, where: str) -> RemoteError:
    """What a failure below HTTP means: a time-out or a broken or refused connection."""
    causes = list(_causes(error))
    cause = one_line(str(causes[-1]) or type(causes[-1]).__name__)
    if any(isinstance(each, _NEVER_CONNECTED) for each in causes):
        return UnreachableError(f"no connection: {cause}", where=where)
    if any(isinstance(each, _SLOW) for each in causes):
        return RemoteTimeoutError(f"no answer in time: {cause}", where=where)
    if any(isinstance(each, _TLS) for each in causes):
        return UnreachableError(
            f"no trusted connection: {cause}", where=where, remedy="check cacert, cert and key of the target"
        )
    return UnreachableError(f"the connection broke: {cause}", where=where)


_NEVER_CONNECTED = (
    requests.ConnectTimeout,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)
_SLOW = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
_TLS = (requests.exceptions.SSLError, urllib3.exceptions.SSLError)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was made from, outermost first; libraries hide causes in ``args``."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found and len(found) < 10:
        found.append(current)
        inner = getattr(current, "reason", None)
        inner = inner if isinstance(inner, BaseException) else None
        arguments = [each for each in current.args if isinstance(each, BaseException)]
        current = inner or next(iter(arguments), None) or current.__cause__
    return found
