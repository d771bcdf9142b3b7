"""Every failure is one class, with the service's own words and its request id."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1 import exceptions as keystone
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from syncline_client import (
    AnswerError,
    Client,
    ConflictError,
    EndpointError,
    ForbiddenError,
    NotFoundError,
    RequestError,
    ServerError,
    StatusError,
    SyncClientError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)
from syncline_client.errors import read_refusal
from syncline_client.transport import explain

from tests.unit.client.conftest import ClientFactory, Clock
from tests.unit.client.scripted import Reply, reply, serving

PROBLEM = {
    "error": {"message": "Item not found: ", "code": 404, "description": "in the envelope"},
    "title": "Not Found",
    "detail": "no region X",
    "code": "unknown_region",
    "request_id": "req-body",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(PROBLEM)), inner),
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestError), (401, UnauthenticatedError), (403, ForbiddenError), (404, NotFoundError),
        (405, RequestError), (409, ConflictError), (413, RequestError), (415, RequestError),
        (418, ServerError), (422, RequestError), (429, UnavailableError), (500, ServerError),
        (502, ServerError), (503, UnavailableError),
    ],
)  # fmt: skip
def test_status_decides_the_class(client_of: ClientFactory, status: int, kind: type[StatusError]) -> None:
    """Who handles an error can choose by its class, and has status, code and request id at hand."""
    # keystoneauth asks for a new token, once, when the service does not accept the first
    answers = [reply(PROBLEM, status, x_openstack_request_id="req-1", retry_after="7", location="/x")] * 2
    with serving(*answers) as server, pytest.raises(kind) as caught:
        client_of(server).region("X")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, "unknown_region", "req-1")
    assert error.retry_after_seconds == 7
    assert str(error) == f"no region X (HTTP {status}, request req-1)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(PROBLEM, "no region X", id="rfc-9457"),
        pytest.param({"error": PROBLEM["error"]}, "in the envelope", id="original"),
        pytest.param({"error": {"message": "Bad request", "code": 400}}, "Bad request", id="no-description"),
        pytest.param({"title": "Not Found"}, "Not Found", id="title"),
        pytest.param({}, "the service gave no reason", id="nothing"),
        pytest.param([1], "the service gave no reason", id="no-object"),
    ],
)
def test_the_services_words_are_shown(body: object, message: str) -> None:
    """The most exact text of an answer is the one that a person reads, the original's form included."""
    assert read_refusal(404, body, {}).message == message


@given(JSON, st.dictionaries(st.sampled_from(["Retry-After", "X-Openstack-Request-Id"]), st.text()))
def test_no_error_body_hides_the_error(body: object, headers: dict[str, str]) -> None:
    """Whatever stands in an error answer, its status is told."""
    refusal = read_refusal(404, body, headers)
    assert refusal.status == 404
    assert refusal.message


@pytest.mark.parametrize(
    "answer",
    [
        Reply(502, (b"<html>Bad gateway</html>",), {"Content-Type": "text/html"}),
        Reply(502, (b"x" * 200_000,), {}),
        Reply(502),
    ],
    ids=["html", "huge", "empty"],
)
def test_errors_of_a_proxy_are_told(client_of: ClientFactory, answer: Reply) -> None:
    """A proxy's error page is not the service's words, but its status is told."""
    with serving(answer) as server, pytest.raises(ServerError, match=r"no reason \(HTTP 502\)"):
        client_of(server).regions()


@pytest.mark.parametrize(
    ("answer", "limits", "kind", "said"),
    [
        pytest.param(Reply(200, (b"<html>",)), {}, AnswerError, "not JSON", id="not-json"),
        pytest.param(Reply(200, (b"[" * 99_999,)), {}, AnswerError, "not JSON", id="nested"),
        pytest.param(
            reply("x" * 2000), {"answer_bytes": 1000}, AnswerError, "larger than 1000", id="too-large"
        ),
        pytest.param(
            Reply(200, (b"{",), silent=True), {"answer_seconds": 0.2}, TimedOutError, "time", id="stalled"
        ),
        pytest.param(
            Reply(200, silent=True), {"answer_seconds": 0.2}, TimedOutError, "time", id="nothing-comes"
        ),
    ],
)
def test_answers_are_bounded(
    client_of: ClientFactory, answer: Reply, limits: dict[str, float], kind: type[SyncClientError], said: str
) -> None:
    """No answer costs more memory or time than the limits allow."""
    with serving(answer) as server, pytest.raises(kind, match=said):
        client_of(server, **limits).regions()


def test_redirects_are_not_followed(client_of: ClientFactory) -> None:
    """The token is never carried to an address that an answer names."""
    with serving() as elsewhere:
        with (
            serving(Reply(307, headers={"Location": f"{elsewhere.url}/regions"})) as server,
            pytest.raises(ServerError, match="HTTP 307"),
        ):
            client_of(server).regions()
        assert elsewhere.asked == []


def broken() -> Reply:
    """An answer that breaks in the middle."""
    return Reply(200, (b'{"regions"',), {"Content-Length": "999"}, broken=True)


def test_broken_reads_are_tried_again(client_of: ClientFactory, clock: Clock) -> None:
    """A connection that breaks costs a reader only a moment."""
    with serving(broken(), broken(), reply({"regions": []})) as server:
        assert client_of(server).regions() == []
        assert len(server.asked) == 3
    assert clock.pauses == [pytest.approx(0.3), pytest.approx(0.6)]


@pytest.mark.parametrize(("key", "times"), [(None, 1), ("k", 3)], ids=["no-key", "idempotency-key"])
def test_starts_are_repeated_only_if_that_is_safe(
    client_of: ClientFactory, key: str | None, times: int
) -> None:
    """A start whose answer was lost is sent again only under an idempotency key."""
    with serving(*[broken()] * 4) as server:
        with pytest.raises(UnreachableError):
            client_of(server).start("B", idempotency_key=key)
        assert len(server.asked) == times


def test_nobody_listens(client_of: ClientFactory) -> None:
    """A service that does not run is told as unreachable, with its address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=url):
            client_of(url).version()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (keystone.Unauthorized("no"), EndpointError),
        (keystone.EndpointNotFound("no sync"), EndpointError),
        (keystone.EmptyCatalog("empty"), EndpointError),
        (keystone.ConnectTimeout("slow"), TimedOutError),
        (keystone.SSLError("bad certificate"), UnreachableError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_before_the_service(error: Exception, kind: type[SyncClientError]) -> None:
    """What goes wrong at Keystone or in the catalogue is an error of this client too."""
    assert type(explain(error)) is kind
    assert str(error) in str(explain(error))


def test_keystone_that_refuses_is_not_the_service() -> None:
    """A wrong password is told as a matter of Keystone; the password is not shown."""
    with serving(*[reply({"error": {"message": "bad password", "code": 401}}, 401)] * 2) as server:
        login = Password(
            f"{server.url}/v3", username="ana", password="sesame-77", user_domain_id="d", project_id="p"
        )
        with pytest.raises(EndpointError, match="Keystone") as caught:
            Client(None, Session(auth=login)).regions()
    assert "sesame-77" not in str(caught.value)


def test_debug_log_has_no_token_and_no_body(
    client_of: ClientFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A log of everything names request and request id, and neither token nor content."""
    with (
        caplog.at_level(logging.DEBUG),
        serving(reply({"regions": []}, x_openstack_request_id="req-9")) as server,
    ):
        client_of(server).regions()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("syncline_client")]
    assert ours == ["GET /regions: 200 req-9"]
    assert "notused" not in caplog.text


def test_client_knows_nothing_of_the_service() -> None:
    """The distribution stands alone: no module of it imports the service's code."""
    folder = Path(__file__).resolve().parents[3] / "client" / "syncline_client"
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    assert texts
    assert not [text for text in texts if "from app" in text or "import app" in text]
