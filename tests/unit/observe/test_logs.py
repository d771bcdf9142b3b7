"""One JSON line for each event, which says what it is about."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, g

from app.observe import logs
from app.observe.secrets import MASK, SecretFilter
from app.settings import ApiSettings, AuthSettings, LogFormat, ServiceSettings

LOG = logging.getLogger("tests.observe")
SETTINGS = ServiceSettings(auth=AuthSettings(service_password="swordfish"))


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def stream(root: logging.Logger) -> io.StringIO:
    """Where the lines of this test go."""
    out = io.StringIO()
    logs.configure(SETTINGS, out)
    return out


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """What was written, parsed."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_its_facts(stream: io.StringIO) -> None:
    """Time, level, logger and message stand in each line, and what the caller gave beside."""
    LOG.info("%d regions", 3, extra={"milliseconds": 1.5, "user": None})
    (line,) = lines(stream)
    assert line["level"] == "info"
    assert line["logger"] == "tests.observe"
    assert line["message"] == "3 regions"
    assert line["milliseconds"] == 1.5
    assert "user" not in line
    assert str(line["time"]).endswith("Z")


def test_bound_fields_stand_in_every_line_meanwhile(stream: io.StringIO) -> None:
    """Request, job, task and region are named by lines that know nothing of them, inner ones first."""
    with logs.bound(region="Burgos", task_id=None):
        with logs.bound(region="Caceres", job_id=7):
            LOG.info("inner")
        LOG.info("outer")
    LOG.info("after")
    inner, outer, after = lines(stream)
    assert (inner["region"], inner["job_id"]) == ("Caceres", "7")
    assert outer["region"] == "Burgos"
    assert not {"task_id", "job_id"} & set(outer)
    assert "region" not in after


def test_fields_of_one_thread_do_not_stand_in_lines_of_another(stream: io.StringIO) -> None:
    """Two requests at once are not mixed up."""
    with logs.bound(request_id="req-1"):
        other = threading.Thread(target=LOG.info, args=("other",))
        other.start()
        other.join()
    assert "request_id" not in lines(stream)[0]


@pytest.mark.parametrize("call", [logs.bind, lambda **fields: logs.bound(**fields).__enter__()])
def test_only_known_fields_can_be_bound(call: object) -> None:
    """The same thing has the same name in all lines."""
    with pytest.raises(ValueError, match="reqid"):
        call(reqid="1")  # type: ignore[operator]


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_no_secret_in_message_facts_or_trace(root: logging.Logger, log_format: LogFormat) -> None:
    """Tokens and passwords are masked also in what an exception says."""
    out = io.StringIO()
    logs.configure(replace(SETTINGS, api=ApiSettings(log_format=log_format)), out)
    try:
        raise ValueError("postgresql://u:hunter2@db and swordfish")
    except ValueError:
        LOG.exception("with %s", "swordfish", extra={"path": "/x?password=hunter2"})
    text = out.getvalue()
    assert "swordfish" not in text
    assert "hunter2" not in text
    assert text.count(MASK) >= 4
    assert "ValueError" in text


def test_text_is_for_people(root: logging.Logger) -> None:
    """The text format keeps one event on one line, even if somebody sends a line break."""
    out = io.StringIO()
    logs.configure(replace(SETTINGS, api=ApiSettings(log_format=LogFormat.TEXT)), out)
    with logs.bound(region="Burgos"):
        LOG.warning("a\nb")
    (line,) = out.getvalue().splitlines()
    assert "WARNING tests.observe: a\\nb [region=Burgos]" in line


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    """A mistake in a log call shows in the log and ends nothing."""
    record = logging.makeLogRecord({"msg": "%d regions", "args": ("many",), "levelname": "INFO"})
    line = json.loads(logs.JsonFormatter(SecretFilter()).format(record))
    assert line["message"].startswith("%d regions (log arguments do not fit")


def test_level_is_that_of_the_settings(root: logging.Logger) -> None:
    """Below the level nothing is written; libraries that tell every step are kept quiet."""
    out = io.StringIO()
    logs.configure(replace(SETTINGS, api=ApiSettings(log_level="warning")), out)
    LOG.info("quiet")
    logging.getLogger("urllib3.connectionpool").warning("loud")
    assert [line["message"] for line in lines(out)] == ["loud"]


def test_lines_of_a_request_carry_its_id_and_no_other(stream: io.StringIO) -> None:
    """Every line that a request causes names it, and the next request on the thread is not it."""
    app = Flask("test")
    ids = iter(["req-1", None])

    @app.before_request
    def number() -> None:
        g.request_id = next(ids)

    logs.init_app(app)

    @app.get("/")
    def index() -> str:
        LOG.info("work")
        return ""

    with app.test_client() as client:
        client.get("/")
        client.get("/")
    assert [line.get("request_id") for line in lines(stream)] == ["req-1", None]


def test_nothing_stays_bound_after_a_request() -> None:
    """What a thread logs after it has answered is not told as part of that request."""
    app = Flask(__name__)
    logs.init_app(app)

    @app.get("/")
    def view() -> dict[str, str]:
        logs.bind(region="Burgos")
        return dict(logs.bound_fields())

    assert app.test_client().get("/").json == {"region": "Burgos"}
    assert logs.bound_fields() == {}
