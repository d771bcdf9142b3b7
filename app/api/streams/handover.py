"""Takes a connection out of the web server's hands, so that no thread of its has to wait with it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

_SOCKET_KEY = "gunicorn.socket"


def plain_connection(environ: Mapping[str, Any]) -> socket.socket | None:
    """The request's connection, if it carries plain HTTP/1 and the server shows it to us; else None."""
    connection = environ.get(_SOCKET_KEY)
    # Not a subclass: TLS has a state of its own that cannot be moved.
    if type(connection) is not socket.socket or environ.get("HTTP_VERSION") == "2":
        return None
    return connection


def take_over(connection: socket.socket) -> socket.socket:
    """Move a connection to a socket of our own.

    Closing it is not enough to keep the server off it: gunicorn shuts the connection down, which
    reaches every copy of the descriptor. So the server's descriptor is made to stand for another
    socket, whose far end is closed: what the server still writes fails as with any client that has
    gone, and it cleans up after that as it always does.
    """
    ours = connection.dup()
    dead, far_end = socket.socketpair()
    with dead, far_end:
        os.dup2(dead.fileno(), connection.fileno(), inheritable=False)
    ours.setblocking(False)
    return ours
