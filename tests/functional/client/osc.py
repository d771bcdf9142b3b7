"""The real openstack command with the plugin as pip installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.functional.client.service import ROOT

INSTALL_SECONDS = 240
CALL_SECONDS = 120


def install(target: Path) -> Path:
    """Build the client from its sources and install it into a folder of its own."""
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*call, "--no-deps", "--target", str(target), str(ROOT / "client")],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return target


def openstack(
    installed: Path, home: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """One call, in a folder that may hold a clouds.yaml, without the caller's own credentials."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    settings = {"PYTHONPATH": str(installed), "HOME": str(home), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [str(Path(sys.executable).parent / "openstack"), *arguments],
        cwd=home,
        env=kept | settings | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=CALL_SECONDS,
    )
