"""Start the lab for a person: ``.venv/bin/python -m tests.lab``. Ends with Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.membership import membership
from tests.lab.places import LabError
from tests.lab.plan import MASTER_REGION


def usage(lab: Lab, conf: Path) -> str:
    """What a person needs to know to play."""
    regions = "\n".join(f"  {name:20} {region.url}" for name, region in lab.regions.items())
    variables = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in lab.openrc().items())
    option = f"--config-file {shlex.quote(str(conf))}"
    return f"""
Image services ({MASTER_REGION} is the master):
{regions}

Credentials of the master federation, for any OpenStack client:
{variables}

A ready configuration for both federations: {conf}
Things to try:
  .venv/bin/python run.py regions {option}
  .venv/bin/python run.py status {option}
  .venv/bin/python run.py sync {option} --dry-run
  .venv/bin/python run.py sync {option}
  .venv/bin/python run.py sync {option} federation2:Madrid

Three images wait in {MASTER_REGION}. Logs: {lab.description.directory}
Ctrl-C ends the lab and removes everything.
"""


def fill(lab: Lab) -> None:
    """Something to synchronise."""
    master = lab.client()
    master.create("tiny-linux", b"tiny" * 1000, os_distro="tiny")
    master.create("medium-linux", 8 * 1024 * 1024, os_distro="medium")
    master.create("secret-linux", b"secret" * 1000, visibility="private")


def main() -> int:
    """Run until a person ends it."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    try:
        with tempfile.TemporaryDirectory(prefix="syncline-lab-") as name:
            directory = Path(name)
            with membership(directory) as description:
                lab = Lab(description)
                conf = directory / "glancesync.conf"
                conf.write_text(lab.conf(), encoding="utf-8")
                fill(lab)
                sys.stdout.write(usage(lab, conf))
                sys.stdout.flush()
                over.wait()
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
