"""The two text forms of a backup: nine comma-separated columns, and JSON lines."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidDataError
from app.sync.images.model import Changes, Draft, Image
from app.sync.images.stores.backup import json_line, read_backup, read_json_backup
from app.sync.images.stores.csvformat import CELL_LIMIT_CHARACTERS, format_row, parse_rows, storable
from app.sync.images.stores.mutations import changed, drafted
from app.sync.images.stores.naming import is_image_id, is_region_name, names_of_target
from app.sync.images.stores.records import backup_record, decode_record, encode_record, image_record

# Surrogates alone are no text and exist in no UTF-8 file; everything else may occur.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "a,b",
        'say "hi"',
        "two\nlines",
        "\r\n",
        "\r",
        "'",
        "\\",
        "\ufeff",
        "\0",
        "\u2028",
        "\U0001f427",
        "{}",
        " ",
    ]
)
filled_texts = texts.filter(bool)
counts = st.integers(0, 10**18 - 1)
values = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
properties = st.dictionaries(texts, values, max_size=5)
images = st.builds(
    Image,
    region=filled_texts.filter(lambda text: not text.startswith("\ufeff")),
    id=filled_texts,
    name=st.none() | texts,
    status=filled_texts,
    size=st.none() | counts,
    checksum=st.none() | texts,
    owner=st.none() | texts,
    visibility=st.sampled_from(["public", "private", "shared", "community"]),
    properties=properties,
    hash_algo=st.none() | texts,
    hash_value=st.none() | texts,
    disk_format=st.none() | texts,
    container_format=st.none() | texts,
    min_disk=counts,
    min_ram=counts,
    protected=st.booleans(),
    hidden=st.booleans(),
    tags=st.frozensets(texts, max_size=3),
    stores=st.frozensets(texts, max_size=3),
    members=st.frozensets(texts, max_size=3),
    created_at=st.none() | texts,
)
lists = st.lists(images, max_size=5, unique_by=lambda image: image.id)


def parse(text: str | bytes) -> list[Image]:
    """Read a backup file of the region Burgos."""
    content = text.encode() if isinstance(text, str) else text
    return parse_rows(content, "Burgos", "b.csv")


def row(**cells: str) -> str:
    """One row of text with some of its cells replaced."""
    usual = {
        "region": "Burgos",
        "name": "debian",
        "id": "7",
        "status": "active",
        "size": "5",
        "checksum": "c",
        "owner": "o",
        "is_public": "True",
        "properties": "{}",
    }
    return ",".join((usual | cells).values()) + "\r\n"


# nine columns


@given(lists)
def test_csv_round_trip(saved: list[Image]) -> None:
    """What nine columns can hold comes back equal, whatever characters and values it has."""
    content = b"".join(format_row(image, "b.csv") for image in saved)
    assert parse(content) == [storable(image) for image in saved]


@given(lists)
def test_csv_is_stable(saved: list[Image]) -> None:
    """Writing what was read gives the same bytes, so that rewriting a file changes nothing."""
    content = b"".join(format_row(image, "b.csv") for image in saved)
    assert b"".join(format_row(image, "b.csv") for image in parse(content)) == content


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_images_or_invalid_data(content: bytes) -> None:
    """Whatever a file holds, it is read or refused with one kind of error that names the file."""
    try:
        read = parse(content)
    except InvalidDataError as error:
        where = error.where
    else:
        where = "b.csv, line "
        assert all(isinstance(image, Image) for image in read)
    assert where.startswith("b.csv, line ")


def test_style_of_the_original_is_kept() -> None:
    """A row is written as the original does: quotes only where needed, CRLF, Python literals."""
    image = Image(
        "Burgos", "1", "a", size=1, owner="o", visibility="public", properties={"type": "x", "nid": 1}
    )
    assert format_row(image, "") == b"Burgos,a,1,active,1,,o,True,\"{'type': 'x', 'nid': 1}\"\r\n"
    assert format_row(replace(image, properties={"type": "x"}), "").endswith(b",True,{'type': 'x'}\r\n")
    assert format_row(Image("B", "2", None), "") == b"B,,2,active,,,,False,{}\r\n"


@pytest.mark.parametrize(
    ("cells", "field", "expected"),
    [
        ({"region": ""}, "region", "Burgos"),
        ({"region": "other:Madrid"}, "region", "other:Madrid"),
        ({"name": ""}, "name", None),
        ({"size": ""}, "size", None),
        ({"size": " 12 "}, "size", 12),
        ({"size": "0"}, "size", 0),
        ({"checksum": ""}, "checksum", None),
        ({"owner": ""}, "owner", None),
        ({"is_public": " True "}, "visibility", "public"),
        ({"is_public": "true"}, "visibility", "private"),
        ({"is_public": "1"}, "visibility", "private"),
        ({"is_public": ""}, "visibility", "private"),
        ({"properties": ""}, "properties", {}),
        ({"properties": "{'nid':  1}"}, "properties", {"nid": 1}),
    ],
)
def test_cells_mean(cells: dict[str, str], field: str, expected: object) -> None:
    """Empty cells are unknown values, and only the exact word True makes an image public."""
    (image,) = parse(row(**cells))
    assert getattr(image, field) == expected


@pytest.mark.parametrize("content", ["", "\r\n", "\n\n  \n", "\ufeff"])
def test_nothing_is_an_empty_region(content: str) -> None:
    """An empty file, or one of blank lines, is a region without images."""
    assert parse(content) == []


def test_blank_lines_and_a_mark_are_ignored() -> None:
    """Blank lines between rows and the byte order mark of other editors do no harm."""
    assert [image.id for image in parse("\ufeff" + row() + "\r\n \n" + row(id="8"))] == ["7", "8"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a,b\r\n", "line 1", "2 columns instead of 9"),
        (row() + row().replace(",", ",,", 1), "line 2", "10 columns instead of 9"),
        (row(name='"two\nlines"') + "a\r\n", "line 3", "1 columns instead of 9"),
        (",,,,,,,,\r\n", "line 1, column 3 (id)", "empty"),
        (row(id=""), "line 1, column 3 (id)", "empty"),
        (row(status=""), "line 1, column 4 (status)", "empty"),
        (row() + row(), "line 2, column 3 (id)", "the id of line 1 again"),
        (row(size="5 MB"), "line 1, column 5 (size)", "'5 MB' is no size"),
        (row(size="-1"), "line 1, column 5 (size)", "'-1' is no size"),
        (row(size="1_000"), "line 1, column 5 (size)", "no size"),
        (row(size="\u0663"), "line 1, column 5 (size)", "no size"),
        (row(size="9" * 5000), "line 1, column 5 (size)", "no size"),
        (row(properties="{1: 2}"), "line 1, column 9", "1 must be a text"),
        (row(properties="{} + {}"), "line 1, column 9", "unexpected '+ {}' at character 4"),
        (row(name='"a"b'), "line 1", "not a CSV row"),
        (row(name='"open'), "line 1", "not a CSV row"),
        (row(name="x" * (CELL_LIMIT_CHARACTERS + 1)), "line 1", "not a CSV row"),
    ],
)
def test_bad_rows_are_located(text: str, where: str, what: str) -> None:
    """A row that breaks the format is named with file, line and, where it is known, column."""
    with pytest.raises(InvalidDataError) as caught:
        parse(text)
    assert caught.value.where.startswith(f"b.csv, {where}")
    assert what in caught.value.what


def test_bytes_that_are_no_text_are_located() -> None:
    """A file that is not UTF-8 is refused with the line and byte."""
    with pytest.raises(InvalidDataError, match=r"b\.csv, line 2, byte 3: not valid UTF-8"):
        parse(row().encode() + b"ab\xe9,")


@pytest.mark.parametrize(
    "image",
    [
        Image("B", "1", "\ud800"),
        Image("B", "1", "a", properties={"a": math.inf}),
        Image("B", "1", "a", properties={"a": math.nan}),
        Image("B", "1", "x" * (CELL_LIMIT_CHARACTERS + 1)),
        Image("B", "1", "a", properties={"a": "x" * CELL_LIMIT_CHARACTERS}),
    ],
    ids=["half-character", "infinite", "not-a-number", "long-name", "long-properties"],
)
def test_what_cannot_be_read_back_is_not_written(image: Image) -> None:
    """An image that no reader could take back is refused when it is written."""
    with pytest.raises(InvalidDataError, match=r"b\.csv"):
        format_row(image, "b.csv")


# JSON lines


@given(images)
def test_json_round_trip(saved: Image) -> None:
    """A line of JSON holds every attribute of an image, whatever characters it has, on one line."""
    line = json_line(saved, "")
    assert line.count(b"\n") == 1
    assert decode_record(line, saved.region, "") == saved
    assert decode_record(encode_record(image_record(saved), ""), saved.region, "") == saved


def test_json_keeps_the_servers_record_without_locations() -> None:
    """The record of the server is saved, except where its data lies: such addresses hold passwords."""
    raw = {
        "os_type": "linux",
        "locations": [{"url": "swift://user:secret@host"}],
        "direct_url": "rbd://secret",
    }
    saved = Image("Burgos", "1", "a", raw=raw)
    assert b"secret" not in json_line(saved, "")
    assert decode_record(json_line(saved, ""), "Burgos", "").raw == {"os_type": "linux"}
    assert backup_record(saved)["region"] == "Burgos"
    assert "raw" not in image_record(saved)


def test_missing_keys_have_their_defaults() -> None:
    """A record written by hand needs version, id and status only."""
    line = b'{"version": 1, "id": "7", "status": "queued"}'
    assert decode_record(line, "Burgos", "") == Image("Burgos", "7", None, status="queued")


@pytest.mark.parametrize(
    "image",
    [
        Image("B", "1", "\ud800"),
        Image("B", "1", "a", properties={"a": math.nan}),
        Image("B", "1", "a", raw={"a": object()}),
        Image("B", "1", "x" * 2_000_000),
    ],
    ids=["half-character", "not-a-number", "no-json", "large"],
)
def test_what_has_no_json_form_is_refused(image: Image) -> None:
    """An image that JSON lines cannot hold is named when it is written."""
    with pytest.raises(InvalidDataError, match=r"b\.jsonl"):
        json_line(image, "b.jsonl")


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        ([b"{}"], "line 1", "'version' is missing"),
        ([b"", b"  ", b"[]"], "line 3", "not a JSON object"),
        ([json_line(Image("B", "1", "a"), ""), b"{"], "line 3", "not valid JSON"),
        ([json_line(Image("B", "1", "a"), "")] * 2, "line 3", "the id '1' again"),
        ([b'"' + b"x" * 2_000_000 + b'"'], "line 1", "longer than"),
        ([b"\xff\xfe"], "line 1", "not valid JSON in UTF-8"),
        ([b'{"version": 1, "id": "1", "status": "a", "status": 5}'], "line 1", "'status' must be"),
    ],
    ids=["empty-object", "no-object", "cut", "twice", "long", "no-utf8", "two-values"],
)
def test_bad_lines_are_located(tmp_path: Path, lines: list[bytes], where: str, what: str) -> None:
    """A line that breaks the format is named with file, line and what is wrong."""
    path = tmp_path / "backup_Burgos.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(InvalidDataError) as caught:
        read_json_backup(path, "Burgos")
    assert caught.value.where == f"{path}, {where}"
    assert what in caught.value.what


@given(
    st.binary(max_size=200)
    | st.recursive(values, lambda v: st.lists(v) | st.dictionaries(texts, v)).map(json.dumps)
)
def test_any_line_is_an_image_or_invalid_data(line: bytes | str) -> None:
    """Whatever a line holds, it is an image or one kind of error."""
    content = line.encode() if isinstance(line, str) else line
    with pytest.raises(InvalidDataError):
        decode_record(content, "Burgos", "x")


def test_file_of_the_wrong_form_is_refused(tmp_path: Path) -> None:
    """JSON lines under the name of nine columns are an error, not an empty region."""
    path = tmp_path / "backup_Burgos.csv"
    path.write_bytes(json_line(Image("Burgos", "1", "a"), ""))
    with pytest.raises(InvalidDataError, match="line 1"):
        read_backup(path, "Burgos")


# what drafts, changes and names come to


@given(images, st.dictionaries(texts, values, max_size=3), st.frozensets(texts, max_size=3))
def test_changes_of_properties(image: Image, setting: dict[str, object], removing: frozenset[str]) -> None:
    """An update sets and removes the properties that it names and keeps the others in their order."""
    after = changed(image, Changes(set_properties=setting, remove_properties=removing)).properties
    kept = [key for key in image.properties if key not in removing]
    assert {key: after[key] for key in setting} == setting
    assert list(after) == kept + [key for key in setting if key not in kept]
    assert changed(image, Changes()) == image


def test_draft_becomes_a_private_image() -> None:
    """A draft keeps what it names; without an owner the image is nobody's."""
    draft = Draft("a", "tmp-a", {"k": "v"}, "raw", "bare", 1, 2, hidden=True, tags=frozenset({"t"}))
    image = drafted(draft, "Burgos", "7", "", "2020")
    assert (image.name, image.owner, image.status, image.visibility) == ("tmp-a", None, "queued", "private")
    assert (image.disk_format, image.min_disk, image.min_ram, image.hidden) == ("raw", 1, 2, True)
    assert (image.tags, image.properties, image.created_at) == (frozenset({"t"}), {"k": "v"}, "2020")


@pytest.mark.parametrize(
    ("target", "expected"),
    [("master", ["Burgos", "Caceres"]), ("other", ["Avila", "a:b"]), ("third", []), ("", [])],
)
def test_names_of_a_target(target: str, expected: list[str]) -> None:
    """The first colon parts target and region; only names without one are master's."""
    full = ["other:Avila", "Caceres", "other:a:b", "Burgos", "third:", ":x"]
    assert [name for name in names_of_target(full, target) if name != "x"] == expected


@given(st.text())
def test_accepted_names_stay_inside_their_directory(name: str) -> None:
    """A region or image name that is accepted is one plain component of a path."""
    for accepted in (is_region_name(name), is_image_id(name)):
        if accepted:
            assert Path("/root", name).parent == Path("/root")
            assert Path("/root", name).resolve() == Path("/root", name)
            assert not name.startswith(".")
