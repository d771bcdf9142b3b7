"""What a task id looks like; anything else is not looked for, since not every database takes any text."""

from __future__ import annotations

import re

_TASK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_task_id(text: str) -> bool:
    """Whether the text can be the id of a task."""
    return _TASK_ID.fullmatch(text) is not None
