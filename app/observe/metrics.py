"""``/metrics`` for Prometheus: requests of all web processes, and what the database knows.

Under gunicorn each web process counts into files of its own below ``PROMETHEUS_MULTIPROC_DIR``
(``app.observe.multiprocess`` sets that up); whoever is scraped adds all files up. Names are documented
in docs/operations.md.
"""

from __future__ import annotations

import os
from time import perf_counter

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from app.db import Database
from app.observe.facts import FactsCollector
from app.observe.multiprocess import DIRECTORY_VARIABLE

NO_ROUTE = "none"
"""Label of requests that match no route: their paths are anybody's choice and must not become labels."""

LATENCY_BOUNDS_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route() -> str:
    return request.url_rule.rule if request.url_rule is not None else NO_ROUTE


def _method() -> str:
    return request.method if request.method in KNOWN_METHODS else "other"


def init_app(app: Flask, database: Database) -> None:
    """Count requests and add ``/metrics``, which needs no token and is not for the outside."""
    own = CollectorRegistry()
    requests = Counter(
        "syncline_http_requests",
        "Requests answered, by route, method and status.",
        ("method", "route", "status"),
        registry=own,
    )
    latencies = Histogram(
        "syncline_http_request_duration_seconds",
        "Time until the answer began, by route and method.",
        ("method", "route"),
        buckets=LATENCY_BOUNDS_SECONDS,
        registry=own,
    )
    shown = CollectorRegistry()
    if os.environ.get(DIRECTORY_VARIABLE):
        MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    else:
        shown = own
    shown.register(FactsCollector(database))

    @app.before_request
    def begin() -> None:
        g.syncline_metrics_started = perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        started = g.get("syncline_metrics_started")
        if started is not None:
            latencies.labels(_method(), _route()).observe(perf_counter() - started)
        requests.labels(_method(), _route(), response.status_code).inc()
        return response

    views = Blueprint("metrics", __name__)

    @views.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(shown), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.register_blueprint(views)
