"""The commands of the project itself: demo, environments, continuous integration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shell(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project to its end."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_demo_ends_with_equal_regions_and_can_be_repeated(tmp_path: Path) -> None:
    """The demo shows before, synchronises with progress, decides a conflict, shows after; twice the same.

    What somebody else keeps in its directory survives it.
    """
    home = tmp_path / "a demo"
    home.mkdir()
    (home / "mine.txt").write_text("precious")
    for _ in range(2):
        done = shell(sys.executable, "-m", "demo", home)
        assert done.returncode == 0, done.stdout + done.stderr
        before, after = done.stdout.split("All is done.")
        assert "pending_upload" in before
        assert "error_checksum" in before
        assert "[100 %]" in done.stderr
        table = after[after.rindex("image ") :]
        assert "ok" in table
        assert "pending" not in table
        assert "error" not in table
    assert (home / "mine.txt").read_text() == "precious"
    names = {path.name for path in (home / "cloud").iterdir()}
    assert names == {"Valladolid", "Burgos", "Caceres", "federation2:Madrid"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with a blank in its name, without dependencies."""
    place = tmp_path / "a checkout"
    shutil.copytree(ROOT / ".ci", place / ".ci")
    (place / "needs.txt").write_text("# nothing\n")
    return place


def test_environment_is_made_once_and_renewed_on_change(project: Path) -> None:
    """A failed installation does not count; a good one is left alone until its requirements change."""
    needs = project / "needs.txt"
    command = (".ci/venv", "an environment", "needs.txt")
    needs.write_text("./missing-directory\n")
    assert shell(*command, cwd=project).returncode != 0
    needs.write_text("# nothing\n")
    mended = shell(*command, cwd=project)
    assert mended.returncode == 0, mended.stderr
    assert "Installing" in mended.stderr
    assert shell(project / "an environment" / "bin" / "python", "-m", "pip", "--version").returncode == 0
    again = shell(*command, cwd=project)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    needs.write_text("# nothing either\n")
    assert "Installing" in shell(*command, cwd=project).stderr


def test_too_old_python_is_explained(project: Path) -> None:
    """Without Python 3.11 the reason and the remedy are told."""
    tools = project / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "sha256sum", "dirname"):
        (tools / name).symlink_to(shutil.which(name) or name)
    done = shell(
        shutil.which("bash") or "bash",
        ".ci/venv",
        "env",
        "needs.txt",
        cwd=project,
        PATH=str(tools),
        PYTHON="",
    )
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr


@pytest.mark.parametrize(
    ("status", "closing"),
    [(0, "3 passed in 0.50s"), (1, "=== 1 failed, 2 passed in 61.02s (0:01:01) ===")],
    ids=["green", "red"],
)
def test_ci_keeps_the_status_and_ends_with_pytests_line(project: Path, status: int, closing: str) -> None:
    """The integration script fails when the tests do, and its last line is pytest's closing line."""
    (project / "Makefile").write_text(f"test:\n\t@echo begin\n\t@echo '{closing}'\n\t@exit {status}\n")
    done = shell(".ci/run", cwd=project)
    assert (done.returncode != 0) == (status != 0)
    assert done.stdout.splitlines()[-1] == closing


def test_make_without_a_target_lists_the_targets() -> None:
    """Make alone explains what there is."""
    done = shell("make", "-C", ROOT)
    assert done.returncode == 0
    for target in ("venv", "venv-lab", "demo", "test", "lint", "lab", "clean"):
        assert f"make {target} " in done.stdout


def test_pre_commit_file_is_valid() -> None:
    """The checks for each commit can be installed as they are."""
    done = shell(sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_first_configuration_of_the_readme_is_sound(tmp_path: Path) -> None:
    """Who copies the first configuration from the README gets no finding."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("Write `glancesync.conf`:")[2].partition("\nThis wants")[0]
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    assert len(lines) <= 10
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    conf = tmp_path / "glancesync.conf"
    conf.write_text("\n".join(lines).replace("/etc/syncline/password", str(password)) + "\n")
    done = shell(sys.executable, "run.py", "config", "check", conf)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
