"""What /readyz says follows from its parts."""

from __future__ import annotations

import socket
from http import HTTPStatus

import pytest
import responses
from requests import ConnectionError as NoConnection

from app.observe.health import Part, PartStatus, broker_part, keystone_part, overall
from app.settings import AuthSettings, AuthStrategy, DispatcherKind, JobSettings, ServiceSettings

KEYSTONE = ServiceSettings(
    auth=AuthSettings(auth_strategy=AuthStrategy.KEYSTONE, keystone_url="http://keystone.example/v3")
)

WORDS = {
    "all well": ([PartStatus.OK, PartStatus.NOT_USED], "ready", HTTPStatus.OK),
    "Keystone away": ([PartStatus.OK, PartStatus.DEGRADED], "degraded", HTTPStatus.OK),
    "database away": (
        [PartStatus.FAILED, PartStatus.DEGRADED],
        "not ready",
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
}


@pytest.mark.parametrize(("statuses", "word", "code"), WORDS.values(), ids=WORDS)
def test_one_failed_part_makes_the_whole_not_ready(
    statuses: list[PartStatus], word: str, code: HTTPStatus
) -> None:
    """A part that is only degraded leaves the service in the rotation."""
    parts = {str(number): Part(status, "") for number, status in enumerate(statuses)}
    assert overall(parts) == (word, code)


@pytest.mark.parametrize("url", ["http://keystone.example", "http://keystone.example/v3/"])
@responses.activate
def test_keystone_is_asked_at_its_version(url: str) -> None:
    """The identity endpoint may be given with or without version."""
    responses.get("http://keystone.example/v3", json={})
    settings = ServiceSettings(auth=AuthSettings(keystone_url=url))
    assert keystone_part(settings).status is PartStatus.OK


@pytest.mark.parametrize(
    "answer", [{"status": 503}, {"body": NoConnection("http://u:secret@x")}], ids=["failing", "away"]
)
@responses.activate
def test_keystone_away_is_degraded(answer: dict[str, object]) -> None:
    """Known tokens still work without Keystone, so the service is degraded and not dead."""
    responses.get("http://keystone.example/v3", **answer)  # type: ignore[arg-type]
    part = keystone_part(KEYSTONE)
    assert part.status is PartStatus.DEGRADED
    assert "secret" not in part.detail


def test_parts_that_are_not_used_are_not_asked() -> None:
    """Without authentication there is no Keystone, and the embedded dispatcher has no broker."""
    settings = ServiceSettings(auth=AuthSettings(auth_strategy=AuthStrategy.NOAUTH))
    assert keystone_part(settings).status is PartStatus.NOT_USED
    assert broker_part(settings).status is PartStatus.NOT_USED


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_broker_away_is_failed(scheme: str) -> None:
    """Without its broker the service says so in seconds."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://u:secret@127.0.0.1:{unused.getsockname()[1]}/"
        jobs = JobSettings(dispatcher=DispatcherKind.CELERY, broker_url=url)
        part = broker_part(ServiceSettings(jobs=jobs))
    assert part.status is PartStatus.FAILED
    assert "secret" not in part.detail
