"""The condition language: what it accepts, what it means, what it refuses, and how little it may cost."""

from __future__ import annotations

import dataclasses
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import ConditionError, ConfigurationError
from app.sync.images.condition import (
    DEPTH_LIMIT,
    NODE_LIMIT,
    TEXT_LIMIT_BYTES,
    CompiledCondition,
    parse_condition,
)
from app.sync.images.condition_language import FIELDS, FUNCTIONS, METHOD_NAMES, WORK_LIMIT, weight
from app.sync.images.model import Image

CPU_BOUND_SECONDS = 2.0
METADATA_SET = frozenset({"nid", "type"})

PUBLIC = Image(
    region="Valladolid",
    id="0a1b",
    name="debian 12",
    status="active",
    size=2048,
    checksum="c0ffee",
    owner="0042",
    visibility="public",
    properties={"type": "baseimage", "nid": "77", "empty": "", "number": 3},
    disk_format="qcow2",
    container_format="bare",
    min_disk=5,
    tags=frozenset({"stable", "lts"}),
    raw={"disk_format": "qcow2", "protected": False, "locations": [{"url": "file:///x"}]},
)
BLANK = Image(region="Valladolid", id="9", name=None, owner=None)


def matches(text: str, image: Image = PUBLIC, metadata_set: frozenset[str] = METADATA_SET) -> bool:
    """Parse and judge in one go."""
    return parse_condition(text).matches(image, metadata_set)


TRUE_OF_PUBLIC = [
    "image.is_public",
    "image.is_public and 'type' in image.user_properties and image.user_properties['type'] == 'baseimage'",
    "(image.is_public and\n 'nid' in image.user_properties)",
    "'image.is_public'",
    "image.user_properties.get('nid') == '77'",
    "image.user_properties.get('absent', 'none') == 'none'",
    "metadata_set.intersection(image.user_properties)",
    "metadata_set.intersection(image.user_properties.keys()) == {'nid', 'type'}",
    "metadata_set.issubset(image.user_properties)",
    "metadata_set.difference(['nid']) == {'type'}",
    "metadata_set.union(('a',)).issuperset({'a', 'nid'})",
    "'nid' in metadata_set and not 'empty' in metadata_set",
    "image.name.startswith(('ubuntu', 'debian'))",
    "image.name.upper().lower().endswith('12')",
    "image.name.split()[-1] == '12' and image.name.split(' ', 1) == ['debian', '12']",
    "image.name[:6] == 'debian' and image.name[::-1][0] == '2'",
    "' x '.strip() == 'x' and 'xyx'.strip('x') == 'y'",
    "1024 <= image.size < 4096",
    "image.size > -1 and -image.size < 0",
    "image.checksum is not None and image.hash_value is None",
    "image.owner in ('0042', '0043')",
    "image.status == 'active' and image.region == 'Valladolid' and image.id == '0a1b'",
    "image.visibility != 'private' and image.disk_format == 'qcow2'",
    "image.min_disk == 5 and image.min_ram == 0",
    "'lts' in image.tags and len(image.tags) == 2",
    "image.raw['disk_format'] == 'qcow2' and image.raw.get('protected') is False",
    "image.raw['locations'][0]['url'].startswith('file:')",
    "int(image.user_properties['nid']) == 77 and int('ff', 16) == 255",
    "str(image.user_properties['number']) == '3'",
    "set('aab') == {'a', 'b'} and set() == set([])",
    "any([False, image.is_public]) and all(('x', 1)) and bool(image.name)",
    "('nid', '77') in image.user_properties.items() and '77' in image.user_properties.values()",
    "u'type' in image.user_properties  # as Python 2 wrote it",
    "  image.is_public  ",
]
FALSE_OF_PUBLIC = [
    "not image.is_public",
    "False",
    "None",
    "0",
    "''",
    "()",
    "[]",
    "image.user_properties['empty']",
    "image.user_properties.get('absent')",
    "'absent' in image.user_properties and image.user_properties['absent'] == 'x'",
    "image.size > 4096 > 1",
    "metadata_set.intersection(['other'])",
]


@pytest.mark.parametrize(
    ("text", "expected"), [(t, True) for t in TRUE_OF_PUBLIC] + [(t, False) for t in FALSE_OF_PUBLIC]
)
def test_language_means_what_python_means(text: str, expected: bool) -> None:
    """A condition written for the original selects the images that it selected there."""
    assert matches(text) is expected
    assert bool(_python(text, PUBLIC, METADATA_SET)) is expected


def test_examples_use_every_word_of_the_language() -> None:
    """Every function and method of the language is shown to work by an example above."""
    examples = "\n".join(TRUE_OF_PUBLIC + FALSE_OF_PUBLIC)
    unused = [word for word in FUNCTIONS if f"{word}(" not in examples]
    unused += [word for word in METHOD_NAMES if f".{word}(" not in examples]
    assert unused == []


def test_every_attribute_of_an_image_can_be_asked_for() -> None:
    """Conditions know all attributes of the image record, the original's names among them."""
    held = {each.name for each in dataclasses.fields(Image)} - {"properties"}
    assert set(FIELDS) == held | {"is_public", "user_properties"}
    for name in FIELDS:
        assert matches(f"image.{name} == image.{name}"), name


def test_raw_is_none_where_the_store_keeps_no_record() -> None:
    """``image.raw`` is a mapping or None, as in the original."""
    assert matches("image.raw is None", BLANK)
    assert matches("image.raw['a'] == 1", dataclasses.replace(BLANK, raw=MappingProxyType({"a": 1})))


def test_read_only_properties_behave_as_a_dictionary() -> None:
    """It does not matter which kind of mapping a store keeps properties in."""
    image = dataclasses.replace(BLANK, properties=MappingProxyType({"nid": "1"}))
    assert matches("image.user_properties.get('nid') == '1' and len(image.user_properties) == 1", image)
    assert matches("image.user_properties.keys() == {'nid'}", image)


def test_condition_keeps_its_text() -> None:
    """Reports can show the condition as the operator wrote it, and equal texts are equal policies."""
    text = " image.is_public "
    assert parse_condition(text).text == text
    assert parse_condition(text) == parse_condition(text) != parse_condition("False")
    assert repr(parse_condition("False")) == "CompiledCondition(text='False')"


REFUSED = {
    "empty": ("", "column 1", "no valid expression"),
    "blank": ("   ", "column", "no valid expression"),
    "two expressions": ("image.is_public image.name", "column 17", "no valid expression"),
    "statement": ("import os", "column 1", "no valid expression"),
    "python 2 unequal": ("image.name <> 'x'", "column 12", "no valid expression"),
    "unclosed text": ("image.name == 'x", "column 15", "no valid expression"),
    "null byte": ("image.name\0", "column 1", "valid"),
    "lone surrogate": ("image.name == '\ud800'", "column 1", "no valid text"),
    "unknown name": ("image.is_public and os", "column 21", "unknown name os"),
    "after other letters": ("'äß' == os", "column 9", "unknown name os"),
    "second line": ("(image.is_public and\n os)", "line 2, column 2", "unknown name os"),
    "carriage return": ("(image.is_public and\r os)", "line 2, column 2", "unknown name os"),
    "lines before": ("\n\n  os", "line 3, column 3", "unknown name os"),
    "leading blanks": ("   os", "column 4", "unknown name os"),
    "image alone": ("image", "column 1", "image alone"),
    "image as an argument": ("str(image)", "column 5", "image alone"),
    "unknown field": ("image.nid == '1'", "column 1", "no field nid"),
    "private field": ("image.__class__", "column 1", "no field __class__"),
    "internal field": ("image.properties", "column 1", "no field properties"),
    "method of image": ("image.get('nid')", "column 1", "image alone"),
    "foreign attribute": ("image.name.__class__", "column 1", "attribute __class__"),
    "classes of a tuple": ("().__class__.__bases__[0]", "column 1", "attribute __bases__"),
    "method not called": ("image.name.lower", "column 1", "lower is a method"),
    "function not called": ("any", "column 1", "any is a function"),
    "unknown function": ("getattr(image.name, 'x')", "column 1", "calling getattr"),
    "import": ("__import__('os').system('true')", "column 1", "calling .system"),
    "eval": ("eval('1')", "column 1", "calling eval"),
    "unknown method": ("'{0.__class__}'.format(image.name)", "column 1", "calling .format"),
    "python 2 method": ("image.user_properties.has_key('nid')", "column 1", "calling .has_key"),
    "call of a call": ("len('x')()", "column 1", "calling this"),
    "keyword": ("image.name.split(maxsplit=1)", "column 1", "given by name"),
    "starred": ("len(*metadata_set)", "column 5", "starred"),
    "double star": ("len(**image.user_properties)", "column 1", "given by name"),
    "lambda": ("(lambda: 1)()", "column 1", "calling this"),
    "lambda alone": ("lambda: 1", "column 1", "lambda"),
    "comprehension": ("[x for x in metadata_set]", "column 1", "comprehension"),
    "set comprehension": ("{x for x in metadata_set}", "column 1", "comprehension"),
    "generator": ("any(x for x in metadata_set)", "column 4", "generator"),
    "conditional": ("1 if image.is_public else 2", "column 1", "if ... else"),
    "assignment": ("(x := 1)", "column 2", "assignment"),
    "dictionary": ("{'a': 1}", "column 1", "dictionary"),
    "bytes": ("b'x' == image.name", "column 1", "type bytes"),
    "complex": ("1j", "column 1", "type complex"),
    "ellipsis": ("...", "column 1", "type ellipsis"),
    "plus": ("1 + 1", "column 1", "arithmetic"),
    "printf bomb": ("'%0999999999d' % 1", "column 1", "arithmetic"),
    "repetition bomb": ("'x' * 999999999", "column 1", "arithmetic"),
    "power bomb": ("9 ** 9 ** 9", "column 1", "arithmetic"),
    "shift bomb": ("1 << 999999999", "column 1", "arithmetic"),
    "format bomb": ("f'{1:999999999}'", "column 1", "formatted string"),
    "unary plus": ("+1", "column 1", "unary"),
    "inversion": ("~1", "column 1", "unary"),
    "slices in a tuple": ("image.name[1:2, 3]", "column 12", "slice"),
    "await": ("(await image.name)", "column", ""),
    "long chain": ("1" + "+1" * 1000, "column 1", "arithmetic"),
    "long disjunction": ("1" + " or 1" * 300, "column", f"more than {NODE_LIMIT} parts"),
    "deep minus": ("-" * 2000 + "1", "column", "deep"),
    "deep not": ("not " * 500 + "1", "column", "deep"),
    "deep parentheses": ("(" * 1000 + "1" + ")" * 1000, "column", ""),
    "deep lists": ("[" * 150 + "]" * 150, "column", "deep"),
    "deep subscripts": ("image.name" + "[0]" * 600, "column", "deep"),
    "deep attributes": ("image" + ".a" * 1000, "column", "attribute a"),
    "too long": ("'" + "x" * TEXT_LIMIT_BYTES + "'", "column 2049", "longer than"),
    "too long in bytes": ("'" + "ä" * (TEXT_LIMIT_BYTES // 2) + "'", "column 1025", "longer than"),
}


@pytest.mark.parametrize(("text", "where", "what"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_when_the_configuration_is_read(text: str, where: str, what: str) -> None:
    """What is outside the language is refused at load, with its column, the reason and a remedy."""
    started = time.thread_time()
    with pytest.raises(ConfigurationError) as caught:
        parse_condition(text)
    assert time.thread_time() - started < CPU_BOUND_SECONDS
    assert caught.value.where == where or (where == "column" and caught.value.where.startswith("column "))
    assert what in caught.value.what
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "'" + "x" * (TEXT_LIMIT_BYTES - 2) + "'",
        " or ".join(["1"] * (NODE_LIMIT - 1)),
        "not " * (DEPTH_LIMIT - 1) + "1",
    ],
    ids=["longest", "most parts", "deepest"],
)
def test_limits_themselves_are_allowed(text: str) -> None:
    """A condition may be as large as the limits say."""
    assert isinstance(parse_condition(text), CompiledCondition)
    assert parse_condition(text).matches(PUBLIC, METADATA_SET) in (True, False)


def test_odd_spelling_warns_nobody() -> None:
    """The parser's own warnings about spelling do not reach the operator's screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matches(r"'\d' == '\\d'")
        assert matches("image.is_public is True")


FAILING = {
    "absent property": ("image.user_properties['absent']", "column 1", "there is no 'absent'"),
    "later part": ("image.is_public and image.raw['x']", "column 21", "there is no 'x'"),
    "name of none": ("image.hash_value.lower()", "column 1", "None has no method lower()"),
    "method of another kind": ("image.name.get('x')", "column 1", "a str has no method get()"),
    "order of kinds": ("image.size > 'x'", "column 1", "'>' not supported between"),
    "order with none": ("image.hash_value > 'x'", "column 1", "'>' not supported between"),
    "not a container": ("'x' in image.size", "column 1", "not iterable"),
    "not a number": ("int(image.name)", "column 1", "invalid literal"),
    "infinite number": ("int(1e999)", "column 1", "infinity"),
    "too many digits": ("int('" + "9" * 1001 + "')", "column 1", "more than 1000 digits"),
    "minus a text": ("1 < -image.name", "column 5", "bad operand"),
    "no length": ("len(image.size)", "column 1", "no len()"),
    "wrong arguments": ("len()", "column 1", "exactly one argument"),
    "index outside": ("image.name[99]", "column 1", "index out of range"),
    "bad slice": ("image.name['a':]", "column 1", "slice indices"),
    "bad subscript": ("image.size[0]", "column 1", "not subscriptable"),
    "unhashable element": ("{[]}", "column 1", "unhashable"),
    "unhashable key": ("image.user_properties.get([])", "column 1", "unhashable"),
    "empty separator": ("image.name.split('')", "column 1", "empty separator"),
    "innermost place": ("len(str(image.raw['x']))", "column 9", "there is no 'x'"),
    "line break in a key": ("image.raw['a\\nb']", "column 1", r"there is no 'a\nb'"),
}


@pytest.mark.parametrize(("text", "where", "what"), FAILING.values(), ids=FAILING.keys())
def test_failure_on_an_image_says_why_in_one_line(text: str, where: str, what: str) -> None:
    """A condition that cannot be told for an image names the cause and its column, in one line."""
    condition = parse_condition(text)
    with pytest.raises(ConditionError) as caught:
        condition.matches(PUBLIC, METADATA_SET)
    assert caught.value.where == where
    assert what in caught.value.what
    assert "\n" not in str(caught.value)


def test_several_lines_without_brackets_are_refused_with_the_remedy() -> None:
    """An operator who breaks a line, which the original refused too, reads how to do it."""
    with pytest.raises(ConfigurationError, match="parentheses around") as caught:
        parse_condition("image.is_public and\n 'nid' in metadata_set")
    assert caught.value.where == "line 1, column 20"


def test_failure_text_is_bounded() -> None:
    """A property as long as a book does not fill the log."""
    image = dataclasses.replace(PUBLIC, properties={"a": "x\ny" * 100_000})
    with pytest.raises(ConditionError) as caught:
        matches("image.raw[image.user_properties['a']]", image)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_failure_on_one_image_leaves_the_others_alone() -> None:
    """After a failure the same condition still judges the next image."""
    condition = parse_condition("image.name.startswith('debian')")
    for _ in range(3):
        with pytest.raises(ConditionError):
            condition.matches(BLANK, METADATA_SET)
        assert condition.matches(PUBLIC, METADATA_SET)


def _nested(levels: int) -> list[object]:
    nested: list[object] = []
    for _ in range(levels):
        nested = [nested]
    return nested


def _endless() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


P = "image.user_properties"
HOSTILE_VALUES = {
    "stripping": (
        f"{P}['a'].strip({P}['b'])",
        {"a": "z\u1234" * 200_000, "b": "y\u4321" * 200_000 + "z\u1234"},
        {},
    ),
    "splitting": (f"{P}['a'].split('x')", {"a": "x" * 500_000}, {}),
    "rendering": (f"str({P})", {"a": "\x00" * 5_000_000}, {}),
    "rendering often": (f"str([{', '.join([P] * 60)}])", {"a": "\x00" * 60_000}, {}),
    "searching": (f"{P}['a'] in {P}['b']", {"a": "a" * 400_000 + "b", "b": "a" * 2_000_000}, {}),
    "folding": (f"{P}['a']{'.upper().lower()' * 15}", {"a": "ΐ" * 100_000}, {}),
    "colliding numbers": (
        f"set({P}.values())",
        {str(i): i * (2**61 - 1) for i in range(30_000)},
        {},
    ),
    "colliding union": (
        f"metadata_set.union({P}.values())",
        {str(i): i * (2**61 - 1) for i in range(30_000)},
        {},
    ),
    "letters of a text": (f"set({P}['a'])", {"a": "x" * 500_000}, {}),
    "comparing": (
        f"[{', '.join([P] * 40)}] == [{', '.join([P] * 40)}]",
        {str(i): "x" * 50 for i in range(2_000)},
        {},
    ),
    "slicing": (f"{P}['a'][::-1]", {"a": "x" * 2_000_000}, {}),
    "endless record": ("image.raw['a'] == [image.raw['a']]", {}, {"a": _endless()}),
    "endless text": ("str([image.raw['a'], 1])", {}, {"a": _endless()}),
    "any of many": ("any(image.raw['a'])", {}, {"a": [0] * 2_000_000}),
}


@pytest.mark.parametrize(("text", "properties", "raw"), HOSTILE_VALUES.values(), ids=HOSTILE_VALUES.keys())
def test_large_values_are_refused_before_they_cost_anything(
    text: str, properties: dict[str, str], raw: dict[str, object]
) -> None:
    """Values that would make a condition slow or large end in an error instead."""
    condition = parse_condition(text)
    image = dataclasses.replace(PUBLIC, properties=properties, raw=raw)
    started = time.thread_time()
    with pytest.raises(ConditionError, match="too large"):
        condition.matches(image, METADATA_SET)
    assert time.thread_time() - started < CPU_BOUND_SECONDS


@pytest.mark.parametrize("text", ["str(image.raw['a'])", "image.raw['a'] == [image.raw['a']]"])
def test_deep_records_are_no_crash(text: str) -> None:
    """A record nested beyond reason is an error of that image only."""
    image = dataclasses.replace(PUBLIC, raw={"a": _nested(20_000)})
    with pytest.raises(ConditionError, match="recursion"):
        matches(text, image)


def test_large_values_cost_nothing_where_they_do_not_matter() -> None:
    """An image with large properties can still be judged by its small ones."""
    image = dataclasses.replace(PUBLIC, properties={"a": "x" * 5_000_000, "nid": "1"})
    assert matches(f"'nid' in {P} and {P}['nid'] == '1' and {P}['a'] != '1' and len({P}['a']) > 9", image)
    assert matches(f"{P}.get('a') is not None and str({P}['a']) and bool({P}['a'])", image)


def test_foreign_objects_are_not_touched() -> None:
    """A server's record that holds anything but plain data is refused, not called."""

    class Trap:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("must not be called")

        __hash__ = None

    class LoudText(str):
        __slots__ = ()

        def lower(self) -> str:
            raise AssertionError("must not be called")

    image = dataclasses.replace(PUBLIC, raw={"a": Trap(), "b": LoudText("x")})
    with pytest.raises(ConditionError, match="Trap is not plain data"):
        matches("image.raw['a'] == 1", image)
    with pytest.raises(ConditionError, match="LoudText has no method"):
        matches("image.raw['b'].lower() == 'x'", image)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, 1),
        (1.5, 1),
        (True, 1),
        ("", 1),
        ("abc", 4),
        ((), 1),
        (["ab", ("c",)], 10),
        ({"a": "bc"}, 7),
        ({}.keys(), 1),
        ({"a": 1}.items(), 8),
    ],
    ids=repr,
)
def test_weight_counts_what_is_inside(value: object, expected: int) -> None:
    """The work limit sees through nesting."""
    assert weight(value) == expected


def test_weight_of_a_large_number_grows_with_its_digits() -> None:
    """A number counts as the text that it would make."""
    assert 900 < weight(10**1000) < 1200


def test_one_condition_serves_many_threads() -> None:
    """Regions that are planned side by side can share a condition."""
    condition = parse_condition("image.size > 1000 and str(image.user_properties)")
    images = [dataclasses.replace(PUBLIC, size=n, properties={"a": "x" * 1000}) for n in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: condition.matches(image, METADATA_SET), images))
    assert found == [n > 1000 for n in range(2000)]


# Comparison with Python itself. Only this test lets Python evaluate text, and only text made here.

BUILTINS = {"len": len, "set": set, "int": int, "str": str, "bool": bool, "any": any, "all": all}
PYTHON_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
KEYS = ["nid", "type", "kernel_id", "a b", "é"]
WORDS = st.sampled_from(["", "nid", "type", "1", "77", " x ", "Ubuntu 22.04", "é", "None", "\n"])
VALUES = st.one_of(WORDS, st.integers(-3, 99), st.none(), st.booleans(), st.sampled_from([0.0, 1.5, -0.0]))
IMAGES = st.builds(
    Image,
    region=WORDS,
    id=WORDS,
    name=st.none() | WORDS,
    status=st.sampled_from(["active", "queued"]),
    size=st.none() | st.integers(0, 5000),
    checksum=st.none() | WORDS,
    owner=st.none() | WORDS,
    visibility=st.sampled_from(["public", "private", "shared", "community"]),
    properties=st.dictionaries(st.sampled_from(KEYS), VALUES),
    min_disk=st.integers(0, 9),
    tags=st.frozensets(WORDS, max_size=3),
    raw=st.none() | st.dictionaries(st.sampled_from(KEYS), VALUES | st.lists(VALUES, max_size=2)),
)
METADATA_SETS = st.frozensets(st.sampled_from(KEYS))
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
SINGLETONS = st.sampled_from(["is None", "is not None", "is True", "is not False"])


def _scalar() -> st.SearchStrategy[str]:
    fields = st.sampled_from(sorted(FIELDS)).map(lambda name: f"image.{name}")
    keys = st.sampled_from(KEYS)
    return st.one_of(
        VALUES.map(lambda value: f"({value!r})"),
        fields,
        st.just("metadata_set"),
        keys.map(lambda key: f"{P}[{key!r}]"),
        keys.map(lambda key: f"{P}.get({key!r})"),
        keys.map(lambda key: f"image.raw.get({key!r}, 'x')"),
    )


def _larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    text_methods = st.sampled_from(["startswith", "endswith", "split", "strip"])
    set_methods = st.sampled_from(["intersection", "union", "difference", "issubset", "issuperset"])
    plain_methods = st.sampled_from(["lower", "upper", "split", "strip", "keys", "values", "items"])
    functions = st.sampled_from(["len", "set", "int", "bool", "any", "all"])
    bound = st.sampled_from(["", "0", "1", "-1", "2", "9"])
    return st.one_of(
        st.builds("({} and {})".format, part, part),
        st.builds("({} or {} or {})".format, part, part, part),
        st.builds("(not {})".format, part),
        st.builds("({} {} {})".format, part, OPERATORS, part),
        st.builds("({} {} {} {} {})".format, part, OPERATORS, part, OPERATORS, part),
        st.builds("({} {})".format, part, SINGLETONS),
        st.builds("({}, {})".format, part, part),
        st.builds("[{}, {}]".format, part, part),
        st.builds("{{{}, {}}}".format, part, part),
        st.builds("{}[{}]".format, part, part),
        st.builds("{}[{}:{}]".format, part, bound, bound),
        st.builds("{}[::{}]".format, part, bound),
        st.builds("{}.{}({})".format, part, text_methods | set_methods, part),
        st.builds("{}.{}()".format, part, plain_methods),
        st.builds("{}.get({}, {})".format, part, part, part),
        st.builds("{}({})".format, functions, part),
        # The text of a set may differ with its history, so only scalars are rendered.
        st.builds("str({})".format, _scalar()),
        st.builds("(-{})".format, part),
    )


def _fitting() -> st.SearchStrategy[str]:
    """Build expressions whose parts are of the kinds they should be, so that most of them can be told."""
    leaf = WORDS.map(repr) | st.sampled_from(["image.visibility", "image.status", "image.region"])
    text = st.recursive(
        leaf | st.builds("str({}.get({!r}, 1))".format, st.just(P), st.sampled_from(KEYS)),
        lambda part: st.one_of(
            st.builds("{}.{}()".format, part, st.sampled_from(["lower", "upper", "strip"])),
            st.builds("{}.strip({})".format, part, part),
            st.builds("{}[{}:{}]".format, part, st.sampled_from(["", "1", "-3"]), st.integers(-2, 4)),
            st.builds("({} {} {})".format, part, st.sampled_from(["and", "or"]), part),
        ),
        max_leaves=3,
    )
    group = st.recursive(
        st.one_of(
            st.sampled_from(["metadata_set", "image.tags", f"set({P})", f"set({P}.keys())", "set()"]),
            st.builds("set({}.split())".format, text),
            st.builds("{{{}, {}}}".format, text, text),
        ),
        lambda part: st.builds(
            "{}.{}({})".format, part, st.sampled_from(["intersection", "union", "difference"]), part
        ),
        max_leaves=3,
    )
    number = st.one_of(
        st.integers(-9, 9999).map("({})".format),
        st.builds("len({})".format, text | group),
        st.sampled_from(["image.min_disk", "(-image.min_ram)", "int('12')", "image.is_public"]),
    )
    order = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    member = st.sampled_from(["in", "not in"])
    fact = st.one_of(
        *(st.builds("{} {} {}".format, kind, order, kind) for kind in (text, group, number)),
        *(st.builds("{} {} {} {} {}".format, k, order, k, order, k) for k in (text, group, number)),
        st.builds("{} {} {}".format, text, member, text | group | st.sampled_from([P, f"{P}.values()"])),
        st.builds("{} {} ({}, {})".format, text, member, text, text),
        st.builds("({}, {}) {} {}.items()".format, text, text, member, st.just(P)),
        st.builds("{}.startswith(({}, {}))".format, text, text, text),
        st.builds("{}.endswith({})".format, text, text),
        st.builds("{}.{}({})".format, group, st.sampled_from(["issubset", "issuperset"]), group),
        st.builds("{}([{}, {}])".format, st.sampled_from(["any", "all", "len"]), text, number),
        st.builds("{} {}".format, st.sampled_from(["image.name", "image.size"]), SINGLETONS),
    )
    return st.recursive(
        fact,
        lambda part: st.one_of(
            st.builds("({} and {})".format, part, part),
            st.builds("({} or {} or {})".format, part, part, part),
            st.builds("(not {})".format, part),
        ),
        max_leaves=4,
    )


EXPRESSIONS = st.recursive(_scalar(), _larger, max_leaves=8) | _fitting() | _fitting()


def _python(text: str, image: Image, metadata_set: frozenset[str]) -> object:
    names = {"__builtins__": BUILTINS, "image": image, "metadata_set": metadata_set}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(text.strip(), names)


@settings(max_examples=600, deadline=None)
@given(text=EXPRESSIONS, image=IMAGES, metadata_set=METADATA_SETS)
def test_result_is_that_of_python(text: str, image: Image, metadata_set: frozenset[str]) -> None:
    """Inside the language a condition gives what Python gives, and fails where Python fails."""
    assume(len(text.encode()) <= TEXT_LIMIT_BYTES)
    condition = parse_condition(text)
    try:
        expected = bool(_python(text, image, metadata_set))
    except PYTHON_FAILURES:
        with pytest.raises(ConditionError):
            condition.matches(image, metadata_set)
    else:
        assert condition.matches(image, metadata_set) is expected


TOKENS = [
    *("image", ".", "name", "user_properties", "metadata_set", "raw", "size", "get", "split", "lower"),
    *("(", ")", "[", "]", "{", "}", ",", ":", ":=", "=", "==", "<", "<>", "in", "is", "not", "and", "or"),
    *("+", "-", "*", "**", "%", "/", "//", "<<", "@", "~", "'x'", '"', "'", "1", "9" * 400, "1e999", "0x"),
    *("lambda", "for", "if", "else", "await", "yield", "f'{", "}'", "b''", "...", "__class__", "__import__"),
    *("len", "str", "int", "set", "any", " ", "\n", "\r", "\t", "\\", "\\\n", "\0", "#", "é", "\f", "\ufeff"),
]


@settings(max_examples=600, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=300),
        st.lists(st.sampled_from(TOKENS), max_size=60).map("".join),
        st.lists(st.sampled_from(TOKENS), max_size=60).map(" ".join),
        st.builds(lambda token, times: token * times, st.sampled_from(TOKENS), st.integers(1, 2100)),
    ),
    image=IMAGES,
)
def test_no_text_does_harm(text: str, image: Image) -> None:
    """Whatever stands in the file: a clear refusal or a working condition, soon."""
    started = time.thread_time()
    refusal = _refusal(text, image)
    assert time.thread_time() - started < CPU_BOUND_SECONDS
    assert refusal is None or "\n" not in str(refusal)
    assert refusal is None or "column " in refusal.where or isinstance(refusal, ConditionError)


def _refusal(text: str, image: Image) -> ConfigurationError | ConditionError | None:
    try:
        parse_condition(text).matches(image, METADATA_SET)
    except (ConfigurationError, ConditionError) as error:
        return error
    return None


def test_work_limit_is_generous_for_real_images() -> None:
    """As many properties as Glance allows by default do not come near the limit."""
    image = dataclasses.replace(PUBLIC, properties={f"key{n}": "x" * 255 for n in range(128)})
    condition = f"str({P}) and set({P}) and {P}.items() == {P}.items() and metadata_set.union({P})"
    assert matches(condition, image)
    assert weight(dict(image.user_properties)) * 20 < WORK_LIMIT
