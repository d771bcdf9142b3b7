"""Column 9 of a backup file: the dictionary literals of two Pythons, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.images.stores.literal import LiteralError, format_properties, parse_properties

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
properties = st.dictionaries(texts, st.none() | st.booleans() | numbers | texts, max_size=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        ("  ", {}),
        ("{ }", {}),
        ("{u'type': u'x'}", {"type": "x"}),
        ("{'a': u'caf\\xe9 \\u20ac'}", {"a": "caf\u00e9 \u20ac"}),
        ("{'a': 5L, 'b': -7l, 'c': 0L}", {"a": 5, "b": -7, "c": 0}),
        ("{'a': '5L', 'b': '''}", None),
        ("{'5L': \"it's 6L\"}", {"5L": "it's 6L"}),
        ("{'k1' : 'value1','k2':2}", {"k1": "value1", "k2": 2}),
        (
            "{'a': True, 'b': False, 'c': None, 'd': 1.5e-07}",
            {"a": True, "b": False, "c": None, "d": 1.5e-07},
        ),
        ("{'a': '{[(#,:'}", {"a": "{[(#,:"}),
        ("{'a': 1,}", {"a": 1}),
        ("{'a':\n'b'}", {"a": "b"}),
    ],
)
def test_literals_of_both_pythons_are_read(text: str, expected: dict[str, object] | None) -> None:
    """Dictionaries as Python 2 and 3 print them are understood; a text in quotes stays as it is."""
    if expected is None:
        with pytest.raises(LiteralError):
            parse_properties(text)
    else:
        assert parse_properties(text) == expected


CODE = [
    "__import__('os').system('true')",
    "{'a': __import__('os').abort()}",
    "{'a': open('/etc/passwd').read()}",
    "{'a': [1]}",
    "{'a': (1, 2)}",
    "{'a': {'b': 1}}",
    "{'a': {1, 2}}",
    "{**{}}",
    "{'a': 1 + 1}",
    "{'a': 9**9}",
    "{'a': 1 if True else 2}",
    "{'a': lambda: 1}",
    "{'a': f'{1}'}",
    "{'a': b'x'}",
    "{'a': r'x'}",
    "{'a': 0x10}",
    "{'a': 007}",
    "{'a': 1j}",
    "{'a': 1e999}",
    "{'a': nan}",
    "{'a': Truex}",
    "{1: 'a'}",
    "{None: 'a'}",
    "{'a'}",
    "'a'",
    "5",
    "None",
    "{'a': 'b'",
    "{'a': 'b'}}",
    "{'a': 'b'} {}",
    "{'a' 'b'",
    "{'a': '\\x'}",
    "{'a': '\\N{nothing}'}",
    "{" * 100_000,
    "{'a': " + "-" * 100_000 + "1}",
    "{'a': " + "1" * 10_000 + "}",
    "{'a': 1}; 5",
    "{'a': 1} # x",
    "{'a': \u0663}",
]


@pytest.mark.parametrize("text", CODE, ids=lambda text: text[:30])
def test_code_is_refused(text: str) -> None:
    """Whatever is not a flat dictionary of plain values is an error, never run and never evaluated."""
    with pytest.raises(LiteralError) as caught:
        parse_properties(text)
    assert 0 <= caught.value.offset <= len(text)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("{} + {}", 3),
        ("f()", 0),
        ("{'a': b}", 6),
        ("{'a': 'b', 'c': [", 16),
        ("{'a': {", 6),
        ("{'a': 1j}", 6),
    ],
)
def test_first_foreign_thing_is_located(text: str, offset: int) -> None:
    """The error points at the first character that no plain dictionary has there."""
    with pytest.raises(LiteralError) as caught:
        parse_properties(text)
    assert caught.value.offset == offset


@given(properties)
def test_literal_round_trip(saved: dict[str, object]) -> None:
    """Every property set comes back equal and with the same types."""
    read = parse_properties(format_properties(saved))
    assert read == saved
    assert [type(value) for value in read.values()] == [type(value) for value in saved.values()]


@given(st.text(alphabet="{}':,\"\\uUlL1.e+- TrueNon\n", max_size=60))
def test_any_text_is_properties_or_an_error(text: str) -> None:
    """Whatever column 9 holds, the reader returns a dictionary of plain values or one kind of error."""
    try:
        read = parse_properties(text)
    except LiteralError:
        return
    assert all(isinstance(key, str) for key in read)
    assert parse_properties(format_properties(read)) == read
