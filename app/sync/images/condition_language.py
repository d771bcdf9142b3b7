"""The words of the condition language, and what each of them may cost (spec images 2.6).

Nothing here repeats work on its own: an expression has no loops, so evaluating it takes at most one step
per node. What a step costs depends on the size of the values it looks at, and that is counted before the
step is taken. Values are plain data only: text, numbers, ``None``, tuples, lists, sets and mappings.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from itertools import chain
from types import MappingProxyType
from typing import Any, cast

from app.errors import ConditionError
from app.sync.images.model import Image

WORK_LIMIT = 1_000_000
"""Characters and elements that one evaluation may look at or build."""

DIGITS_LIMIT = 1_000
"""Length of a text that ``int`` converts; conversion is quadratic in it."""

DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
COLLECTIONS: tuple[type, ...] = (list, tuple, set, frozenset, dict, *DICT_VIEWS)
_SIZED: tuple[type, ...] = (str, *COLLECTIONS)


class Evaluation:
    """One image under one condition, and the work that is still allowed for it."""

    __slots__ = ("image", "metadata_set", "work_left")

    def __init__(self, image: Image, metadata_set: frozenset[str]) -> None:
        self.image = image
        self.metadata_set = metadata_set
        self.work_left = WORK_LIMIT

    def spend(self, units: int) -> None:
        """Pay for a step before it is taken; ``ConditionError`` when nothing is left to pay with."""
        self.work_left -= units
        if self.work_left < 0:
            raise ConditionError(
                f"the values are too large: more than {WORK_LIMIT} characters to look at",
                remedy="simplify the condition or leave large properties out of it",
            )


def weight(value: object) -> int:
    """Characters and elements of a value with all that it holds; counting stops above ``WORK_LIMIT``.

    Raises:
        TypeError: there is something in it that is not plain data.

    """
    if isinstance(value, str):
        return 1 + len(value)
    total = 0
    rest = [value]
    while rest and total <= WORK_LIMIT:
        part = rest.pop()
        total += 1 + _own_size(part)
        if total <= WORK_LIMIT:
            rest.extend(_parts(part))
    return total


def _own_size(value: object) -> int:
    if isinstance(value, _SIZED):
        return len(cast("Sized", value))
    if isinstance(value, int):
        return value.bit_length() // 3
    if value is None or isinstance(value, float):
        return 0
    raise TypeError(f"a {type(value).__name__} is not plain data")


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return chain(value, value.values())
    return cast("Iterable[object]", value) if isinstance(value, COLLECTIONS) else ()


def _properties(image: Image) -> Mapping[str, object]:
    held = image.user_properties
    return held if type(held) is dict else dict(held)


def _raw(image: Image) -> Mapping[str, object] | None:
    held = image.raw
    return held if held is None or type(held) is dict else dict(held)


_PLAIN_FIELDS = (
    "region",
    "id",
    "name",
    "status",
    "size",
    "checksum",
    "owner",
    "visibility",
    "is_public",
    "hash_algo",
    "hash_value",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "protected",
    "hidden",
    "tags",
    "stores",
    "members",
    "created_at",
)

FIELDS: Mapping[str, Callable[[Image], object]] = MappingProxyType(
    {name: operator.attrgetter(name) for name in _PLAIN_FIELDS}
    | {"user_properties": _properties, "raw": _raw}
)
"""What may follow ``image.``; a condition reaches no other attribute of anything."""

COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = MappingProxyType(
    {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Is: operator.is_,
        ast.IsNot: operator.is_not,
        ast.In: lambda left, right: left in right,
        ast.NotIn: lambda left, right: left not in right,
    }
)


def comparison_cost(kind: type[ast.cmpop], left: object, right: object) -> int:
    """Work of comparing two values: identity is free, a hashed container costs only its key."""
    if kind in (ast.Is, ast.IsNot):
        return 0
    if kind in (ast.In, ast.NotIn):
        hashed = isinstance(right, (dict, set, frozenset, DICT_VIEWS[0]))
        return weight(left) if hashed else weight(left) + weight(right)
    if isinstance(left, str) and isinstance(right, str):
        return 1 + min(len(left), len(right))
    return weight(left) + weight(right)


Cost = Callable[[Sequence[object]], int]
"""Work of a call, from its arguments; a method's receiver is the first of them."""


def _linear(arguments: Sequence[object]) -> int:
    return sum(map(weight, arguments))


def _key_only(arguments: Sequence[object]) -> int:
    return _linear(arguments[1:])


def _hashing(arguments: Sequence[object]) -> int:
    # Numbers can be chosen so that all of them collide, which makes a set quadratic.
    elements = sum(len(cast("Sized", each)) for each in arguments if isinstance(each, _SIZED))
    return _linear(arguments) + elements * elements


def _stripping(arguments: Sequence[object]) -> int:
    # Each character of the text is looked up in the text of characters to remove.
    text, *removed = arguments
    return weight(text) * max(1, _linear(removed))


def _splitting(arguments: Sequence[object]) -> int:
    # A list element takes many times the memory of a character.
    return 8 * _linear(arguments)


def _free(arguments: Sequence[object]) -> int:
    del arguments
    return 0


def _rendering(arguments: Sequence[object]) -> int:
    return 0 if all(isinstance(each, str) for each in arguments) else 4 * _linear(arguments)


def _integer(*arguments: object) -> int:
    if arguments and isinstance(arguments[0], str) and len(arguments[0]) > DIGITS_LIMIT:
        raise ValueError(f"a number of more than {DIGITS_LIMIT} digits")
    return cast("Callable[..., int]", int)(*arguments)


FUNCTIONS: Mapping[str, tuple[Callable[..., object], Cost]] = MappingProxyType(
    {
        "len": (len, _free),
        "set": (set, _hashing),
        "int": (_integer, _free),
        "str": (str, _rendering),
        "bool": (bool, _free),
        "any": (any, _linear),
        "all": (all, _linear),
    }
)

_TEXT_METHODS: dict[str, tuple[Callable[..., object], Cost]] = {
    "startswith": (str.startswith, _linear),
    "endswith": (str.endswith, _linear),
    "lower": (str.lower, _linear),
    "upper": (str.upper, _linear),
    "split": (str.split, _splitting),
    "strip": (str.strip, _stripping),
}

_MAPPING_METHODS: dict[str, tuple[Callable[..., object], Cost]] = {
    "get": (dict.get, _key_only),
    "keys": (dict.keys, _key_only),
    "values": (dict.values, _key_only),
    "items": (dict.items, _key_only),
}


def _set_methods(kind: type) -> dict[str, tuple[Callable[..., object], Cost]]:
    owner = cast("type[set[object]]", kind)
    return {
        "intersection": (owner.intersection, _hashing),
        "union": (owner.union, _hashing),
        "difference": (owner.difference, _hashing),
        "issubset": (owner.issubset, _hashing),
        "issuperset": (owner.issuperset, _hashing),
    }


_METHODS: Mapping[type, Mapping[str, tuple[Callable[..., object], Cost]]] = MappingProxyType(
    {
        str: _TEXT_METHODS,
        dict: _MAPPING_METHODS,
        set: _set_methods(set),
        frozenset: _set_methods(frozenset),
    }
)

METHOD_NAMES: frozenset[str] = frozenset(chain.from_iterable(_METHODS.values()))
"""Every method that some kind of value has."""


def method_of(receiver: object, name: str) -> tuple[Callable[..., object], Cost]:
    """Look up a value's method and its cost; ``TypeError`` if this kind of value lacks it.

    The kind must match exactly: a subclass could bring its own code.
    """
    found = _METHODS.get(type(receiver), {}).get(name)
    if found is None:
        kind = "None" if receiver is None else f"a {type(receiver).__name__}"
        raise TypeError(f"{kind} has no method {name}()")
    return found
