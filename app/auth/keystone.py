"""Tokens validated by Keystone, through ``keystonemiddleware``'s auth_token.

The middleware is called for the requests that need a token, with an environment of its own that
holds the token and the path and nothing else a client sent; what it found out is read from the
identity variables it documents. Import this module only where Keystone is asked: the middleware
takes half a second and 20 MB.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol

from app.auth.caller import Caller
from app.auth.tokens import TokenStore
from app.errors import TokenEmptyError, TokenMissingError, TokenRejectedError, UnreachableError
from app.settings import AuthSettings

log = logging.getLogger(__name__)

Environ = dict[str, Any]

CONNECT_SECONDS = 5
RETRIES = 1
_STORE_KEY = "syncline.token_store"
_CONFIRMED = "Confirmed"


def keystone_v3(url: str) -> str:
    """The address of the v3 API for any address an operator may have written (spec images 14.10)."""
    base = url.rstrip("/")
    for suffix in ("/v2.0", "/v3"):
        base = base.removesuffix(suffix)
    return f"{base}/v3"


def middleware_options(auth: AuthSettings) -> dict[str, Any]:
    """The settings in the words of ``keystone_authtoken``."""
    project = (
        {"project_id": auth.service_project_id}
        if auth.service_project_id
        else {
            "project_name": auth.service_project_name,
            "project_domain_name": auth.service_project_domain_name,
        }
    )
    return {
        "auth_type": "password",
        "auth_url": keystone_v3(auth.keystone_url),
        "username": auth.service_username,
        "password": auth.service_password,
        "user_domain_name": auth.service_user_domain_name,
        **project,
        "www_authenticate_uri": keystone_v3(auth.keystone_url),
        "auth_version": "v3",
        "interface": auth.keystone_interface,
        "cafile": auth.keystone_cacert or None,
        # For the middleware 0 would mean for ever.
        "token_cache_time": auth.token_cache_seconds or -1,
        "cache": _STORE_KEY,
        "include_service_catalog": False,
        "http_connect_timeout": CONNECT_SECONDS,
        "http_request_max_retries": RETRIES,
        "service_token_roles_required": True,
        # It answers 503 itself where Keystone is away only if the decision is not put off.
        "delay_auth_decision": False,
    }


class KeystoneIdentity:
    """Finds out who owns a token."""

    def __init__(self, auth: AuthSettings) -> None:
        self._store = TokenStore()
        self._authenticate = f'Keystone uri="{keystone_v3(auth.keystone_url)}"'
        # It warns of each option of the login, because it looks for their descriptions only afterwards.
        logging.getLogger("keystonemiddleware._common.config").setLevel(logging.ERROR)
        self._protocol = AuthProtocol(_confirm, middleware_options(auth))

    @property
    def challenge(self) -> str:
        """The value of ``WWW-Authenticate`` for those who bring no good token."""
        return self._authenticate

    def caller(self, environ: Environ) -> Caller:
        """The owner of the request's token.

        Raises:
            TokenMissingError, TokenEmptyError, TokenRejectedError: there is no good token.
            UnreachableError: Keystone cannot be asked.

        """
        token = environ.get("HTTP_X_AUTH_TOKEN")
        if token is None:
            raise TokenMissingError("no X-Auth-Token")
        if not token.strip():
            raise TokenEmptyError("Token is empty")
        inner = _inner_environ(environ, token)
        inner[_STORE_KEY] = self._store
        status = self._ask(inner)
        if status == 401:
            raise TokenRejectedError("the token is not valid")
        if status != 204 or inner.get("HTTP_X_IDENTITY_STATUS") != _CONFIRMED:
            raise _away()
        return _caller(inner)

    def _ask(self, inner: Environ) -> int:
        statuses: list[int] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], None]:  # noqa: ARG001
            statuses.append(int(status[:3]))
            return lambda _: None

        try:
            for _ in self._protocol(inner, start_response):
                pass
        except ClientException as error:
            # The text of such an error may hold an address, never a token.
            log.warning("Keystone cannot be asked: %s", error)
            raise _away() from error
        return statuses[-1]


def _away() -> UnreachableError:
    return UnreachableError("Keystone does not answer", remedy="try again later")


def _confirm(environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:  # noqa: ARG001
    """What the middleware lets a request with a good token through to."""
    start_response("204 No Content", [])
    return []


def _inner_environ(environ: Environ, token: str) -> Environ:
    return {
        "REQUEST_METHOD": environ["REQUEST_METHOD"],
        "SCRIPT_NAME": "",
        "PATH_INFO": environ.get("PATH_INFO", "/"),
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_X_AUTH_TOKEN": token,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _caller(inner: Environ) -> Caller:
    def text(name: str) -> str:
        return str(inner.get(f"HTTP_X_{name}") or "")

    return Caller(
        user_id=text("USER_ID"),
        user_name=text("USER_NAME"),
        roles=frozenset(role for role in text("ROLES").split(",") if role),
        user_domain_id=text("USER_DOMAIN_ID"),
        project_id=text("PROJECT_ID"),
        project_domain_id=text("PROJECT_DOMAIN_ID"),
        domain_id=text("DOMAIN_ID"),
        system_scope=str(inner.get("HTTP_OPENSTACK_SYSTEM_SCOPE") or ""),
    )
