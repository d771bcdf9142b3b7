"""The lab keeps its promises: real services, real isolation, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from keystoneauth1 import exceptions
from keystoneauth1.identity.v3 import ApplicationCredential
from keystoneauth1.session import Session

from tests.lab.client import properties
from tests.lab.faults import FaultyProxy
from tests.lab.files import file_server
from tests.lab.lab import Lab
from tests.lab.membership import membership
from tests.lab.places import ROOT, VENV_VARIABLE

pytestmark = pytest.mark.lab
REGIONS = ("Valladolid", "Burgos", "Caceres", "federation2:Madrid")
ProxyFactory = Callable[[str], FaultyProxy]


def wait_for(lab: Lab, region: str, image_id: str, status: str = "active") -> dict[str, object]:
    """The image once it has the status."""
    deadline = time.monotonic() + 20
    while (record := lab.client(region).get(image_id))["status"] != status:
        assert time.monotonic() < deadline, record
        time.sleep(0.05)
    return record


def begin_import(lab: Lab, region: str, method: dict[str, str], **more: object) -> str:
    """An import into a new image; its id."""
    client = lab.client(region)
    made = client.create("imported", None, visibility="private")
    client.http.post(f"/v2/images/{made['id']}/import", json={"method": method, **more})
    return str(made["id"])


@pytest.mark.parametrize("region", REGIONS)
def test_image_comes_back_as_it_was_given(cloud: Lab, region: str) -> None:
    """Every region stores an image's bytes, properties, visibility and hashes."""
    client = cloud.client(region)
    made = client.create('näme, "q" ☃', b"bytes" * 100, visibility="public", nid="7", type="base")
    assert client.data(made["id"]) == b"bytes" * 100
    assert properties(made) == {"nid": "7", "type": "base"}
    assert (made["status"], made["size"], made["os_hash_algo"]) == ("active", 500, "sha512")
    assert made["owner"] == cloud.account(target=client.region.target).project_id
    assert [one["id"] for one in client.images()] == [made["id"]]


def test_reset_leaves_nothing_and_takes_no_time(cloud: Lab) -> None:
    """A test starts with empty regions: no image of any visibility, no file in any store."""
    for number, region in enumerate(REGIONS):
        client = cloud.client(region)
        client.create(f"image-{number}")
        client.create(f"queued-{number}", None, visibility="private", os_hidden=True)
    began = time.monotonic()
    cloud.reset()
    assert time.monotonic() - began < 1
    for region in REGIONS:
        place = cloud.client(region)
        assert place.images() == []
        assert [path for path in place.region.directory.rglob("stores/**/*") if path.is_file()] == []


def test_many_writers_wait_for_one_another(cloud: Lab) -> None:
    """Parallel writes to one region all succeed, although its database is a single file."""
    client = cloud.client("Burgos")
    client.create("warm-up")
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda number: client.create(f"p{number}", b"x" * number, k="v"), range(1, 25)))
    assert {one["status"] for one in made} == {"active"}
    assert len(client.images()) == 25


@pytest.mark.parametrize("source", ["Valladolid", "Burgos", "Caceres"])
def test_glance_download_between_the_regions_of_a_federation(cloud: Lab, source: str) -> None:
    """A region can fetch an image from another region of its federation by itself."""
    destination = "Caceres" if source != "Caceres" else "Burgos"
    original = cloud.client(source).create("original", b"z" * 3000)
    method = {"name": "glance-download", "glance_region": source, "glance_image_id": original["id"]}
    copy = wait_for(cloud, destination, begin_import(cloud, destination, method))
    assert copy["os_hash_value"] == original["os_hash_value"]


@pytest.mark.parametrize("region", REGIONS)
def test_web_download_from_a_loopback_port(cloud: Lab, region: str, tmp_path: Path) -> None:
    """Every region can fetch an image from a web server on any port of this machine."""
    (tmp_path / "file").write_bytes(b"w" * 3000)
    with file_server(tmp_path) as url:
        made = begin_import(cloud, region, {"name": "web-download", "uri": f"{url}/file"})
        assert wait_for(cloud, region, made)["size"] == 3000


@pytest.mark.parametrize("region", REGIONS)
def test_glance_direct(cloud: Lab, region: str) -> None:
    """Every region takes staged data."""
    client = cloud.client(region)
    made = client.create("staged", None)
    client.http.put(
        f"/v2/images/{made['id']}/stage",
        data=b"s" * 3000,
        headers={"Content-Type": "application/octet-stream"},
    )
    client.http.post(f"/v2/images/{made['id']}/import", json={"method": {"name": "glance-direct"}})
    assert wait_for(cloud, region, made["id"])["size"] == 3000


def test_second_store_of_burgos(cloud: Lab) -> None:
    """Burgos has two stores, and copy-image brings an image into the second one."""
    client = cloud.client("Burgos")
    made = client.create("stored")
    assert made["stores"] == "fast"
    body = {"method": {"name": "copy-image"}, "stores": ["slow"]}
    client.http.post(f"/v2/images/{made['id']}/import", json=body)
    deadline = time.monotonic() + 20
    while set(client.get(made["id"])["stores"].split(",")) != {"fast", "slow"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_madrid_has_no_list_of_stores(lab: Lab) -> None:
    """Madrid is configured the old way: it answers 404 to the question for stores."""
    with pytest.raises(exceptions.NotFound):
        lab.client("federation2:Madrid").http.get("/v2/info/stores")


def test_accounts_differ_in_what_they_may_do(cloud: Lab) -> None:
    """A member may not publish, the second project owns its images, and who has no role gets no token."""
    with pytest.raises(exceptions.Forbidden):
        cloud.client("Burgos", "member").create("no")
    theirs = cloud.client("Burgos", "other").create("theirs")
    assert theirs["owner"] != cloud.account().project_id
    with pytest.raises(exceptions.ClientException):
        cloud.client("Burgos", "nobody").images()


def test_application_credential_logs_in(lab: Lab) -> None:
    """The application credential of the description is accepted."""
    federation = lab.federation()
    secret = federation.application_credential
    login = ApplicationCredential(
        f"{federation.auth_url}/v3",
        application_credential_id=secret.id,
        application_credential_secret=secret.secret,
    )
    assert Session(auth=login).get_project_id() == lab.account().project_id


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_token_that_ends(lab: Lab, end: str) -> None:
    """A token is refused by Glance as soon as it has expired or was revoked."""
    token = lab.token(lifetime_seconds=2 if end == "expired" else None)
    url, headers = f"{lab.regions['Burgos'].url}/v2/images", {"X-Auth-Token": token}
    assert requests.get(url, headers=headers, timeout=20).status_code == 200
    if end == "revoked":
        lab.revoke(token)
    deadline = time.monotonic() + 20
    while requests.get(url, headers=headers, timeout=20).status_code != 401:
        assert end == "expired"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_processes_share_one_lab_and_the_last_one_ends_it(tmp_path: Path) -> None:
    """Whoever comes first starts the lab, all use the same one, and the last one to leave ends it."""
    entered, leave = threading.Barrier(3), threading.Event()
    seen = []

    def user() -> None:
        with membership(tmp_path) as description:
            seen.append(description.control_port)
            entered.wait(60)
            leave.wait(60)

    users = [threading.Thread(target=user) for _ in range(2)]
    for one in users:
        one.start()
    entered.wait(60)
    running = services(tmp_path)
    leave.set()
    for one in users:
        one.join(60)
    assert len(set(seen)) == 1
    assert len(running) >= 13
    assert_gone(running)


@pytest.mark.parametrize("victim", ["user", "supervisor"])
def test_nothing_survives_a_kill(tmp_path: Path, victim: str) -> None:
    """After kill -9 of the only user, or of the supervisor, no service process is left."""
    code = f"""
import pathlib, sys
from tests.lab.membership import membership
with membership(pathlib.Path({str(tmp_path)!r})):
    print("up", flush=True)
    sys.stdin.read()
"""
    user = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    assert user.stdin is not None
    with user, user.stdout, user.stdin:
        assert user.stdout.readline().strip() == "up"
        running = services(tmp_path)
        boss = next(one for one in running if "tests.lab.supervisor" in one.cmdline())
        os.kill(user.pid if victim == "user" else boss.pid, signal.SIGKILL)
        assert_gone(running)
        user.kill()


def services(directory: Path) -> list[psutil.Process]:
    """The supervisor of a lab and all that it runs."""
    boss = next(
        one for one in psutil.process_iter() if one.is_running() and str(directory / "home") in _command(one)
    )
    return [boss, *boss.children(recursive=True)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def assert_gone(processes: list[psutil.Process]) -> None:
    """All of them end by themselves within seconds (a zombie has ended)."""
    deadline = time.monotonic() + 20
    while alive := [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def test_missing_environment_is_a_failure_with_its_remedy(tmp_path: Path) -> None:
    """Without Keystone and Glance the lab says which command installs them."""
    code = "import pathlib, tests.lab.membership as m\nwith m.membership(pathlib.Path('x')): pass"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, VENV_VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "make venv-lab" in done.stderr


def test_started_by_a_person_it_explains_itself_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    """``python -m tests.lab`` prints addresses, variables and a configuration, and Ctrl-C removes it all."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lab"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    text = "".join(lines)
    for word in ("OS_AUTH_URL", "federation2:Madrid", "glancesync.conf", "run.py sync"):
        assert word in text
    assert list(tmp_path.iterdir()) == []


def test_proxy_in_front_of_glance_and_keystone(cloud: Lab, proxy: ProxyFactory) -> None:
    """A region is fully usable through the proxy, which counts what passes."""
    region = cloud.regions["Burgos"]
    through = proxy(region.url)
    headers = {"X-Auth-Token": cloud.token()}
    body = {"name": "p", "disk_format": "raw", "container_format": "bare"}
    made = requests.post(f"{through.url}/v2/images", json=body, headers=headers, timeout=20).json()
    url = f"{through.url}/v2/images/{made['id']}/file"
    binary = {**headers, "Content-Type": "application/octet-stream"}
    assert requests.put(url, data=b"d" * 200_000, headers=binary, timeout=20).status_code == 204
    assert requests.get(url, headers=headers, timeout=20).content == b"d" * 200_000
    assert through.seen("PUT", r"/file$")[0].request_bytes == 200_000
    assert through.seen("GET", r"/file$")[0].response_bytes == 200_000

    keystone = proxy(cloud.federation().auth_url)
    versions = requests.get(f"{keystone.url}/v3", timeout=20).json()
    assert versions["version"]["links"][0]["href"].startswith(keystone.url)
