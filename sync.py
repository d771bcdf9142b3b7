#!/usr/bin/env python3
"""Drop-in for the command of GlanceSync: ``python sync.py --help``."""

from app.cli.legacy import main

if __name__ == "__main__":
    main()
