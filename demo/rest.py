"""What the demonstrations ask of the service over REST, and how they show it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from demo.processes import DemoError

MIB = 1024 * 1024
ANSWER_SECONDS = 60.0
TASK_SECONDS = 300.0

_screen = threading.Lock()


def say(text: str = "") -> None:
    """A line, at once and whole."""
    with _screen:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Api:
    """A service and who asks it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def call(self, method: str, path: str, **query: str) -> dict[str, Any]:
        """One request; the answer's body.

        Raises:
            DemoError: the service refuses it.

        """
        answer = requests.request(
            method, f"{self.url}{path}", params=query, headers=dict(self.headers), timeout=ANSWER_SECONDS
        )
        if not answer.ok:
            raise DemoError(f"{method} {path}: {answer.status_code} {answer.text}")
        body: dict[str, Any] = answer.json()
        return body

    def events(self, region: str, task_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What happens in a task, live, to its end: kind and data."""
        path = f"{self.url}/regions/{region}/tasks/{task_id}/events"
        headers = {**self.headers, "Accept": "text/event-stream"}
        with requests.get(path, headers=headers, stream=True, timeout=ANSWER_SECONDS) as answer:
            if not answer.ok:
                raise DemoError(f"GET {path}: {answer.status_code}")
            yield from _parsed(answer)


def _parsed(answer: requests.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    kind, data = "", ""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data":
            data += value.strip()
        elif not line and data:
            yield kind, json.loads(data)
            kind, data = "", ""


def told(region: str, kind: str, data: Mapping[str, Any]) -> str | None:
    """The line for one event; None for those that a person need not see."""
    match kind:
        case "started":
            return f"{region}: {data['items']} images, {data['bytes'] / MIB:.1f} MB to bring"
        case "progress" if data["sent_bytes"]:
            return f"{region}:   {data['name']} ... {data['sent_bytes'] / MIB:.1f} MB"
        case "item_finished":
            ending = f" ({data['error']})" if data["error"] else ""
            return f"{region}: {data['name']}: {data['before']} -> {data['status']}{ending}"
        case "ended":
            return f"{region}: {data['status']}{': ' + data['reason'] if data['reason'] else ''}"
    return None


def synchronise(api: Api, region: str) -> str:
    """Start a task and show its events to its end; its status."""
    task_id = api.call("POST", f"/regions/{region}")["taskId"]
    say(f"$ POST /regions/{region}    task {task_id}")
    for kind, data in api.events(region, task_id):
        line = told(region, kind, data)
        if line is not None:
            say(line)
    status: str = api.call("GET", f"/regions/{region}/tasks/{task_id}")["status"]
    return status


def synchronise_all(api: Api, regions: Sequence[str]) -> dict[str, str]:
    """All at once, as clients do; the status of each region's task."""
    with ThreadPoolExecutor(max_workers=len(regions)) as pool:
        return dict(zip(regions, pool.map(lambda region: synchronise(api, region), regions), strict=True))


def look(api: Api, regions: Sequence[str]) -> None:
    """Let a worker compare the regions with the master, and wait until it has."""
    started = {region: api.call("GET", f"/regions/{region}", refresh="true") for region in regions}
    deadline = time.monotonic() + TASK_SECONDS
    for region in started:
        while any(
            task["region"] == region and task["mode"] == "plan"
            for task in api.call("GET", "/tasks", status="syncing")["tasks"]
        ):
            if time.monotonic() > deadline:
                raise DemoError(f"{region} was not looked at within {TASK_SECONDS:.0f} s")
            time.sleep(0.1)


def show_regions(api: Api, regions: Sequence[str]) -> dict[str, dict[str, int]]:
    """Print how the regions stand; their images by status."""
    say("\n$ GET /regions")
    known = {entry["name"]: entry["counts"] for entry in api.call("GET", "/regions")["regions"]}
    counts = {region: known[region] for region in regions}
    for region, found in counts.items():
        listed = ", ".join(f"{number} {status}" for status, number in sorted(found.items()))
        say(f"  {region:20} {listed or 'nothing known'}")
    say()
    return counts


def unfinished(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Regions with images that are not ``ok``."""
    return [region for region, found in counts.items() if set(found) != {"ok"}]
