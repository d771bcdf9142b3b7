"""Gunicorn, set up by the service's settings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.errors import ConfigurationError, SynclineError
from app.observe import logs
from app.observe.multiprocess import forget_process, shared_folder
from app.serve.folders import make_folder
from app.settings import ServiceSettings

log = logging.getLogger(__name__)

HEADER_BYTES = 8190
HEADER_FIELDS = 60
KEEP_ALIVE_SECONDS = 5
BACKLOG = 1024

WsgiApplication = Callable[..., Any]


class ServiceLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own messages among all others; requests are told by the application."""

    def setup(self, cfg: Config) -> None:
        """Hand the messages to the handlers of the process."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def address(host: str, port: int) -> str:
    """``host:port`` as gunicorn wants it, also for IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def gunicorn_options(settings: ServiceSettings) -> dict[str, object]:
    """The options of gunicorn that follow from the settings."""
    api = settings.api
    return {
        "bind": address(api.host, api.port),
        "workers": api.web_workers,
        "worker_class": "gthread",
        "threads": api.web_threads,
        "timeout": api.web_timeout_seconds,
        "graceful_timeout": api.web_grace_seconds,
        "keepalive": KEEP_ALIVE_SECONDS,
        "backlog": BACKLOG,
        "limit_request_line": HEADER_BYTES,
        "limit_request_fields": HEADER_FIELDS,
        "limit_request_field_size": HEADER_BYTES,
        "pidfile": api.pidfile or None,
        "loglevel": api.log_level,
        "logger_class": ServiceLog,
        "proc_name": "syncline",
        "control_socket_disable": True,
        "child_exit": _child_exit,
    }


def _child_exit(_arbiter: Arbiter, worker: Any) -> None:  # noqa: ANN401  # gunicorn has no types
    forget_process(worker.pid)


class WebService(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The web processes of the service.

    Args:
        settings: checked already.
        reload: reads the settings again on SIGHUP; where they are wrong, the old ones stay.

    """

    def __init__(self, settings: ServiceSettings, reload: Callable[[], ServiceSettings]) -> None:
        self._settings = settings
        self._reload = reload
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; called at the start and on reload."""
        for name, value in gunicorn_options(self._settings).items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """SIGHUP: new settings for new web processes, which replace the old ones one by one."""
        try:
            self._settings = self._reload()
        except ConfigurationError as error:
            log.error("reload: the settings stay as they were: %s", error)  # noqa: TRY400  # no trace of use
        logs.configure(self._settings)
        # Made anew by the new processes, which then hold the new code too.
        self.callable = None
        super().reload()

    def load(self) -> WsgiApplication:
        """The application; called in each web process, after the fork."""
        from app import create_app

        try:
            return create_app(self._settings)
        except SynclineError as error:
            log.error("the application cannot start: %s", error)  # noqa: TRY400  # the line says it all
            # Gunicorn takes this code as: do not try again.
            sys.exit(Arbiter.APP_LOAD_ERROR)


def serve(settings: ServiceSettings, reload: Callable[[], ServiceSettings]) -> None:
    """Answer requests until SIGTERM; SIGHUP reloads. Does not return.

    Raises:
        ConfigurationError: the folder of the pidfile or of the state cannot be made.

    """
    if settings.api.pidfile:
        make_folder(Path(settings.api.pidfile).parent)
    make_folder(settings.service.state_dir)
    with shared_folder(settings.service.state_dir):
        WebService(settings, reload).run()
