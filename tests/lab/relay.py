"""The faulty proxy's way with one connection: a request in, the answer back, faults included."""

from __future__ import annotations

import json
import socket
import struct
import uuid
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.lab.faults import Exchange, Fault, FaultyProxy, Side

PIECE_BYTES = 64 * 1024
UPSTREAM_LIMIT_SECONDS = 120
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
)


class CutError(Exception):
    """The connections are to be closed here and now."""


class Relay(BaseHTTPRequestHandler):
    """One client connection; its requests come one after the other."""

    protocol_version = "HTTP/1.1"
    server: FaultyProxy  # type: ignore[assignment]

    def parse_request(self) -> bool:
        """Take any method."""
        good = super().parse_request()
        if good:
            setattr(self, f"do_{self.command}", self.relay)
        return good

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def relay(self) -> None:
        """Treat one request."""
        proxy = self.server
        exchange = Exchange(self.command, self.path, dict(self.headers.items()))
        proxy.record(exchange)
        fault = proxy.fault_for(self.command, self.path)
        upstream = HTTPConnection(*proxy.upstream, timeout=UPSTREAM_LIMIT_SECONDS)
        try:
            if fault.status is not None:
                self._answer(fault, exchange)
            else:
                self._pass_on(upstream, fault, exchange)
        except (CutError, OSError, HTTPException):
            self._hang_up(reset=fault.reset)
        finally:
            upstream.close()

    def _answer(self, fault: Fault, exchange: Exchange) -> None:
        """The proxy's own answer, after all or a part of the request's body."""
        limit = fault.read_before_answer_bytes
        complete = True
        body = self._request_body()
        while limit is None or exchange.request_bytes < limit:
            piece = next(body, b"")
            if not piece:
                break
            exchange.request_bytes += len(piece)
        else:
            complete = False
        assert fault.status is not None
        exchange.status = fault.status
        self.send_response_only(fault.status)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        if not complete:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(fault.body)
        exchange.response_bytes += len(fault.body)
        if not complete:
            self._drain(body)

    def _drain(self, body: Iterator[bytes]) -> None:
        """Hear the client out for a moment, or the kernel's reset destroys the answer on its way."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        for _ in body:
            pass

    def _pass_on(self, upstream: HTTPConnection, fault: Fault, exchange: Exchange) -> None:
        path = first_page(self.path) if fault.endless else self.path
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        upstream.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                upstream.putheader(name, value)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        body = self._request_body()
        early = False
        try:
            self._send_body(upstream, body, fault, exchange, chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):
            early = True  # upstream has answered before the end; its answer is what counts
        answer = upstream.getresponse()
        exchange.status = answer.status
        self._deliver(answer, fault, exchange)
        if early:
            self._drain(body)

    def _send_body(
        self,
        upstream: HTTPConnection,
        body: Iterator[bytes],
        fault: Fault,
        exchange: Exchange,
        *,
        chunked: bool,
    ) -> None:
        called = fault.call is None
        for piece in self._shape(body, fault, "request"):
            if not called and exchange.request_bytes + len(piece) > fault.call_after:
                called = True
                assert fault.call is not None
                fault.call()
            upstream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            exchange.request_bytes += len(piece)
        if not called and fault.call is not None:
            fault.call()
        if chunked:
            upstream.send(b"0\r\n\r\n")

    def _request_body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            yield from self._chunks()
            return
        left_bytes = int(self.headers.get("Content-Length") or 0)
        while left_bytes:
            piece = self.rfile.read1(min(PIECE_BYTES, left_bytes))
            if not piece:
                raise CutError
            left_bytes -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            head = self.rfile.readline(100)
            if not head.endswith(b"\n"):
                raise CutError
            left_bytes = int(head.split(b";")[0], 16)
            if not left_bytes:
                self.rfile.readline(100)
                return
            while left_bytes:
                piece = self.rfile.read1(min(PIECE_BYTES, left_bytes))
                if not piece:
                    raise CutError
                left_bytes -= len(piece)
                yield piece
            self.rfile.readline(100)

    def _deliver(self, answer: HTTPResponse, fault: Fault, exchange: Exchange) -> None:
        length = answer.getheader("Content-Length")
        body = iter(lambda: answer.read1(PIECE_BYTES), b"")
        if fault.rewrite or fault.endless:
            whole = answer.read()
            whole = (
                fault.rewrite(whole) if fault.rewrite else endless_page(whole, self.path, str(fault.endless))
            )
            length, body = str(len(whole)), iter([whole])
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP and name.lower() != "content-length":
                self.send_header(name, value)
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        if length is not None:
            self.send_header("Content-Length", str(int(length) + fault.length_error_bytes))
        elif not bodiless:
            self.send_header("Transfer-Encoding", "chunked")
        if fault.length_error_bytes:
            self.close_connection = True
        self.end_headers()
        if not bodiless:
            self._send_back(body, fault, exchange, chunked=length is None)

    def _send_back(self, body: Iterator[bytes], fault: Fault, exchange: Exchange, *, chunked: bool) -> None:
        for piece in self._shape(body, fault, "response"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            exchange.response_bytes += len(piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _shape(self, body: Iterator[bytes], fault: Fault, side: Side) -> Iterator[bytes]:
        """The body with its faults, in pieces that end where a fault begins."""
        stops = sorted({*_ends(fault.cut_after, side), *_ends(fault.stall_after, side)})
        position = 0
        self._at(position, fault, side)
        for whole in body:
            for piece in split(damage(whole, position, fault.corrupt_at.get(side)), position, stops):
                yield from self._paced(piece, fault, side)
                position += len(piece)
                self._at(position, fault, side)

    def _at(self, position: int, fault: Fault, side: Side) -> None:
        """What happens between two bytes."""
        if fault.stall_after.get(side) == position:
            self.wfile.flush()
            self.server.released.wait()
            raise CutError
        if fault.cut_after.get(side) == position:
            self.wfile.flush()
            raise CutError

    def _paced(self, piece: bytes, fault: Fault, side: Side) -> Iterator[bytes]:
        if fault.pace_bytes_per_second is None or side == "request":
            yield piece
            return
        released = self.server.released
        for value in piece:
            yield bytes([value])
            if released.wait(1 / fault.pace_bytes_per_second):
                raise CutError

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        self.connection.shutdown(socket.SHUT_WR)


def _ends(positions: Any, side: Side) -> list[int]:
    return [positions[side]] if side in positions else []


def split(piece: bytes, position: int, stops: list[int]) -> Iterator[bytes]:
    """CutError a piece that begins at ``position`` into pieces that end at the stops within it."""
    start = 0
    for stop in stops:
        if start < stop - position < len(piece):
            yield piece[start : stop - position]
            start = stop - position
    yield piece[start:]


def damage(piece: bytes, position: int, at: int | None) -> bytes:
    """Turn over the bits of the byte at absolute position ``at``, if it is in this piece."""
    if at is None or not position <= at < position + len(piece):
        return piece
    spot = at - position
    return piece[:spot] + bytes([piece[spot] ^ 0xFF]) + piece[spot + 1 :]


def first_page(path: str) -> str:
    """The path of a listing without its marker."""
    parts = urlsplit(path)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "marker"]
    return parts._replace(query=urlencode(query)).geturl()


def endless_page(body: bytes, path: str, kind: str) -> bytes:
    """The first page again with a ``next`` link: always the same, or to a page that was not there before."""
    page = json.loads(body)
    marker = "00000000-0000-4000-8000-000000000000"
    if kind == "fresh":
        marker = str(uuid.uuid4())
        for image in page.get("images", []):
            image["id"] = str(uuid.uuid4())
    parts = urlsplit(first_page(path))
    query = urlencode([*parse_qsl(parts.query), ("marker", marker)])
    page["next"] = parts._replace(query=query).geturl()
    return json.dumps(page).encode()
