"""The policy file: which role may do what. Read once at start; a fault in it stops the start."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from app.auth.caller import Caller
from app.auth.expression import Decide, Node, compile_tree, parse, references
from app.errors import ConfigurationError
from app.settings import AuthSettings

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "settings" / "policy.yaml"
MAX_FILE_BYTES = 256 * 1024

ACTIONS = ("sync:get", "sync:refresh", "sync:post", "sync:cancel", "sync:delete")
"""What the API asks the policy about; a file must have a rule for each."""


class Policy:
    """Decides what callers may do.

    Args:
        rules: rule texts by name.
        values: what ``%(name)s`` stands for in them.
        source: the file, for messages.

    Raises:
        ConfigurationError: a rule is malformed, missing, or stands on itself.

    """

    def __init__(self, rules: Mapping[str, str], values: Mapping[str, str], source: str) -> None:
        trees = {name: parse(text, f"{source}: {name}") for name, text in rules.items()}
        _require_whole(trees, source)
        self._rules: dict[str, Decide] = {}
        for name, tree in trees.items():
            self._rules[name] = compile_tree(tree, values, self._rules, f"{source}: {name}")

    def allows(self, action: str, caller: Caller) -> bool:
        """Whether the caller may do it; ``action`` is one of ``ACTIONS``."""
        return self._rules[action](caller)


def _require_whole(trees: Mapping[str, Node], source: str) -> None:
    missing = [action for action in ACTIONS if action not in trees]
    if missing:
        raise ConfigurationError(f"no rule for {', '.join(missing)}", where=source)
    graph = {name: set(references(tree)) for name, tree in trees.items()}
    for name, used in graph.items():
        if unknown := used - set(trees):
            raise ConfigurationError(f"rule:{min(unknown)} does not exist", where=f"{source}: {name}")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise ConfigurationError(
            f"rules stand on each other: {' -> '.join(error.args[1])}", where=source
        ) from error


def load_policy(auth: AuthSettings) -> Policy:
    """The policy of the settings' file, or the one that comes with Syncline.

    Raises:
        ConfigurationError: the file cannot be read or is no policy.

    """
    path = Path(auth.policy_file) if auth.policy_file else DEFAULT_FILE
    values = {name: getattr(auth, name) for name in ("reader_role", "member_role", "admin_role")}
    return Policy(_read(path), values, str(path))


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
        held = yaml.safe_load(text) if len(text) <= MAX_FILE_BYTES else None
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot be read ({type(error).__name__})", where=str(path)) from error
    if not isinstance(held, dict) or not all(
        isinstance(name, str) and isinstance(rule, str) for name, rule in held.items()
    ):
        raise ConfigurationError("not a mapping of names to rules", where=str(path))
    return held
