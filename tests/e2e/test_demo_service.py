"""``make demo``: the service is started, driven through REST, and ended in good order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import requests

from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 120


def start(home: Path, output: Path, **more: str) -> subprocess.Popen[bytes]:
    """The demonstration, in a directory of its own."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "demo.service", str(home)],
            cwd=ROOT,
            env={**os.environ, "ONCE": "", **more},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def test_demo_synchronises_everything_over_rest_and_ends(tmp_path: Path) -> None:
    """With ONCE=1 it shows before, live progress and after, decides a conflict, and ends all it started."""
    home, output = tmp_path / "a demo", tmp_path / "out"
    for _ in range(2):
        demo = start(home, output, ONCE="1")
        assert demo.wait(LIMIT_SECONDS) == 0, output.read_text()
        shown = output.read_text()
        before, middle, after = (part for part in shown.split("$ GET /regions\n")[1:4])
        assert "pending_upload" in before
        assert "Burgos: gpu-toolbox: pending_upload -> ok" in before
        assert "1 error_checksum" in middle
        for line in ("Burgos               12 ok", "Caceres              12 ok", "federation2:Madrid   5 ok"):
            assert line in after
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+", shown))
    try:
        left = requests.get(url, timeout=2)
    except requests.ConnectionError:
        left = None
    assert left is None


def test_demo_runs_until_it_is_ended(tmp_path: Path) -> None:
    """Without ONCE the service answers until the demo is told to end; then all its processes are gone."""
    output = tmp_path / "out"
    demo = start(tmp_path / "demo", output)
    try:
        wait_until(lambda: b"until Ctrl-C" in output.read_bytes(), LIMIT_SECONDS, "the end of the show", 0.1)
        found = re.search(r"answers at (http://\S+) until", output.read_text())
        assert found is not None
        assert requests.get(f"{found[1]}/readyz", timeout=10).json()["status"] == "ready"
        processes = psutil.Process(demo.pid).children(recursive=True)
        assert len(processes) >= 5
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(LIMIT_SECONDS) == 0
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert alive == []
    finally:
        demo.kill()


def test_demo_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A fault of the service is shown as the service tells it."""
    home, output = tmp_path / "demo", tmp_path / "out"
    home.mkdir()
    (home / "state").write_text("a file where a folder should be")
    demo = start(home, output, ONCE="1")
    assert demo.wait(LIMIT_SECONDS) == 1
    assert "The demo has failed: the database cannot be made" in output.read_text()
    assert "Traceback" not in output.read_text()
