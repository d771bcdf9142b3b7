"""The pieces of event streams that need no service."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.streams import hub, wire
from app.api.streams.handover import plain_connection, take_over
from tests.functional.api.streams import parse

data = st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=4)


@given(st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from(["progress", "ended"]), data), max_size=5))
def test_events_survive_the_wire(events: list[tuple[int, str, dict[str, object]]]) -> None:
    """Whatever an event holds, line breaks included, a client reads the same."""
    text = wire.OPENING + b"".join(wire.event(*event) + wire.HEARTBEAT for event in events)
    assert [(event.id, event.kind, event.data) for event in parse(text)] == events


def test_the_head_announces_a_body_that_ends_with_the_connection() -> None:
    """No length, no chunks, and the connection is closed at the end."""
    headers = [("Content-Length", "0"), ("X-A", "b"), ("connection", "keep-alive")]
    assert wire.response_head("200 OK", headers) == b"HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\n"


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's end and a client's end of a real TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.settimeout(10)
        with client, server:
            yield server, client


def test_what_the_server_does_to_its_end_does_not_reach_the_client(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    """After the handover the web server may write, shut down and close: the client sees only us."""
    server, client = connection
    with take_over(server) as ours:
        with pytest.raises(BrokenPipeError):
            server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert server.recv(10) == b""
        server.shutdown(socket.SHUT_WR)
        server.close()
        ours.sendall(b"ours")
        assert client.recv(100) == b"ours"
        client.sendall(b"theirs")
        ours.setblocking(True)
        assert ours.recv(100) == b"theirs"
    assert client.recv(10) == b""


def descriptors() -> int:
    """How many files this process has open, the one that is counted with included."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_handover_costs_one_descriptor(connection: tuple[socket.socket, socket.socket]) -> None:
    """Nothing is left open beside our own end."""
    before = descriptors()
    with take_over(connection[0]):
        assert descriptors() == before + 1
    assert descriptors() == before


def test_only_plain_http_1_can_be_handed_over(connection: tuple[socket.socket, socket.socket]) -> None:
    """TLS, HTTP/2 and servers that show no connection are served by a thread."""
    server, _ = connection
    assert plain_connection({"gunicorn.socket": server}) is server
    assert plain_connection({}) is None
    assert plain_connection({"gunicorn.socket": server, "HTTP_VERSION": "2"}) is None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with context.wrap_socket(server, server_side=True, do_handshake_on_connect=False) as wrapped:
        assert plain_connection({"gunicorn.socket": wrapped}) is None


@pytest.mark.parametrize(
    ("soft", "most"), [(256, 128), (1024, 512), (10**6, 1000), (hub.resource.RLIM_INFINITY, 1000)]
)
def test_streams_leave_descriptors_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
) -> None:
    """At most half of the files that a process may open are streams."""
    monkeypatch.setattr(hub.resource, "getrlimit", lambda _: (soft, soft))
    assert hub.most_streams() == most
