"""Calls to one Glance: token, retries, deadlines, and errors of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session

from app.errors import BadAnswerError, RemoteFaultError, SynclineError
from app.sync.images.stores.glance.failures import failure
from app.sync.images.stores.glance.retry import Deadline, Retrier
from app.sync.images.stores.glance.transport import is_stream

_REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PATCH", "DELETE"})
_REPEATABLE_POSTS = ("/actions/deactivate", "/actions/reactivate", "/members")


def is_repeatable(method: str, path: str) -> bool:
    """Whether a call that may or may not have been carried out can simply be made again."""
    if method == "POST":
        return path.endswith(_REPEATABLE_POSTS)
    return method in _REPEATABLE_METHODS


class GlanceApi:
    """One Glance. Also the HTTP client that the controllers of python-glanceclient are given.

    Args:
        session: keeps connections and token.
        base_url: address without version.
        where: region and address, for messages.
        retrier: how often to try again.
        explain: makes an error of ours from one of Keystone's.

    """

    def __init__(
        self,
        session: Session,
        base_url: str,
        where: str,
        retrier: Retrier,
        explain: Callable[[ClientException], SynclineError],
    ) -> None:
        self._session = session
        self._base = base_url
        self.where = where
        self._retrier = retrier
        self._explain = explain

    def request(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        deadline: Deadline | None = None,
        accept: frozenset[int] = frozenset(),
        **details: Any,  # noqa: ANN401 - what requests takes: json, data, headers, stream
    ) -> requests.Response:
        """The answer; one of ``app.errors`` if it is a failure whose status is not in ``accept``.

        ``repeatable`` overrides ``is_repeatable``. A DELETE that is made again and finds nothing has
        succeeded before.
        """

        def attempt(number: int) -> requests.Response:
            if deadline is not None:
                details["timeout"] = max(deadline.remaining_seconds, 0.001)
            response = self._send(method, path, details)
            vanished = method == "DELETE" and number > 0 and response.status_code == requests.codes.not_found
            if vanished or response.status_code in accept or 200 <= response.status_code < 300:
                return response
            with response:
                raise failure(
                    response.status_code,
                    response.headers,
                    response.text,
                    doing=f"{method} {path.partition('?')[0]}",
                    where=self.where,
                )

        again = is_repeatable(method, path) if repeatable is None else repeatable
        return self._retrier.run(attempt, repeatable=again, deadline=deadline)

    def _send(self, method: str, path: str, details: dict[str, Any]) -> requests.Response:
        flows = is_stream(details.get("data"))
        try:
            response: requests.Response = self._session.request(
                self._base + path, method, raise_exc=False, allow_reauth=not flows, log=not flows, **details
            )
            if flows and response.status_code == requests.codes.unauthorized:
                # The data is spent and cannot be sent again with the new token: the caller starts over.
                self._session.invalidate()
                raise RemoteFaultError("the token was refused while data was sent", where=self.where)
        except ClientException as error:
            raise self._explain(error) from error
        return response

    def json(self, method: str, path: str, **details: Any) -> Any:  # noqa: ANN401 - parsed JSON
        """The parsed answer; ``BadAnswerError`` if it is not JSON. Takes what ``request`` takes."""
        return self.parsed(self.request(method, path, **details))

    def parsed(self, response: requests.Response) -> Any:  # noqa: ANN401 - parsed JSON
        """The JSON of an answer; ``BadAnswerError`` if it is none."""
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "no type")
            raise BadAnswerError(f"the answer is not JSON but {kind}", where=self.where) from error

    # What follows is the interface that python-glanceclient's controllers expect of their client. The
    # calls that go through them have answers without content.

    def put(self, url: str, **details: Any) -> tuple[requests.Response, None]:  # noqa: ANN401
        """Send, once if it is data."""
        return self.request("PUT", url, **details), None

    def post(self, url: str, **details: Any) -> tuple[requests.Response, None]:  # noqa: ANN401
        """Act."""
        return self.request("POST", url, **details), None

    def delete(self, url: str, **details: Any) -> tuple[requests.Response, None]:  # noqa: ANN401
        """Remove."""
        return self.request("DELETE", url, **details), None
