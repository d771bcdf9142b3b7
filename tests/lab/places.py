"""Where the lab's parts are on disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SERVICES = HERE / "services"
REQUIREMENTS = ROOT / "requirements-lab.txt"
VENV_VARIABLE = "SYNCLINE_LAB_VENV"


class LabError(RuntimeError):
    """The lab cannot be built or started; the text says why and what to do."""


def lab_venv() -> Path:
    """The virtual environment with Keystone and Glance; ``LabError`` if it is not there."""
    venv = Path(os.environ.get(VENV_VARIABLE) or ROOT / ".venv-lab")
    if not (venv / "bin" / "gunicorn").is_file():
        raise LabError(f"no Keystone and Glance in {venv}: run 'make venv-lab'")
    return venv


def template_directory() -> Path:
    """Home of the prepared databases, named by all that shapes them."""
    digest = hashlib.sha256()
    for source in (REQUIREMENTS, HERE / "template.py", HERE / "plan.py", SERVICES / "seed.py"):
        digest.update(source.read_bytes())
    return ROOT / "var" / "lab" / f"template-{digest.hexdigest()[:16]}"
