"""``make demo-openstack``: the service over a real Keystone and real Glances."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.openstack import show
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def test_demo_synchronises_real_regions_with_a_real_token(
    cloud: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a token it is refused, with one every region ends equal to the master; no log holds a token."""
    monkeypatch.setenv("ONCE", "1")
    assert show(tmp_path, cloud) == 0
    shown = capsys.readouterr().out
    assert "Without a token: GET /regions: 401" in shown
    for region in ("Burgos", "Caceres", "federation2:Madrid"):
        assert f"{region:20} 2 ok" in shown
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "gAAAA" not in logs
    assert cloud.account("glance").password not in logs
