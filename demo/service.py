"""The service over the demo's directories: started, driven through REST, left running until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.contents import CONFLICT, MASTER, REGIONS
from demo.federation import Federation, build
from demo.processes import ROOT, DemoError, Running, service
from demo.rest import Api, look, say, show_regions, synchronise, synchronise_all, unfinished

CONFLICTING = "Caceres"
ONCE = "ONCE"


def _options(federation: Federation) -> dict[str, str]:
    return {
        "SYNCLINE_AUTH_STRATEGY": "noauth",
        "SYNCLINE_CLOUD": f"directory:{federation.cloud}",
        "SYNCLINE_CONFIG_FILE": str(federation.settings),
    }


def _decide_conflict(federation: Federation) -> None:
    """One more rule in the configuration; workers see that the file has changed."""
    text = federation.settings.read_text(encoding="utf-8")
    federation.settings.write_text(text.replace("[master]\n", "[master]\nrename = any\n"), encoding="utf-8")


def drive(api: Api, federation: Federation) -> list[str]:
    """The whole demonstration; the regions that are not equal to the master at its end."""
    regions = [region for region in REGIONS if region != MASTER]
    look(api, regions)
    show_regions(api, regions)
    synchronise_all(api, regions)
    show_regions(api, regions)
    say(f"{CONFLICT} in {CONFLICTING} has another content, and no rule says what to do with it.")
    say("Syncline never guesses. One rule decides: rename = any in glancesync.conf, and once more:\n")
    _decide_conflict(federation)
    synchronise(api, CONFLICTING)
    return unfinished(show_regions(api, regions))


def wait_for_person(running: Running, hints: Sequence[str] = ()) -> None:
    """Leave the service running until Ctrl-C; at once with ``ONCE=1``."""
    if os.environ.get(ONCE, "") not in ("", "0"):
        return
    say(f"The service answers at {running.url} until Ctrl-C. Logs: {running.home}. Try:")
    for hint in (*hints, f"curl {running.url}/readyz", f"curl {running.url}/metrics"):
        say(f"  {hint}")
    signal.pause()


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM ends the demonstration like Ctrl-C: the service is stopped first."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        say("\nThe service has ended.")


def main(arguments: Sequence[str]) -> int:
    """Run the demo in the directory given, ``var/demo`` without one. What is there goes away."""
    started = time.monotonic()
    federation = build(Path(arguments[0]).resolve() if arguments else ROOT / "var" / "demo")
    shutil.rmtree(federation.home / "state", ignore_errors=True)
    left = ["everything"]
    try:
        with ending_in_order(), service(federation.home, _options(federation)) as running:
            say(f"The service runs at {running.url} over directories below {federation.cloud}")
            left = drive(Api(running.url), federation)
            for region in left:
                say(f"not finished: {region}")
            say(f"Done in {time.monotonic() - started:.0f} s.")
            hints = [f"curl {running.url}/regions", f"curl -X POST {running.url}/regions/Burgos"]
            wait_for_person(running, hints)
    except DemoError as error:
        say(f"The demo has failed: {error}")
        return 1
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
