"""The command table: help without imports, and what it promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from app.cli.lazy import Entry, LazyGroup
from app.cli.main import cli
from app.errors import ConfigurationError, StoreError, SynclineError, UnknownRegionError

HEAVY = ("keystoneauth1", "glanceclient", "requests", "rich", "yaml", "app.sync.images")


def groups(group: LazyGroup, path: str = "") -> Iterator[tuple[str, LazyGroup, Entry, click.Command]]:
    """Every command below a group, with its table entry."""
    for name, entry in group.entries.items():
        command = entry.load()
        yield f"{path}{name}", group, entry, command
        if isinstance(command, LazyGroup):
            yield from groups(command, f"{path}{name} ")


COMMANDS = [pytest.param(*found[2:], id=found[0]) for found in groups(cli)]


@pytest.mark.parametrize(("entry", "command"), COMMANDS)
def test_group_help_tells_what_the_command_says(entry: Entry, command: click.Command) -> None:
    """The line in the group's help is the command's own."""
    assert entry.summary == command.short_help


@pytest.mark.parametrize(("entry", "command"), COMMANDS)
def test_every_command_explains_itself_and_its_options(entry: Entry, command: click.Command) -> None:
    """No command and no option is without a help text."""
    del entry
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.opts for option in options if not option.help] == []


def test_help_loads_nothing_heavy() -> None:
    """run.py --help answers at once: no OpenStack library, no bars, no engine is loaded."""
    code = (
        "import sys\nfrom app.cli.main import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        f"sys.stderr.write(','.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert "Commands:" in done.stdout
    assert done.stderr == ""


def failing(error: BaseException) -> LazyGroup:
    """A group whose command fails."""

    @click.command()
    def command() -> None:
        raise error

    group = LazyGroup("group", entries={})
    group.get_command = lambda _ctx, _name: command  # type: ignore[method-assign]
    return group


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        pytest.param(ConfigurationError("bad", where="f"), 1, "ERROR:f: bad", id="configuration"),
        pytest.param(UnknownRegionError("no region X"), 2, "ERROR:no region X", id="unknown-region"),
        pytest.param(StoreError("bad\nname", remedy="fix"), 1, "ERROR:bad\\nname (fix)", id="one-line"),
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupt"),
        pytest.param(click.UsageError("no"), 2, "Error: no", id="click-usage"),
    ],
)
def test_failures_become_one_line_and_a_code(error: SynclineError, code: int, line: str) -> None:
    """What was foreseen ends with its exit code and one line on stderr, without a traceback."""
    result = CliRunner().invoke(failing(error), ["x"])
    assert result.exit_code == code
    assert (result.stderr.splitlines() or [""])[-1] == line
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("bogus",), id="command"),
        pytest.param(("sync", "--bogus"), id="option"),
        pytest.param(("sync", "--config", "novalue"), id="override-without-equals"),
        pytest.param(("sync", "--config", "=x"), id="override-without-key"),
        pytest.param(("images", "bogus"), id="verb"),
        pytest.param(("images", "delete", "--name", "x"), id="no-region"),
        pytest.param(("images", "delete", "Burgos"), id="no-image"),
        pytest.param(("images", "delete", "Burgos", "--name", "x", "--id", "y"), id="two-selectors"),
        pytest.param(("images", "set-properties", "Burgos", "--name", "x"), id="nothing-to-change"),
        pytest.param(
            ("images", "set-properties", "Burgos", "--name", "x", "--from-master", "--set", "a=b"), id="both"
        ),
        pytest.param(("images", "set-properties", "Burgos", "--name", "x", "--set", "a"), id="no-value"),
        pytest.param(
            ("images", "set-properties", "Burgos", "--name", "x", "--set", "kernel_id=1"), id="reference"
        ),
        pytest.param(("restore",), id="restore-what"),
        pytest.param(("restore", "/nonexistent"), id="restore-from-nowhere"),
        pytest.param(("config", "check", "a", "--config-file", "b"), id="two-files"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    """Argument errors end with exit code 2 and say what is wrong, before anything is read."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr
