"""Follows the Dockerfile's steps in a clean directory, without an engine, and asks the result for its health.

``python scripts/check_dockerfile.py [--venv DIR]``: every COPY is done as the .dockerignore allows, the
requirements are installed into a virtual environment (or ``--venv`` is taken for it), then the image's own
command runs as it would in a container, on loopback with a database of its own. Exit code 1: a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0


@dataclass
class Stage:
    """One FROM with what follows it."""

    base: str
    name: str = ""
    copies: list[tuple[list[str], str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    user: str = ""
    command: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, continuation lines joined."""
    found: list[Stage] = []
    joined = re.sub(r"\\\n", " ", text)
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word == "FROM":
            parts = rest.split()
            found.append(Stage(parts[0], parts[2] if len(parts) > 2 else ""))
        else:
            _take(found[-1], word, rest.strip())
    return found


def _take(stage: Stage, word: str, rest: str) -> None:
    if word == "COPY":
        *sources, target = [part for part in rest.split() if not part.startswith("--from")]
        if "--from" not in rest:
            stage.copies.append((sources, target))
    elif word == "ENV":
        stage.environment.update(dict(re.findall(r"(\w+)=(\S+)", rest)))
    elif word == "RUN":
        stage.runs.append(rest)
    elif word == "USER":
        stage.user = rest
    elif word == "CMD":
        stage.command = json.loads(rest)
    stage.others.add(word)


def allowed(path: str, ignore: str) -> bool:
    """Whether the .dockerignore (everything but a list of exceptions) lets a path into the build."""
    kept = [line[1:] for line in ignore.splitlines() if line.startswith("!")]
    return any(path == entry or path.startswith(f"{entry}/") for entry in kept)


def copy_all(stage: Stage, target_root: Path) -> None:
    """Do a stage's COPY steps below a directory.

    Raises:
        FileNotFoundError: a source does not exist or is kept out of the build.

    """
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    for sources, target in stage.copies:
        for source in sources:
            origin = ROOT / source
            if not origin.exists() or not allowed(source, ignore):
                raise FileNotFoundError(f"COPY {source}: not there, or kept out by .dockerignore")
            place = target_root / target.lstrip("/")
            if origin.is_dir():
                shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place = place / origin.name if target.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, place)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _healthy(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    return False


def run_image(stage: Stage, root: Path, venv: Path) -> bool:
    """Start the image's command and ask it for its health; the process has ended afterwards."""
    port = _free_port()
    (root / "regions" / "Master").mkdir(parents=True)
    conf = root / "glancesync.conf"
    conf.write_text("[main]\nmaster_region = Master\n[master]\n", encoding="utf-8")
    environment = {
        **{key: value for key, value in stage.environment.items() if key != "PATH"},
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SYNCLINE_STATE_DIR": str(root / "state"),
        "SYNCLINE_HOST": "127.0.0.1",
        "SYNCLINE_PORT": str(port),
        "SYNCLINE_AUTH_STRATEGY": "noauth",
        "SYNCLINE_CLOUD": f"directory:{root / 'regions'}",
        "GLANCESYNC_CONFIG": str(conf),
        "HOME": str(root),
    }
    place = root / "opt" / "syncline"
    python = str(venv / "bin" / "python")
    upgrade = [python, "run.py", "db", "upgrade"]
    subprocess.run(upgrade, cwd=place, env=environment, check=True, timeout=60)
    command = [python if part == "python" else part for part in stage.command]
    process = subprocess.Popen(command, cwd=place, env=environment)
    try:
        return _healthy(port, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def main() -> int:
    """Build and try; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, help="an environment that holds the requirements already")
    given = parser.parse_args().venv
    build, image = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        root = Path(folder)
        copy_all(build, root)
        copy_all(image, root)
        venv = given.resolve() if given else root / "opt" / "venv"
        if given is None:
            subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
            pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--requirement"]
            subprocess.run([*pip, str(root / "tmp" / "requirements.txt")], check=True, timeout=900)
        healthy = run_image(image, root, venv)
    sys.stdout.write("the image answers\n" if healthy else "the image does not answer\n")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
