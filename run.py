#!/usr/bin/env python3
"""Syncline's command line: ``python run.py --help``."""

import sys
from pathlib import Path

# The REST client is a distribution of its own; of a checkout it is used from where it stands.
sys.path.insert(1, str(Path(__file__).resolve().parent / "client"))

from app.cli.main import main

if __name__ == "__main__":
    main()
