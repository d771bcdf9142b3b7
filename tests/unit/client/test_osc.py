"""The plugin of the openstack command line: its options, its client, its rows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError
from syncline_client import Client, Image, RegionSummary, Task
from syncline_client.osc import columns, plugin
from syncline_client.osc.regions import ListRegions, ShowRegion, StartRegion
from syncline_client.osc.tasks import CancelTask, ListTasks, ShowTask

from tests.unit.client.scripted import Reply, event, reply, serving, stream

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHORT = {"taskId": "t1", "status": "syncing"}
DONE = SHORT | {"status": "synced", "counts": {"ok": 1}, "items_total": 1, "items_done": 1}
LOST = SHORT | {"status": "failed", "reason": "lost"}
ENDED = stream(event(1, "ended", status="synced"))


def called(command: type, arguments: list[str], *replies: Reply) -> tuple[Any, list[tuple[str, str]]]:
    """What a command returns for a command line, and what it asked the service."""
    with serving(*replies) as server:
        app = SimpleNamespace(client_manager=SimpleNamespace(sync=Client.noauth(server.url)))
        made = command(app, Namespace())
        answer = made.take_action(made.get_parser("x").parse_args(arguments))
        table = (answer[0], [*answer[1]]) if answer else None
        assert server.left == []
        return table, [(asked.method, asked.path) for asked in server.asked]


@pytest.mark.parametrize(
    ("command", "arguments", "replies", "asked", "values"),
    [
        pytest.param(
            ListRegions, [], [reply({"regions": [{"name": "B", "counts": {"ok": 1}}]})],
            [("GET", "/regions")], [("B", "ok=1", None, None, None, None)], id="region-list",
        ),
        pytest.param(
            ShowRegion, ["B", "--image", "a", "--all"],
            [reply({"images": [{"name": "a", "status": "ok", "size": 3}]})],
            [("GET", "/regions/B")], [("a", "ok", None, None, 3, None)], id="region-show",
        ),
        pytest.param(
            ShowRegion, ["B", "--refresh"],
            [reply({"images": [], "task": SHORT}, 202), ENDED, reply(DONE), reply({"images": []})],
            [("GET", "/regions/B"), ("GET", "/regions/B/tasks/t1/events"), ("GET", "/regions/B/tasks/t1"),
             ("GET", "/regions/B")],
            [], id="region-show-anew",
        ),
        pytest.param(
            StartRegion, ["B", "--image", "a", "--dry-run"], [reply(SHORT)], [("POST", "/regions/B")],
            ["t1", "B", "syncing"], id="region-start",
        ),
        pytest.param(
            StartRegion, ["B", "--wait"], [reply(SHORT), ENDED, reply(DONE)],
            [("POST", "/regions/B"), ("GET", "/regions/B/tasks/t1/events"), ("GET", "/regions/B/tasks/t1")],
            ["t1", "B", "synced", "ok=1", "1/1"], id="region-start-and-wait",
        ),
        pytest.param(
            ListTasks, ["--region", "B", "--status", "failed", "--limit", "1"],
            [reply({"tasks": [LOST | {"region": "B"}] * 2})], [("GET", "/tasks")],
            [("t1", "B", "", "failed", "lost", None, None)], id="task-list",
        ),
        pytest.param(
            ShowTask, ["B", "t1"], [reply(LOST)], [("GET", "/regions/B/tasks/t1")],
            ["t1", "B", "failed", "lost"], id="task-show",
        ),
        pytest.param(
            CancelTask, ["B", "t1"], [reply(SHORT, 202)], [("POST", "/regions/B/tasks/t1/cancel")], None,
            id="task-cancel",
        ),
    ],
)  # fmt: skip
def test_each_command_does_its_work(
    command: type, arguments: list[str], replies: list[Reply], asked: list[tuple[str, str]], values: Any
) -> None:
    """A command asks the service what it stands for and shows the answer."""
    table, requests = called(command, arguments, *replies)
    assert requests == asked
    assert (table and table[1]) == values
    if table and isinstance(table[1], list) and table[1] and isinstance(table[1][0], tuple):
        assert all(len(row) == len(table[0]) for row in table[1])


@pytest.mark.parametrize(
    ("command", "arguments", "replies", "said"),
    [
        (ShowTask, ["B", "t"], [reply({"detail": "no task t"}, 404)], r"no task t \(HTTP 404\)"),
        (
            StartRegion,
            ["B", "--wait"],
            [reply(SHORT), stream(event(1, "ended")), reply(LOST)],
            "t1 failed: lost",
        ),
    ],
    ids=["refused", "task-failed"],
)
def test_failures_end_a_command(command: type, arguments: list[str], replies: list[Reply], said: str) -> None:
    """A failure is one line and exit code 1, as with every openstack command; a failed task too."""
    with pytest.raises(CommandError, match=said):
        called(command, arguments, *replies)


@pytest.mark.parametrize(
    ("argv", "environ", "endpoint"),
    [
        ([], {}, None),
        (["--os-sync-endpoint", "http://a"], {"OS_SYNC_ENDPOINT": "http://b"}, "http://a"),
        ([], {"OS_SYNC_ENDPOINT": "http://b"}, "http://b"),
    ],
    ids=["catalogue", "option", "variable"],
)
def test_options_of_the_plugin(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], environ: dict[str, str], endpoint: str | None
) -> None:
    """The address may be given as an option or in the environment."""
    monkeypatch.delenv("OS_SYNC_ENDPOINT", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    options = plugin.build_option_parser(ArgumentParser()).parse_args(argv)
    assert (options.os_sync_endpoint, options.os_sync_api_version) == (endpoint, plugin.DEFAULT_API_VERSION)


@pytest.mark.parametrize("member", ["sync_endpoint", "sync_endpoint_override"])
def test_client_of_the_plugin(member: str) -> None:
    """The address of the command line, or of the entry of clouds.yaml, is where the commands go."""
    with serving(reply({"regions": []})) as server:
        manager = SimpleNamespace(
            setup_auth=lambda: None,
            get_configuration=lambda: {member: server.url},
            session=Session(auth=NoAuth(endpoint="http://elsewhere.invalid")),
            region_name="",
            interface="",
        )
        assert plugin.make_client(manager).regions() == []
        assert len(server.asked) == 1


def test_rows_are_plain() -> None:
    """Times are ISO 8601, counts are sorted, and unknown values are left to the formatter."""
    region = RegionSummary("B", {"pending_upload": 1, "ok": 2}, planned_at=NOON, task_id="t")
    assert list(columns.region_rows([region])) == [
        ("B", "ok=2, pending_upload=1", NOON.isoformat(), None, "t", None)
    ]
    assert list(columns.image_rows([Image("a", "ok", "1", "m", "active", 5)])) == [
        ("a", "ok", "1", "active", 5, "m")
    ]
    assert columns.task_fields(Task("t", "synced", "B", started_at=NOON)) == (
        ("id", "region", "status", "started_at"),
        ("t", "B", "synced", NOON.isoformat()),
    )
