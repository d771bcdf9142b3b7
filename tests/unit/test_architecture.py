"""The house's measures and the direction of its arrows (docs: design)."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "app").rglob("*.py"))
FILES = [*MODULES, *sorted((ROOT / "demo").glob("*.py")), ROOT / "run.py", ROOT / "sync.py"]
LONGEST_MODULE = 450
LONGEST_FUNCTION = 60
MEDIAN_MODULE = 150
FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__"})

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods and inner ones included."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_arrows_point_one_way() -> None:
    """Command line -> synchronisation -> errors; plans import no store; stores are leaves."""
    tool = Path(sys.executable).parent / "lint-imports"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [tool, "--no-cache"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@each_file
def test_modules_and_functions_are_short(path: Path) -> None:
    """A module does one job and a function fits on a screen."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions(ast.parse(text))}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@each_file
def test_nothing_runs_text_as_code(path: Path) -> None:
    """No configuration and no backup can become code."""
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & FORBIDDEN_CALLS


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether what was caught is raised again, or handed to somebody by name."""
    inner = [node for statement in handler.body for node in ast.walk(statement)]
    names = {node.id for node in inner if isinstance(node, ast.Name)}
    return handler.name in names or any(isinstance(node, ast.Raise) for node in inner)


@each_file
def test_every_error_is_handled_or_passed_on(path: Path) -> None:
    """What is caught wholesale goes on to somebody, and no error is dropped without a trace."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            wholesale = caught in {"everything", "Exception", "BaseException"}
            assert passes_on(node) or not wholesale, f"line {node.lineno} swallows {caught}"
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not silent, f"line {node.lineno} drops {caught}"


def test_modules_are_small_at_the_median() -> None:
    """Half of the modules have no more than 150 lines."""
    lengths = [path.read_text(encoding="utf-8").count("\n") for path in MODULES]
    assert statistics.median(lengths) <= MEDIAN_MODULE
