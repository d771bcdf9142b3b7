"""Whatever a server does, a call ends in time, in bounded memory and with one of our errors."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.errors import (
    BadAnswerError,
    ChecksumMismatchError,
    RemoteTimeoutError,
    SynclineError,
    UnreachableError,
)
from app.sync.images.conf.model import Policy, Target
from app.sync.images.stores.base import CHUNK_BYTES
from app.sync.images.stores.glance.data import DataFailedError, body_of, pieces, source_errors
from app.sync.images.stores.glance.transport import Limits, connection_failure
from tests.unit.images.stores.scripted import Connection, client, scripted

PIECE = bytes(range(256)) * 4096
MANY = 64
"""Pieces of 1 MiB: more than the kernel's buffers of a loopback connection hold."""


def test_connection_is_used_again() -> None:
    """Calls to one server share a connection, so that a thousand small calls cost no thousand handshakes."""

    def handler(connection: Connection) -> None:
        while connection.head():
            connection.answer(200, b"x" * 100_000)

    with scripted(handler) as server, client() as session:
        for _ in range(3):
            assert len(session.get(server.url).content) == 100_000
        assert server.connections == 1


def drip(connection: Connection) -> None:
    """A body that comes byte by byte and never ends."""
    connection.head()
    connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not connection.server.stopped.wait(0.02):
        connection.sock.sendall(b"x")


def silence(connection: Connection) -> None:
    """No answer at all."""
    connection.head()
    connection.server.stopped.wait()


def cut(connection: Connection) -> None:
    """Half a body."""
    connection.head()
    connection.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)


def flood(connection: Connection) -> None:
    """A body without announced length that never ends."""
    connection.head()
    connection.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not connection.server.stopped.is_set():
        connection.sock.sendall(PIECE)


def hang_up(connection: Connection) -> None:
    """The connection is closed instead of an answer."""
    connection.head()


def nonsense(connection: Connection) -> None:
    """Something that is not HTTP."""
    connection.head()
    connection.sock.sendall(b"220 smtp ready\r\n")


@pytest.mark.parametrize(
    ("handler", "expected", "says"),
    [
        pytest.param(drip, RemoteTimeoutError, "did not end in time", id="drip"),
        pytest.param(silence, RemoteTimeoutError, "no answer in time", id="silence"),
        pytest.param(cut, UnreachableError, "broke", id="cut"),
        pytest.param(flood, BadAnswerError, "larger than 2000000 bytes", id="flood"),
        pytest.param(hang_up, UnreachableError, "broke", id="hang-up"),
        pytest.param(nonsense, UnreachableError, "broke", id="not-http"),
    ],
)
def test_bad_answer_ends_the_call(
    handler: Callable[[Connection], None], expected: type[SynclineError], says: str
) -> None:
    """Every remote read has a byte limit and a deadline, and the error names region and address."""
    limits = Limits(connect_seconds=5, read_seconds=0.4, stall_seconds=5, answer_bytes=2_000_000)
    with scripted(handler) as server, client(limits) as session:
        with pytest.raises(expected, match=says) as caught:
            session.get(server.url + "/secret?token=abc")
        assert caught.value.where == f"Burgos ({server.url})"


def test_numeric_timeout_is_the_deadline_of_the_whole_answer() -> None:
    """A listing's remaining time bounds each of its pages."""
    with scripted(drip) as server, client() as session, pytest.raises(RemoteTimeoutError):
        session.get(server.url, timeout=0.2)


def test_refused_connection_is_unreachable() -> None:
    """A region that refuses connections is reported as unreachable, with its address."""
    with scripted(hang_up) as server:
        url = server.url
    with client() as session, pytest.raises(UnreachableError, match="refused") as caught:
        session.get(url)
    assert url in caught.value.where
    assert caught.value.retryable


def early(status: int, *, reads: int, hangs_up: bool) -> Callable[[Connection], None]:
    """Answer when only ``reads`` bytes of the body have been read."""

    def handler(connection: Connection) -> None:
        connection.head()
        connection.body(reads)
        connection.answer(status, b"enough", Connection="close" if hangs_up else "keep-alive")
        if not hangs_up:
            connection.server.stopped.wait()

    return handler


@pytest.mark.parametrize("hangs_up", [True, False], ids=["hangs-up", "stays"])
@pytest.mark.parametrize("reads", [0, 3_000_000])
@pytest.mark.parametrize("status", [413, 403, 409, 503])
@pytest.mark.parametrize("size", [MANY * len(PIECE), None], ids=["sized", "chunked"])
def test_early_refusal_of_an_upload_is_seen_as_what_it_is(
    status: int, reads: int, hangs_up: bool, size: int | None
) -> None:
    """A server that refuses while data still flows is heard: the answer counts, not the broken pipe."""
    sent = 0

    def data() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(MANY):
            sent += 1
            yield PIECE

    with scripted(early(status, reads=reads, hangs_up=hangs_up)) as server, client() as session:
        response = session.put(server.url, data=body_of(data(), size))
        assert (response.status_code, response.text) == (status, "enough")
    assert sent < MANY


def test_connection_of_a_refused_upload_is_not_used_again() -> None:
    """What is left of a refused upload cannot be taken for the next request."""

    def handler(connection: Connection) -> None:
        head = connection.head()
        if head.startswith("PUT"):
            connection.answer(413, b"enough")
            connection.server.stopped.wait()
        connection.answer(200, b"fine")

    with scripted(handler) as server, client() as session:
        assert (
            session.put(server.url, data=body_of(iter([PIECE] * MANY), MANY * len(PIECE))).status_code == 413
        )
        assert session.get(server.url).text == "fine"
        assert server.connections == 2


def test_upload_that_stalls_ends() -> None:
    """When the server takes no byte for too long the upload ends with a time-out."""
    limits = Limits(connect_seconds=5, read_seconds=5, stall_seconds=0.3)
    with (
        scripted(silence) as server,
        client(limits) as session,
        pytest.raises(RemoteTimeoutError, match="took no data for"),
    ):
        session.put(server.url, data=body_of(iter([PIECE] * MANY), MANY * len(PIECE)))


def test_upload_arrives_unchanged() -> None:
    """The bytes of the pieces arrive in order, with their announced length and none added."""
    got: list[bytes] = []

    def handler(connection: Connection) -> None:
        connection.head()
        got.append(connection.body(3 * len(PIECE) + 1))
        connection.answer(204)
        got.append(connection.until_closed())

    with scripted(handler) as server:
        with client() as session:
            body = body_of(iter([PIECE, b"", b"!", PIECE, PIECE]), 3 * len(PIECE) + 1)
            assert session.put(server.url, data=body).status_code == 204
        assert f"Content-Length: {3 * len(PIECE) + 1}" in server.heads[0]
    assert got == [PIECE + b"!" + PIECE + PIECE, b""]


def test_empty_upload_still_asks_its_source() -> None:
    """An image of no bytes is uploaded, and a source that promised none is held to it."""

    def handler(connection: Connection) -> None:
        while connection.head():
            connection.answer(204)

    with scripted(handler) as server, client() as session:
        assert session.put(server.url, data=body_of(iter([]), 0)).status_code == 204
        with pytest.raises(ChecksumMismatchError, match="more than the promised 0"):
            session.put(server.url, data=body_of(iter([b"x"]), 0))


@pytest.mark.parametrize("size", [8 * len(PIECE), None], ids=["sized", "chunked"])
@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(32, "the source's own"),
        ConnectionResetError(104, "the source's own"),
        TimeoutError("the source's own"),
        requests.ConnectionError("the source's own"),
        UnreachableError("the master is gone"),
        ValueError("anything"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_of_the_source_aborts_and_is_seen_as_it_is(error: BaseException, size: int | None) -> None:
    """If the data raises, the request ends incomplete and the caller sees that exception itself."""
    received = threading.Event()
    got: list[bytes] = []

    def handler(connection: Connection) -> None:
        connection.head()
        got.append(connection.until_closed())
        received.set()

    def data() -> Iterator[bytes]:
        yield PIECE
        yield PIECE
        raise error

    with scripted(handler) as server, client() as session:
        with pytest.raises(type(error)) as caught, source_errors():
            session.put(server.url, data=body_of(data(), size))
        assert caught.value is error
        assert received.wait(5)
    assert len(got[0]) < 3 * len(PIECE)
    assert not got[0].endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("given", "promised"), [([b"ab"], 3), ([b"ab", b"cd"], 3), ([], 1)], ids=["short", "long", "nothing"]
)
def test_source_of_another_size_than_promised_is_refused(given: list[bytes], promised: int) -> None:
    """An upload never completes with more or fewer bytes than its size says."""

    def handler(connection: Connection) -> None:
        connection.head()
        connection.until_closed()

    with scripted(handler) as server, client() as session, pytest.raises(ChecksumMismatchError):
        session.put(server.url, data=body_of(iter(given), promised))


def test_carrier_is_only_for_errors_that_libraries_swallow() -> None:
    """Other errors of a source travel as they are."""
    with pytest.raises(DataFailedError), pytest.raises(KeyError):
        list(body_of(raising(OSError("x")), None))
    with pytest.raises(KeyError):
        list(body_of(raising(KeyError("x")), None))


def raising(error: Exception) -> Iterator[bytes]:
    """Data that fails at once."""
    raise error
    yield b""


def serve_file(content: bytes, **behaviour: object) -> Callable[[Connection], None]:
    """A server of one file: with or without ranges, whole or in part."""

    def handler(connection: Connection) -> None:
        while head := connection.head():
            offset = int(head.partition("bytes=")[2].partition("-")[0] or 0)
            status, start = (206, offset) if offset and behaviour.get("ranges") else (200, 0)
            body = content[start:]
            lines = f"Content-Length: {len(body)}\r\n"
            if status == 206:
                said = behaviour.get("said", start)
                lines += f"Content-Range: bytes {said}-{len(content) - 1}/{len(content)}\r\n"
            if behaviour.get("chunked"):
                lines = lines.replace(f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")
                body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in split(body, 70_000)) + b"0\r\n\r\n"
            stop = behaviour.get("stop")
            connection.sock.sendall(f"HTTP/1.1 {status} OK\r\n{lines}\r\n".encode() + body[:stop])
            if stop is not None and behaviour.get("stays"):
                connection.server.stopped.wait()
            if stop is not None:
                return

    return handler


def split(content: bytes, size: int) -> list[bytes]:
    """Content in parts."""
    return [content[i : i + size] for i in range(0, len(content), size)]


def read(session: requests.Session, url: str, offset: int) -> list[bytes]:
    """The pieces of a download from an offset on."""
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    with session.get(url, headers=headers, stream=True) as response:
        return list(pieces(response, offset, lambda error: connection_failure(error, "Burgos")))


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "sized"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("offset", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_download_resumes_at_the_byte(offset: int, ranges: bool, chunked: bool) -> None:
    """A download continues at an offset, also where the server sends everything again."""
    content = PIECE * 3 + b"tail"
    with scripted(serve_file(content, ranges=ranges, chunked=chunked)) as server, client() as session:
        found = read(session, server.url, offset)
    assert b"".join(found) == content[offset:]
    assert max(map(len, found)) <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param({"stop": 2_000_000}, UnreachableError, id="broken"),
        pytest.param({"stop": 2_000_000, "chunked": True}, UnreachableError, id="broken-chunked"),
        pytest.param({"stop": 2_000_000, "stays": True}, RemoteTimeoutError, id="stalled"),
    ],
)
def test_download_that_ends_early_raises(behaviour: dict[str, object], expected: type[SynclineError]) -> None:
    """A download never just ends before its end."""
    limits = Limits(connect_seconds=5, read_seconds=5, stall_seconds=0.3)
    with (
        scripted(serve_file(PIECE * 3, **behaviour)) as server,
        client(limits) as session,
        pytest.raises(expected),
    ):
        read(session, server.url, 0)


@pytest.mark.parametrize("said", [0, 6, "x"])
def test_download_of_another_range_is_refused(said: object) -> None:
    """Bytes of another position than asked for are never taken for the right ones."""
    with (
        scripted(serve_file(PIECE, ranges=True, said=said)) as server,
        client() as session,
        pytest.raises(BadAnswerError, match="from byte 5 on"),
    ):
        read(session, server.url, 5)


def test_limits_come_from_the_target() -> None:
    """Connect, read and stall time-outs are options of the target."""
    target = Target("t", Policy(), connect_timeout_seconds=1, read_timeout_seconds=2, stall_timeout_seconds=3)
    limits = Limits.of(target)
    assert (limits.connect_seconds, limits.read_seconds, limits.stall_seconds) == (1, 2, 3)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for the loopback address: its file, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "glance")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    chain, private = folder / "ca.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    return chain, context


def test_untrusted_server_is_refused_with_a_remedy(certificate: tuple[Path, ssl.SSLContext]) -> None:
    """A certificate nobody vouches for ends the call and names the options to look at."""
    with (
        scripted(hang_up, certificate[1]) as server,
        client() as session,
        pytest.raises(UnreachableError, match="certificate") as caught,
    ):
        session.get(server.url)
    assert "cacert" in caught.value.remedy


def test_upload_and_early_refusal_through_tls(certificate: tuple[Path, ssl.SSLContext]) -> None:
    """With the site's own certificate uploads work as without TLS, and refusals are heard."""
    chain, context = certificate
    received: list[bytes] = []

    def handler(connection: Connection) -> None:
        connection.head()
        received.append(connection.body(2 * len(PIECE)))
        connection.answer(204)
        connection.head()
        connection.answer(413, b"enough", Connection="close")
        connection.until_closed()

    with scripted(handler, context) as server, client(verify=str(chain)) as session:
        assert session.put(server.url, data=body_of(iter([PIECE, PIECE]), 2 * len(PIECE))).status_code == 204
        assert received == [PIECE + PIECE]
        refused = session.put(server.url, data=body_of(iter([PIECE] * 8), 8 * len(PIECE)))
        assert refused.status_code == 413
