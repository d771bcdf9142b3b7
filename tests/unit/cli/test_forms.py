"""The shape of ``--json`` documents, which scripts rely on (docs/cli.md)."""

from __future__ import annotations

import json

from app.cli import forms
from app.errors import UnreachableError
from app.sync.images.model import Image
from app.sync.status import Level, Notice, RegionState, Status
from tests.unit.cli.builders import item, notice, outcome, plan, report

ITEM_KEYS = ["region", "name", "status", "size_bytes", "reasons", "error", "source_id", "destination_id"]


def parsed(command: str, **content: object) -> dict:
    """A document read back."""
    return json.loads(forms.document(command, **content))


def test_document_tells_its_version_and_command_first() -> None:
    """A script can tell which document it has before it reads on."""
    assert list(parsed("sync", regions=[]).items()) == [("version", 1), ("command", "sync"), ("regions", [])]


def test_document_is_ascii() -> None:
    """Emoji in a name reach a script whatever character set the terminal has."""
    text = forms.document("status", name="🐧\n")
    assert text.isascii()
    assert json.loads(text)["name"] == "🐧\n"


def test_item_form_has_the_fields_of_an_item() -> None:
    """Every item tells region, name, status, size, reasons, error and both ids."""
    form = forms.item_form(item(reasons=("property:nid",), error="full", source_id="s", destination_id="d"))
    assert list(form) == ITEM_KEYS
    assert form["status"] == "pending_upload"
    assert form["reasons"] == ["property:nid"]


def test_report_form_tells_what_became_of_each_item() -> None:
    """A run's report has state, counts, outcomes, bytes and seconds per region."""
    done = outcome("a", after=Status.OK)
    conflict = outcome("b", before=Status.ERROR_CHECKSUM, after=Status.ERROR_CHECKSUM)
    form = forms.report_form(report(done, conflict, state=RegionState.PARTIAL))
    assert form["state"] == "partial"
    assert form["counts"] == {"error_checksum": 1, "ok": 1}
    assert form["duration_seconds"] == 1.235
    first = form["items"][0]
    assert list(first) == [*ITEM_KEYS, "before", "result", "sent_bytes", "attempts", "transport"]
    assert (first["before"], first["result"], first["transport"]) == ("pending_upload", "done", "stream")


def test_plan_form_has_items_obsolete_work_and_notices() -> None:
    """The status document shows what the CSV cannot: notices and images to be retired."""
    form = forms.plan_form("Burgos", plan(item("a"), notices=(notice("careful", Level.WARNING),)))
    assert form["counts"] == {"pending_upload": 1}
    assert form["obsolete"] == [{"id": "9", "name": "old", "new_name": "old_obsolete"}]
    assert form["notices"] == [{"level": "WARNING", "message": "careful"}]
    assert form["error"] is None


def test_plan_form_of_a_region_that_is_down_has_the_same_keys() -> None:
    """A script finds the same fields for a region that did not answer, and why it did not."""
    error = UnreachableError("no route", where="Burgos", remedy="try later")
    form = forms.plan_form("Burgos", error)
    assert form.keys() == forms.plan_form("Burgos", plan()).keys()
    assert form["items"] == []
    assert form["error"] == {
        "code": "unreachable",
        "message": "no route",
        "where": "Burgos",
        "remedy": "try later",
        "retryable": True,
    }


def test_notice_form_has_level_and_message() -> None:
    """Levels are the words of the log lines."""
    assert forms.notice_form(Notice(Level.ERROR, "x")) == {"level": "ERROR", "message": "x"}


def test_image_form_is_json_for_every_image() -> None:
    """An image without name, size, checksum or owner is listed with nulls."""
    image = Image("Burgos", "1", None, tags=frozenset({"b", "a"}), properties={"z": 1, "a": "x"})
    form = json.loads(json.dumps(forms.image_form(image)))
    assert (form["name"], form["size_bytes"], form["owner"]) == (None, None, None)
    assert form["tags"] == ["a", "b"]
    assert list(form["properties"]) == ["a", "z"]
