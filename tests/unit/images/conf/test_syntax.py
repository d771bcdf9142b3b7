"""Files of the original read unchanged (spec 2.2)."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigurationError
from app.sync.images.conf.findings import Diagnosis
from app.sync.images.conf.reader import (
    FILE_LIMIT_BYTES,
    Document,
    exists,
    normal_name,
    read_text,
    scan,
)


def document_of(text: str) -> tuple[Document, Diagnosis]:
    """A document of a file called f, and what was wrong with its lines."""
    diagnosis = Diagnosis()
    found = scan(text, "f", diagnosis)
    return Document("f", Path(), found.sections, found.entries), diagnosis


def value_of(text: str, *, section: str = "master", option: str = "a", literal: bool = False) -> str:
    """The value of one option of a text without faults."""
    document, diagnosis = document_of(text)
    assert diagnosis.findings == []
    return document.text(section, option, literal=literal)


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        pytest.param("a = x", "x", id="equals sign"),
        pytest.param("a: x", "x", id="colon"),
        pytest.param("a=x:y=z", "x:y=z", id="only the first delimiter divides"),
        pytest.param("A = x", "x", id="option names ignore case"),
        pytest.param("a  =  x  ", "x", id="blanks around"),
        pytest.param("a = x\r", "x", id="carriage return"),
        pytest.param("a =", "", id="blank value"),
        pytest.param('a = ""', "", id="a bare pair of quotes is blank"),
        pytest.param("a = 'x'", "'x'", id="quotes stay"),
        pytest.param("a = x\na = y", "y", id="the last one wins"),
        pytest.param("a = x\n[other]\nb = 1\n[master]\na = y", "y", id="repeated sections merge"),
        pytest.param("# a = y\na = x\n; a = z", "x", id="full-line comments"),
        pytest.param("a = x ; comment", "x", id="semicolon after a blank begins a comment"),
        pytest.param("a = x;y", "x;y", id="semicolon after text does not"),
        pytest.param("a = x;y ; z", "x;y", id="both semicolons"),
        pytest.param("a = ; z", "", id="nothing but a comment"),
        pytest.param("a = q # x", "q # x", id="a number sign never begins a trailing comment"),
        pytest.param("a = x,\n  y", "x,\ny", id="indented lines continue"),
        pytest.param("a = x,\n\n  y", "x,\ny", id="blank lines between continuations"),
        pytest.param("a = x,\n   \n\ty", "x,\ny", id="tabs and lines of blanks"),
        pytest.param("a = x,\n# c\n  y", "x,\ny", id="comment in the middle of a value"),
        pytest.param("a = x,\n  # y", "x,\n# y", id="an indented number sign is text"),
        pytest.param("a = x,\n  y ; z", "x,\ny ; z", id="no trailing comment on a continuation"),
        pytest.param("a =\n  x", "x", id="value begins on the next line"),
        pytest.param("a = x,\\\n  y", "x, y", id="backslash, newline, indentation are one blank"),
        pytest.param("a = x\\\n  y\\\n z", "x y z", id="several backslashes"),
        pytest.param("a = x,\\\n\n  y", "x, y", id="backslash before a blank line"),
        pytest.param("a = x\\", "x\\", id="a last backslash is text"),
        pytest.param("a = x\\y", "x\\y", id="a backslash inside is text"),
        pytest.param("b = 1\na = %(b)s2", "12", id="interpolation"),
        pytest.param("a = 50%%", "50%", id="doubled percent sign"),
        pytest.param("a = %(B)s\nb = 1", "1", id="references ignore case and order"),
        pytest.param("[DEFAULT]\nb = 1\n[master]\na = %(b)s", "1", id="interpolation from DEFAULT"),
        pytest.param("[DEFAULT]\na = 1\n[master]", "1", id="DEFAULT below the section"),
        pytest.param("[DEFAULT]\na = 1\n[master]\na = 2", "2", id="the section above DEFAULT"),
        pytest.param("[DEFAULT]\na = 1\n[master]\na =", "", id="a blank cancels DEFAULT"),
        pytest.param("a = grün", "grün", id="UTF-8"),
        pytest.param("a = x\x0by", "x\x0by", id="only newlines divide lines"),
    ],
)
def test_value(lines: str, value: str) -> None:
    """Every way of writing a value that the original reads gives the same value."""
    assert value_of(f"[master]\n{lines}") == value


def test_literal_value_keeps_percent_signs() -> None:
    """A password needs no doubled percent signs."""
    assert value_of("[master]\na = 5%(x)s%%%", literal=True) == "5%(x)s%%%"


def test_default_counts_in_main() -> None:
    """[DEFAULT] supplies defaults for every section including main."""
    assert value_of("[DEFAULT]\na = 1", section="main") == "1"


def test_sections_are_case_sensitive() -> None:
    """[Main] is a target called Main; master comes first and always exists."""
    document, _ = document_of("[Main]\n[other] ; remark\n[other]\n[main]\n[DEFAULT]")
    assert document.targets == ("master", "Main", "other")


def test_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """A file saved by a Windows editor begins with its first section."""
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbf[master]\r\na = 1\r\n")
    assert value_of(read_text(path)) == "1"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("a = 1", [1], id="option before any section"),
        pytest.param("a = 1\n  b", [1], id="its continuation is not reported again"),
        pytest.param("[master]\nnonsense", [2], id="neither option nor continuation"),
        pytest.param("[master\na = 1", [1, 2], id="unclosed section"),
        pytest.param("[]\n[master]", [1], id="nameless section"),
        pytest.param("[master]\n  a = 1", [2], id="indented line without option"),
        pytest.param("[master]\n= 1", [2], id="option without name"),
        pytest.param("[master]\nx\n\ny\na = 1\nz", [2, 4, 6], id="all bad lines, not only the first"),
        pytest.param("[master]\na = \udcff", [2], id="not UTF-8"),
    ],
)
def test_bad_lines(text: str, lines: list[int]) -> None:
    """A line that fits no rule is named by its number, with a remedy; the others are read."""
    _, diagnosis = document_of(text)
    assert [finding.line for finding in diagnosis.findings] == lines
    assert all(finding.remedy for finding in diagnosis.findings)


def test_bad_line_is_not_quoted() -> None:
    """What stands in a line that cannot be read may be a password, so it is not repeated."""
    _, diagnosis = document_of("[master]\npassword =\nhunter2")
    assert len(diagnosis.errors) == 1
    assert "hunter2" not in str(diagnosis.errors[0])


def test_values_around_a_bad_line_are_read() -> None:
    """One bad line does not hide the rest of the file."""
    document, _ = document_of("[master]\na = 1\nnonsense\n  more\nb = 2")
    assert [document.text("master", name, literal=False) for name in "ab"] == ["1", "2"]


def test_comment_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    """An old file with Latin-1 comments reads unchanged."""
    path = tmp_path / "f"
    path.write_bytes(b"# a\xf1o\n[master]\na = 1\n")
    assert value_of(read_text(path)) == "1"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("5%", id="lone percent sign"),
        pytest.param("%(nothing)s", id="unknown name"),
        pytest.param("%(a)s", id="reference to itself"),
        pytest.param("%(a", id="unclosed reference"),
    ],
)
def test_bad_interpolation(value: str) -> None:
    """A wrong percent sign is an error that names file, line, section and option."""
    document, _ = document_of(f"[master]\n\na = {value}")
    with pytest.raises(ConfigurationError) as caught:
        document.text("master", "a", literal=False)
    assert caught.value.where == "f, line 3, [master] a"
    assert "%%" in caught.value.remedy


def test_references_do_not_multiply_without_limit() -> None:
    """A small file whose references multiply is refused at once instead of filling the memory."""
    levels = "".join(f"a{n} = {f'%(a{n - 1})s' * 30}\n" for n in range(1, 9))
    document, _ = document_of(f"[master]\na0 = xxxxxxxxxx\n{levels}a = %(a8)s")
    assert len(document.text("master", "a2", literal=False)) == 9000
    with pytest.raises(ConfigurationError, match="no end"):
        document.text("master", "a", literal=False)


def test_bad_interpolation_of_another_option_does_no_harm() -> None:
    """The error comes with the option that is read, not before."""
    assert value_of("[master]\nb = 5%\na = 1") == "1"


def test_repeated_options_are_known() -> None:
    """The option that a later line replaces can be reported."""
    document, _ = document_of("[master]\na = 1\n[other]\na = 5\n[master]\nA = 2")
    assert [(entry.section, entry.line) for entry in document.repeated] == [("master", 2)]


def test_line_numbers_count_from_the_option() -> None:
    """A value over several lines is found at its first line."""
    document, _ = document_of("# x\n[master]\na = 1,\n  2\nb = 3")
    assert [(entry.option, entry.line) for entry in document.entries] == [("a", 3), ("b", 5)]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Retries ", "retries"),
        ("Endpoint_Override.Burgos", "endpoint_override.Burgos"),
        ("ENDPOINT_OVERRIDE.a.B", "endpoint_override.a.B"),
    ],
)
def test_option_names(written: str, normal: str) -> None:
    """Case does not matter in option names, but in the names of regions it does."""
    assert normal_name(written) == normal


def test_largest_file_is_read(tmp_path: Path) -> None:
    """A file of exactly the limit is accepted."""
    path = tmp_path / "f"
    path.write_bytes(b"#" * FILE_LIMIT_BYTES)
    assert len(read_text(path)) == FILE_LIMIT_BYTES


def test_larger_file_is_refused(tmp_path: Path) -> None:
    """A file above the limit is refused before it is taken apart."""
    path = tmp_path / "f"
    path.write_bytes(b"#" * (FILE_LIMIT_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than 1048576 bytes"):
        read_text(path)


@pytest.mark.parametrize("name", ["missing", "directory", "directory/below/it", "nul\0byte"])
def test_unreadable_file(tmp_path: Path, name: str) -> None:
    """A file that cannot be read is named."""
    (tmp_path / "directory").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        read_text(tmp_path / name)
    assert str(tmp_path) in caught.value.where


def test_exists(tmp_path: Path) -> None:
    """A file below another file is not there, and looking for it is no failure."""
    path = tmp_path / "f"
    path.touch()
    assert exists(path)
    assert not exists(path / "below")
    assert not exists(tmp_path / "g")


def test_what_cannot_be_looked_at_counts_as_there(tmp_path: Path) -> None:
    """A standard file that may not be looked at is not silently passed over."""
    assert exists(tmp_path / ("n" * 5000))


PLAIN = st.text(
    st.characters(codec="utf-8", exclude_characters='%;\\"', exclude_categories=["C", "Z"]), min_size=1
)


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), PLAIN, max_size=5),
)
def test_agrees_with_configparser(options: dict[str, str]) -> None:
    """Plain files mean what Python's own parser makes of them."""
    text = "[s]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    parser = configparser.ConfigParser(strict=False)
    parser.read_string(text)
    document, diagnosis = document_of(text)
    assert diagnosis.findings == []
    for name in options:
        assert document.text("s", name, literal=False) == parser.get("s", name)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail otherwise than by findings with a line of the file."""
    document, diagnosis = document_of(text)
    for entry in document.entries:
        document.text(entry.section if entry.section != "DEFAULT" else "master", entry.option, literal=True)
    assert all(1 <= (finding.line or 0) <= text.count("\n") + 1 for finding in diagnosis.findings)
