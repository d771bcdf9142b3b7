"""A proxy that breaks things on demand: stands before one Glance or Keystone, in the test's own process.

    with FaultyProxy(region.url) as proxy:
        proxy.on("PUT", r"/file$", times=1).respond(503, retry_after_seconds=1)
        ...
        assert proxy.count("PUT", r"/file$") == 2

Rules are tried in the order they were given; a rule whose ``times`` are used up is passed over. What no rule
wants goes through as it is, streaming in both directions. Paths are matched with their query.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

HOST = "127.0.0.1"
Side = Literal["request", "response"]
Endless = Literal["repeat", "fresh"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. Positions count bytes of the body, from 0.

    Attributes:
        status: answer this instead of asking upstream.
        read_before_answer_bytes: how much of the request's body is read before that answer; None: all of it.
        cut_after: close both connections once so many bytes have gone in that direction.
        stall_after: stop there and hold both connections until the proxy is closed or released.
        corrupt_at: deliver the byte at this position with all bits turned over.
        pace_bytes_per_second: speed of the response's body.
        rewrite: given the whole response body, the one to deliver.
        length_error_bytes: added to the Content-Length of the response; the body stays.
        endless: a listing whose ``next`` link repeats itself, or leads to ever new pages.
        call_after: ``call`` runs once so many bytes of the request's body have gone upstream.

    """

    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    read_before_answer_bytes: int | None = None
    cut_after: Mapping[Side, int] = field(default_factory=dict)
    reset: bool = False
    stall_after: Mapping[Side, int] = field(default_factory=dict)
    corrupt_at: Mapping[Side, int] = field(default_factory=dict)
    pace_bytes_per_second: float | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    length_error_bytes: int = 0
    endless: Endless | None = None
    call: Callable[[], object] | None = None
    call_after: int = 0


@dataclass
class Rule:
    """Which requests a fault is for; the methods choose the fault and put the rule into force."""

    proxy: FaultyProxy
    method: str
    pattern: re.Pattern[str]
    times: int | None
    skip: int
    fault: Fault = field(default_factory=Fault)

    def wants(self, method: str, path: str) -> bool:
        """Whether the rule is for this request; a match uses it up."""
        if self.method not in (method, "*") or not self.pattern.search(path) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def does(self, fault: Fault) -> Rule:
        """Put the rule into force with any fault."""
        self.fault = fault
        self.proxy.add(self)
        return self

    def respond(
        self,
        status: int,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        retry_after_seconds: int | None = None,
        read_bytes: int | None = None,
    ) -> Rule:
        """Answer with a status; upstream never sees the request."""
        fields = dict(headers or {})
        if retry_after_seconds is not None:
            fields["Retry-After"] = str(retry_after_seconds)
        return self.does(Fault(status=status, body=body, headers=fields, read_before_answer_bytes=read_bytes))

    def cut(self, side: Side, after_bytes: int = 0, *, reset: bool = False) -> Rule:
        """Close the connections in the middle of a body, in an orderly way or with a reset."""
        return self.does(Fault(cut_after={side: after_bytes}, reset=reset))

    def stall(self, side: Side, after_bytes: int = 0) -> Rule:
        """Let nothing more through, without closing."""
        return self.does(Fault(stall_after={side: after_bytes}))

    def drip(self, bytes_per_second: float = 1.0) -> Rule:
        """Deliver the response's body slowly."""
        return self.does(Fault(pace_bytes_per_second=bytes_per_second))

    def corrupt(self, side: Side = "response", at_byte: int = 0) -> Rule:
        """Damage one byte on the way."""
        return self.does(Fault(corrupt_at={side: at_byte}))

    def bad_json(self) -> Rule:
        """Deliver half of the answer as if it were the whole."""
        return self.does(Fault(rewrite=lambda body: body[: len(body) // 2]))

    def rewrite(self, change: Callable[[bytes], bytes]) -> Rule:
        """Deliver another body."""
        return self.does(Fault(rewrite=change))

    def wrong_length(self, error_bytes: int) -> Rule:
        """Announce more or fewer bytes than there are."""
        return self.does(Fault(length_error_bytes=error_bytes))

    def endless(self, kind: Endless = "fresh") -> Rule:
        """A listing without end."""
        return self.does(Fault(endless=kind))

    def call(self, action: Callable[[], object], after_bytes: int = 0) -> Rule:
        """Do something in the middle of a request's body, then go on."""
        return self.does(Fault(call=action, call_after=after_bytes))


@dataclass
class Exchange:
    """One request that reached the proxy. ``status`` is 0 until an answer has been sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int = 0
    request_bytes: int = 0
    response_bytes: int = 0


class FaultyProxy:
    """The proxy itself. ``url`` is what clients use instead of ``upstream``."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        if not parts.hostname or not parts.port:
            raise ValueError(f"an address with a port is needed, not {upstream!r}")
        self.upstream = (parts.hostname, parts.port)
        self.released = threading.Event()
        self.exchanges: list[Exchange] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = self._bind(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.accept()

    def on(self, method: str, pattern: str, *, times: int | None = None, skip: int = 0) -> Rule:
        """A rule for requests of a method (``*``: any) whose path matches.

        ``skip`` of them pass, the next ``times`` (None: all) are hit. The rule comes into force by choosing
        what it does.
        """
        return Rule(self, method, re.compile(pattern), times, skip)

    def add(self, rule: Rule) -> None:
        """Put a rule into force, after those that are."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Drop all rules and let stalled requests end."""
        with self._lock:
            self._rules.clear()
        self.release()

    def release(self) -> None:
        """End what is stalled now: those connections are closed."""
        self.released.set()
        self.released = threading.Event()

    def fault_for(self, method: str, path: str) -> Fault:
        """What is to happen to a request; a harmless fault if nothing is."""
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.wants(method, path)), Fault())

    def count(self, method: str = "*", pattern: str = "") -> int:
        """How many requests came in."""
        return len(self.seen(method, pattern))

    def seen(self, method: str = "*", pattern: str = "") -> list[Exchange]:
        """The requests that came in, in order."""
        with self._lock:
            return [
                one for one in self.exchanges if method in (one.method, "*") and re.search(pattern, one.path)
            ]

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self.exchanges.clear()

    @property
    def request_bytes(self) -> int:
        """Bytes of request bodies that were passed on or taken."""
        return sum(one.request_bytes for one in self.seen())

    @property
    def response_bytes(self) -> int:
        """Bytes of response bodies that were delivered."""
        return sum(one.response_bytes for one in self.seen())

    def record(self, exchange: Exchange) -> None:
        """Remember a request."""
        with self._lock:
            self.exchanges.append(exchange)

    def refuse(self) -> None:
        """Refuse connections from now on and cut those that are open. The port stays ours."""
        self._stop_listening()
        self._listener = self._bind(self.port)

    def accept(self) -> None:
        """Accept connections (again)."""
        self._listener.listen(128)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """End everything."""
        self.released.set()
        self._stop_listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def _bind(port: int) -> socket.socket:
        """A socket that has the port but does not listen: the kernel refuses connections to it."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        return listener

    def _stop_listening(self) -> None:
        shut(self._listener)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            shut(connection)

    def _serve(self, listener: socket.socket) -> None:
        from tests.lab.relay import Relay

        while True:
            try:
                connection, address = listener.accept()
            except OSError:  # shut down by refuse() or close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._talk, args=(Relay, connection, address), daemon=True).start()

    def _talk(self, relay: Callable[..., object], connection: socket.socket, address: object) -> None:
        try:
            relay(connection, address, self)
        except OSError:  # the client went away, which is its right
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


def shut(connection: socket.socket) -> None:
    """Wake whoever waits on a socket; it may be gone already."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
