"""The faulty proxy does what it is told, and nothing else. Upstream is a small server of this file."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.lab.faults import FaultyProxy
from tests.lab.relay import damage, endless_page, first_page, split

BODY = bytes(range(256)) * 1024


class Upstream(BaseHTTPRequestHandler):
    """Serves BODY, echoes the hash of what it is sent, lists two images, refuses big uploads early."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if "/v2/images?" in self.path or self.path == "/v2/images":
            self._send(json.dumps({"images": [{"id": "a"}, {"id": "b"}], "asked": self.path}).encode())
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        elif self.path == "/none":
            self.send_response(204)
            self.end_headers()
        else:
            self._send(BODY)

    def do_PUT(self) -> None:
        if self.path == "/early":
            self.send_response(413)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            return
        self._send(hashlib.sha256(b"".join(self._body())).hexdigest().encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class UpstreamServer(ThreadingHTTPServer):
    """Expects that connections break."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A request that was cut off is what some tests are about."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A server that works."""
    with UpstreamServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy before it, without rules."""
    with FaultyProxy(upstream) as one:
        yield one


def get(proxy: FaultyProxy, path: str = "/file", timeout: float = 10) -> requests.Response:
    """One GET on a connection of its own."""
    return requests.get(proxy.url + path, timeout=timeout)


def sha256(data: bytes) -> str:
    """What upstream answers to a PUT."""
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("path", ["/file", "/chunked"])
def test_passes_a_response_as_it_is(proxy: FaultyProxy, path: str) -> None:
    """Without rules a client sees what the server sent, of known length or in chunks."""
    assert get(proxy, path).content == BODY
    assert proxy.response_bytes == len(BODY)


@pytest.mark.parametrize("data", [BODY, (BODY[i : i + 5000] for i in range(0, len(BODY), 5000)), b""])
def test_passes_a_request_as_it_is(proxy: FaultyProxy, data: bytes | Iterator[bytes]) -> None:
    """Without rules the server gets what the client sent, of known length or in chunks."""
    sent = BODY if not isinstance(data, bytes) else data
    assert requests.put(f"{proxy.url}/x", data=data, timeout=10).text == sha256(sent)
    assert proxy.request_bytes == len(sent)


def test_keeps_connections_open(proxy: FaultyProxy) -> None:
    """Requests of one connection follow each other, also after an answer without body."""
    with requests.Session() as session:
        codes = [session.request(m, proxy.url + p, timeout=10).status_code for m, p in
                 [("GET", "/none"), ("HEAD", "/file"), ("GET", "/file"), ("PUT", "/x")]]  # fmt: skip
    assert codes == [204, 200, 200, 200]


def test_answers_for_the_server_so_many_times(proxy: FaultyProxy) -> None:
    """A rule hits the n-th to the m-th request that matches it and lets all others pass."""
    proxy.on("GET", r"^/fi", times=2, skip=1).respond(503, b"busy", retry_after_seconds=7)
    answers = [get(proxy) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 503, 503, 200]
    assert (answers[1].headers["Retry-After"], answers[1].content) == ("7", b"busy")
    assert get(proxy, "/chunked").status_code == 200
    assert proxy.count("GET", "^/fi") == 4
    assert proxy.count() == 5
    assert [one.status for one in proxy.seen("GET", "^/fi")] == [200, 503, 503, 200]


def test_refused_answer_reaches_a_client_that_is_still_sending(proxy: FaultyProxy) -> None:
    """An early answer is delivered although most of the upload was never read."""
    proxy.on("PUT", "/x").respond(413, b"full", read_bytes=10_000)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 20_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert 10_000 <= proxy.request_bytes < 100_000


def test_early_answer_of_the_server_itself_is_passed_on(proxy: FaultyProxy) -> None:
    """If the server answers and hangs up before it has read everything, the client gets that answer."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"PUT /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("reset", [False, True])
def test_cuts_a_response(proxy: FaultyProxy, reset: bool) -> None:
    """The client gets exactly so many bytes of the body and then loses the connection."""
    proxy.on("GET", "/file").cut("response", 100_000, reset=reset)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        get(proxy)
    assert proxy.response_bytes == 100_000


def test_cuts_a_request(proxy: FaultyProxy) -> None:
    """The server gets exactly so many bytes and the client loses the connection without an answer."""
    proxy.on("PUT", "/x", times=1).cut("request", 5)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.put(f"{proxy.url}/x", data=b"0123456789", timeout=10)
    assert proxy.request_bytes == 5
    assert requests.put(f"{proxy.url}/x", data=b"0123456789", timeout=10).text == sha256(b"0123456789")


def test_stalls_until_released(proxy: FaultyProxy) -> None:
    """A stalled response delivers its beginning and then nothing until the test ends it."""
    proxy.on("GET", "/file").stall("response", 1000)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"GET /file HTTP/1.1\r\nHost: h\r\n\r\n")
        received = b""
        while len(received.partition(b"\r\n\r\n")[2]) < 1000:
            received += client.recv(10_000)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert len(received.partition(b"\r\n\r\n")[2]) == 1000
    proxy.clear()
    assert get(proxy).content == BODY


def test_drips(proxy: FaultyProxy) -> None:
    """A slow response comes byte by byte at the pace that was asked for."""
    proxy.on("GET", "/v2/images").drip(bytes_per_second=200)
    began = time.monotonic()
    size = len(get(proxy, "/v2/images").content)
    assert time.monotonic() - began >= size / 200


@pytest.mark.parametrize("at", [0, 65_536, len(BODY) - 1])
def test_corrupts_one_byte(proxy: FaultyProxy, at: int) -> None:
    """Exactly the byte that was asked for differs, in either direction."""
    damaged = BODY[:at] + bytes([BODY[at] ^ 0xFF]) + BODY[at + 1 :]
    proxy.on("GET", "/file").corrupt("response", at)
    proxy.on("PUT", "/x").corrupt("request", at)
    assert get(proxy).content == damaged
    assert requests.put(f"{proxy.url}/x", data=BODY, timeout=10).text == sha256(damaged)


def test_listing_that_repeats_itself(proxy: FaultyProxy) -> None:
    """The next link of an endless listing leads to the same page again."""
    proxy.on("GET", "^/v2/images").endless("repeat")
    first = get(proxy, "/v2/images?limit=2").json()
    second = get(proxy, first["next"]).json()
    assert first["next"] == second["next"]
    assert first["images"] == second["images"]
    assert second["asked"] == "/v2/images?limit=2"


def test_listing_that_never_ends(proxy: FaultyProxy) -> None:
    """Or to ever new images under ever new links."""
    proxy.on("GET", "^/v2/images").endless("fresh")
    page = get(proxy, "/v2/images").json()
    links, ids = set(), set()
    for _ in range(5):
        links.add(page["next"])
        ids |= {image["id"] for image in page["images"]}
        page = get(proxy, page["next"]).json()
    assert (len(links), len(ids)) == (5, 10)


def test_broken_json_and_another_body(proxy: FaultyProxy) -> None:
    """An answer can be half a document, or another one, with a length that fits."""
    proxy.on("GET", "^/v2/images", times=1).bad_json()
    proxy.on("GET", "^/v2/images", times=1).rewrite(lambda body: b"[]")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        get(proxy, "/v2/images").json()
    assert get(proxy, "/v2/images").json() == []


def test_announces_more_than_there_is(proxy: FaultyProxy) -> None:
    """A response whose length is too great ends early for the client."""
    proxy.on("GET", "/file").wrong_length(10)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        get(proxy)


def test_acts_in_the_middle_of_a_request(proxy: FaultyProxy) -> None:
    """A test can do something once so many bytes have gone to the server, and the request still succeeds."""
    seen: list[int] = []
    proxy.on("PUT", "/x").call(lambda: seen.append(proxy.request_bytes), after_bytes=100_000)
    assert requests.put(f"{proxy.url}/x", data=BODY, timeout=10).text == sha256(BODY)
    assert len(seen) == 1
    assert 0 < seen[0] <= 100_000


def test_refuses_connections_and_comes_back_on_the_same_port(proxy: FaultyProxy) -> None:
    """A region that is down refuses connections; up again it is where it was."""
    proxy.refuse()
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        get(proxy)
    proxy.accept()
    assert get(proxy).content == BODY


def test_address_without_port_is_refused() -> None:
    """A proxy needs to know exactly where to go."""
    with pytest.raises(ValueError, match="port"):
        FaultyProxy("http://127.0.0.1")


def test_pure_parts() -> None:
    """Pieces end at the stops, damage hits one place, pages lose their marker and get a next link."""
    assert list(split(b"abcdef", 10, [8, 12, 16, 20])) == [b"ab", b"cdef"]
    assert damage(b"\x00\x00", 4, 5) == b"\x00\xff"
    assert damage(b"\x00", 4, 5) == b"\x00"
    assert first_page("/v2/images?limit=2&marker=x") == "/v2/images?limit=2"
    page = json.loads(endless_page(b'{"images": []}', "/v2/images?limit=2&marker=x", "repeat"))
    assert page["next"].startswith("/v2/images?limit=2&marker=")
