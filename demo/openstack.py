"""The service over a real Keystone and four real Glances, driven with a real token."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from demo.processes import ROOT, DemoError, service
from demo.rest import Api, look, say, show_regions, synchronise_all, unfinished
from demo.service import ending_in_order, wait_for_person
from tests.lab.__main__ import fill
from tests.lab.lab import Lab
from tests.lab.membership import membership
from tests.lab.places import LabError
from tests.lab.plan import MASTER_REGION


def options(lab: Lab, conf: Path) -> dict[str, str]:
    """The settings of a service that lets the lab's first Keystone check its callers."""
    account = lab.account("glance")
    return {
        "SYNCLINE_AUTH_STRATEGY": "keystone",
        "SYNCLINE_KEYSTONE_URL": account.auth_url,
        "SYNCLINE_SERVICE_USERNAME": account.name,
        "SYNCLINE_SERVICE_PASSWORD": account.password,
        "SYNCLINE_SERVICE_PROJECT_NAME": account.project,
        "SYNCLINE_CLOUD": "openstack",
        "SYNCLINE_CONFIG_FILE": str(conf),
    }


def drive(api: Api, regions: Sequence[str]) -> list[str]:
    """Look, synchronise, look; the regions that are not equal to the master at the end."""
    refused = _refusal(api)
    say(f"Without a token: {refused}")
    look(api, regions)
    show_regions(api, regions)
    synchronise_all(api, regions)
    return unfinished(show_regions(api, regions))


def _refusal(api: Api) -> str:
    try:
        Api(api.url).call("GET", "/regions")
    except DemoError as error:
        return str(error)
    raise DemoError("the service answers without a token")


def _home(place: Path | None) -> Path:
    home = (place or ROOT / "var" / "demo-openstack").resolve()
    shutil.rmtree(home / "state", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    return home


def _with_token(home: Path, token: str, url: str) -> str:
    """A command that sends the token without showing it."""
    path = home / "token"
    path.touch(mode=0o600)
    path.write_text(token, encoding="utf-8")
    return f'curl -H "X-Auth-Token: $(cat {shlex.quote(str(path))})" {url}'


def show(home: Path, lab: Lab) -> int:
    """The whole demonstration; 0 if every region is equal to the master at its end."""
    conf = home / "glancesync.conf"
    conf.write_text(lab.conf(), encoding="utf-8")
    conf.chmod(0o600)
    fill(lab)
    with service(home, options(lab, conf)) as running:
        say(f"The service runs at {running.url}; Keystone is {lab.account().auth_url}")
        token = lab.token()
        regions = [region for region in lab.regions if region != MASTER_REGION]
        left = drive(Api(running.url, {"X-Auth-Token": token}), regions)
        for region in left:
            say(f"not finished: {region}")
        wait_for_person(running, [_with_token(home, token, f"{running.url}/regions")])
    return 1 if left else 0


def main(arguments: Sequence[str]) -> int:
    """Run in the directory given, ``var/demo-openstack`` without one."""
    home = _home(Path(arguments[0]) if arguments else None)
    code = 1
    try:
        with (
            ending_in_order(),
            tempfile.TemporaryDirectory(prefix="syncline-lab-") as directory,
            membership(Path(directory)) as description,
        ):
            code = show(home, Lab(description))
    except (DemoError, LabError) as error:
        say(f"The demo has failed: {error}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
