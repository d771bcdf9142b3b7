"""Build, look, synchronise, decide a conflict, look again."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from demo.contents import CONFLICT, MASTER_IMAGES, MIB
from demo.federation import Federation, build

ROOT = Path(__file__).resolve().parent.parent
EVERYWHERE = ("master:", "federation2:")
NEEDS_A_PERSON = 3


def say(text: str = "") -> None:
    """A line, at once: the commands write to the same place."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _command(command: str, *options: str) -> list[str]:
    place = ("--cloud", "directory:cloud", "--config-file", "glancesync.conf")
    return [command, *options, *place, *EVERYWHERE]


def run(federation: Federation, command: str, *options: str) -> int:
    """One call of the real command line, shown before it starts; its exit code."""
    arguments = _command(command, *options)
    say(f"\n$ python run.py {shlex.join(arguments)}")
    call = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.run(call, cwd=federation.home, check=False).returncode


def unfinished(federation: Federation) -> list[str]:
    """Images that are not ``ok`` in some region, from the status report."""
    call = [sys.executable, str(ROOT / "run.py"), *_command("status", "--json")]
    answer = subprocess.run(call, cwd=federation.home, check=True, stdout=subprocess.PIPE)
    regions = json.loads(answer.stdout)["regions"]
    return [
        f"{item['region']}: {item['name']}: {item['status']}"
        for region in regions
        for item in region["items"]
        if item["status"] != "ok"
    ]


def show_log(federation: Federation, region: str) -> None:
    """What the parallel run wrote about one region."""
    for path in sorted(federation.home.glob(f"sync_*/{region}.txt")):
        say(f"\n{path.relative_to(federation.home)}:\n{path.read_text(encoding='utf-8').rstrip()}")


def show(federation: Federation) -> int:
    """The whole demonstration; 0 if every region is equal to the master at its end."""
    run(federation, "status", "--table")
    code = run(federation, "sync", "--parallel", "--progress")
    show_log(federation, "Burgos")
    if code != NEEDS_A_PERSON:
        say(f"The synchronisation ended with {code} instead of {NEEDS_A_PERSON}.")
        return 1
    say(f"\nExit code 3: {CONFLICT} in Caceres has another content, and no rule says what to do with it.")
    say(
        "Syncline never guesses. One rule decides: keep the region's image as <name>.old, bring the master's."
    )
    run(federation, "sync", "--progress", "--config", "master.rename=any")
    run(federation, "status", "--table")
    left = unfinished(federation)
    for line in left:
        say(f"not finished: {line}")
    return 1 if left else 0


def main(arguments: Sequence[str]) -> int:
    """Run the demo in the directory given, ``var/demo`` without one. What is there goes away."""
    started = time.monotonic()
    federation = build(Path(arguments[0]).resolve() if arguments else ROOT / "var" / "demo")
    total = sum(sample.size_bytes for sample in MASTER_IMAGES) / MIB
    say(f"A master with {len(MASTER_IMAGES)} images ({total:.0f} MB) and three others: {federation.home}")
    code = show(federation)
    say(f"\nDone in {time.monotonic() - started:.0f} s. Everything is below {federation.home}: look around.")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
