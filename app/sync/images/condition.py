"""``metadata_condition``: a small, bounded expression language (spec images 2.6).

The text is parsed with Python's own grammar and translated, node by node, into functions of this module;
a node that is not on the list is refused when the configuration is read. No part of the text is ever
executed as code, and no attribute is looked up by a name that the text gives. What remains behaves as in
Python: truthiness, short circuit, chained comparisons, the types of results.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from app.errors import ConditionError, ConfigurationError
from app.sync.images.condition_language import (
    COMPARISONS,
    FIELDS,
    FUNCTIONS,
    METHOD_NAMES,
    Cost,
    Evaluation,
    comparison_cost,
    method_of,
)
from app.sync.images.model import Image

TEXT_LIMIT_BYTES = 2048
NODE_LIMIT = 200
DEPTH_LIMIT = 32
CAUSE_LIMIT_CHARACTERS = 200

Step = Callable[[Evaluation], Any]
"""One node of an expression, ready to be evaluated."""


class Condition(Protocol):
    """A compiled condition."""

    @property
    def text(self) -> str:
        """The expression as the configuration gives it."""

    def matches(self, image: Image, metadata_set: frozenset[str]) -> bool:
        """Whether the image is wanted; ``ConditionError`` if it cannot be told."""


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition that has passed all checks. Two are equal if their texts are."""

    text: str
    _evaluate: Step = field(repr=False, compare=False)

    def matches(self, image: Image, metadata_set: frozenset[str]) -> bool:
        """Whether the image is wanted.

        Raises:
            ConditionError: evaluation failed on this image, or its values are too large. ``what`` is the
                cause in one line, ``where`` the column of the part that failed.

        """
        return bool(self._evaluate(Evaluation(image, metadata_set)))


def parse_condition(text: str) -> CompiledCondition:
    """Check and translate an expression.

    Raises:
        ConfigurationError: it is empty, too large, not an expression, or holds something outside the
            language; ``where`` names the column (from 1), and the line if there are several.

    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) > TEXT_LIMIT_BYTES:
        fitting = encoded[:TEXT_LIMIT_BYTES].decode("utf-8", "ignore")
        raise ConfigurationError(
            f"the condition is longer than {TEXT_LIMIT_BYTES} bytes",
            where=f"column {len(fitting) + 1}",
            remedy="shorten it, for instance with `in` and a tuple of values",
        )
    places = _Places(text)
    return CompiledCondition(text, _Compiler(places).step(_parse(places)))


class _Places:
    """Turns positions of the parser into what a person counts: columns from 1, in characters."""

    def __init__(self, text: str) -> None:
        # The parser takes every kind of line end for a newline.
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        before = text[: len(text) - len(text.lstrip())]
        self.expression = text.strip()
        self._lines = self.expression.split("\n")
        self._lines_before = before.count("\n")
        self._indent = len(before.rpartition("\n")[2])
        self._several_lines = "\n" in text

    def of_node(self, node: ast.expr) -> str:
        before = self._lines[node.lineno - 1].encode()[: node.col_offset]
        return self._place(node.lineno, len(before.decode(errors="ignore")) + 1)

    def of_syntax_error(self, error: SyntaxError) -> str:
        return self._place(error.lineno or 1, max(1, error.offset or 1))

    def _place(self, line: int, column: int) -> str:
        if line == 1:
            column += self._indent
        line += self._lines_before
        return f"line {line}, column {column}" if self._several_lines else f"column {column}"


def _parse(places: _Places) -> ast.expr:
    remedy = "write one expression, such as: image.is_public and 'nid' in image.user_properties"
    if "\n" in places.expression:
        remedy = "put parentheses around an expression of several lines, or a backslash at each line's end"
    try:
        with warnings.catch_warnings():
            # Odd spelling (an unknown escape) is only a warning of the parser's, and no concern of ours.
            warnings.simplefilter("ignore")
            return ast.parse(places.expression, mode="eval").body
    except SyntaxError as error:
        raise ConfigurationError(
            f"the condition is no valid expression: {_one_line(error.msg)}",
            where=places.of_syntax_error(error),
            remedy=remedy,
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"the condition is no valid text: {_one_line(str(error))}", where="column 1", remedy=remedy
        ) from error
    except (RecursionError, MemoryError) as error:
        raise ConfigurationError(
            "the condition is nested too deeply", where="column 1", remedy="simplify it"
        ) from error


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CAUSE_LIMIT_CHARACTERS else f"{line[:CAUSE_LIMIT_CHARACTERS]}..."


_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def _guarded(step: Step, place: str) -> Step:
    """Make the failures of a step say where in the expression they happened."""

    def guarded(scope: Evaluation) -> object:
        try:
            return step(scope)
        except KeyError as error:
            raise ConditionError(
                f"there is no {_one_line(repr(error.args[0]))}",
                where=place,
                remedy="test with `in` first, or use .get()",
            ) from error
        except _FAILURES as error:
            cause = _one_line(str(error)) or "evaluation failed"
            raise ConditionError(cause, where=place) from error

    return guarded


_REMEDY = (
    "use and, or, not, comparisons, image.<field>, metadata_set,"
    f" the functions {', '.join(sorted(FUNCTIONS))} and the methods {', '.join(sorted(METHOD_NAMES))}"
)

_OUTSIDE: Mapping[type[ast.expr], str] = MappingProxyType(
    {
        ast.BinOp: "arithmetic",
        ast.Dict: "a dictionary",
        ast.DictComp: "a comprehension",
        ast.GeneratorExp: "a generator",
        ast.IfExp: "if ... else",
        ast.JoinedStr: "a formatted string",
        ast.Lambda: "lambda",
        ast.ListComp: "a comprehension",
        ast.NamedExpr: "an assignment",
        ast.SetComp: "a comprehension",
        ast.Slice: "a slice outside a subscript",
        ast.Starred: "a starred value",
    }
)


class _Compiler:
    """Translates the nodes of one expression, within the limits of size and depth."""

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._nodes = 0
        self._depth = 0
        self._constants: dict[tuple[type, str], object] = {}

    def step(self, node: ast.expr) -> Step:
        """Turn a node into a function; ``ConfigurationError`` if it is not in the language."""
        self._nodes += 1
        if self._nodes > NODE_LIMIT:
            raise self._refusal(node, f"the condition has more than {NODE_LIMIT} parts", "shorten it")
        if self._depth >= DEPTH_LIMIT:
            raise self._refusal(node, f"nested more than {DEPTH_LIMIT} levels deep", "simplify it")
        translate = _TRANSLATIONS.get(type(node))
        if translate is None:
            raise self._outside(node, _OUTSIDE.get(type(node), type(node).__name__))
        self._depth += 1
        made = translate(self, node)
        self._depth -= 1
        return made

    def _refusal(self, node: ast.expr, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(_one_line(what), where=self._places.of_node(node), remedy=remedy)

    def _outside(self, node: ast.expr, what: str) -> ConfigurationError:
        return self._refusal(node, f"{what} is not allowed in a condition", _REMEDY)

    def constant(self, node: ast.Constant) -> Step:
        value: object = node.value
        if not (value is None or isinstance(value, (str, bool, int, float))):
            raise self._outside(node, f"a value of type {type(value).__name__}")
        # Equal constants are one object, as in compiled Python, so that `is` means the same.
        value = self._constants.setdefault((type(value), repr(value)), value)
        return lambda _: value

    def name(self, node: ast.Name) -> Step:
        if node.id == "metadata_set":
            return lambda scope: scope.metadata_set
        if node.id == "image":
            raise self._refusal(node, "image alone means nothing", "name a field, such as image.is_public")
        if node.id in FUNCTIONS:
            raise self._refusal(node, f"{node.id} is a function", f"call it: {node.id}(...)")
        raise self._refusal(node, f"unknown name {node.id}", "the names are image and metadata_set")

    def attribute(self, node: ast.Attribute) -> Step:
        if isinstance(node.value, ast.Name) and node.value.id == "image":
            read = FIELDS.get(node.attr)
            if read is None:
                fields = ", ".join(sorted(FIELDS))
                raise self._refusal(node, f"image has no field {node.attr}", f"the fields are {fields}")
            return lambda scope: read(scope.image)
        if node.attr in METHOD_NAMES:
            raise self._refusal(node, f"{node.attr} is a method", f"call it: .{node.attr}(...)")
        raise self._outside(node, f"attribute {node.attr}")

    def logic(self, node: ast.BoolOp) -> Step:
        steps = tuple(self.step(value) for value in node.values)
        stops_at = isinstance(node.op, ast.Or)

        def evaluate(scope: Evaluation) -> object:
            value: object = None
            for step in steps:
                value = step(scope)
                if bool(value) is stops_at:
                    break
            return value

        return evaluate

    def unary(self, node: ast.UnaryOp) -> Step:
        if not isinstance(node.op, (ast.Not, ast.USub)):
            raise self._outside(node, "unary + or ~")
        operand = self.step(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: not operand(scope)
        return _guarded(lambda scope: operator.neg(operand(scope)), self._places.of_node(node))

    def comparison(self, node: ast.Compare) -> Step:
        first = self.step(node.left)
        rest = tuple(
            (type(kind), COMPARISONS[type(kind)], self.step(side))
            for kind, side in zip(node.ops, node.comparators, strict=True)
        )

        def evaluate(scope: Evaluation) -> bool:
            left = first(scope)
            for kind, compare, step in rest:
                right = step(scope)
                scope.spend(comparison_cost(kind, left, right))
                if not compare(left, right):
                    return False
                left = right
            return True

        return _guarded(evaluate, self._places.of_node(node))

    def tuple_(self, node: ast.Tuple) -> Step:
        steps = self._elements(node)
        return lambda scope: tuple(step(scope) for step in steps)

    def list_(self, node: ast.List) -> Step:
        steps = self._elements(node)
        return lambda scope: [step(scope) for step in steps]

    def set_(self, node: ast.Set) -> Step:
        steps = self._elements(node)
        return _guarded(lambda scope: {step(scope) for step in steps}, self._places.of_node(node))

    def _elements(self, node: ast.Tuple | ast.List | ast.Set) -> tuple[Step, ...]:
        return tuple(self.step(element) for element in node.elts)

    def subscript(self, node: ast.Subscript) -> Step:
        value = self.step(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._sliced(node, node.slice, value)
        key = self.step(node.slice)
        return _guarded(lambda scope: value(scope)[key(scope)], self._places.of_node(node))

    def _sliced(self, node: ast.Subscript, part: ast.Slice, value: Step) -> Step:
        bounds = tuple(
            (lambda _: None) if bound is None else self.step(bound)
            for bound in (part.lower, part.upper, part.step)
        )

        def evaluate(scope: Evaluation) -> object:
            whole = value(scope)
            scope.spend(len(whole))
            return whole[slice(*(bound(scope) for bound in bounds))]

        return _guarded(evaluate, self._places.of_node(node))

    def call(self, node: ast.Call) -> Step:
        if node.keywords:
            raise self._outside(node, "an argument given by name")
        if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            function, cost = FUNCTIONS[node.func.id]
            evaluate = _function_call(function, cost, self._arguments(node))
        elif isinstance(node.func, ast.Attribute) and node.func.attr in METHOD_NAMES:
            receiver = self.step(node.func.value)
            evaluate = _method_call(node.func.attr, receiver, self._arguments(node))
        else:
            raise self._outside(node, f"calling {_called(node.func)}")
        return _guarded(evaluate, self._places.of_node(node))

    def _arguments(self, node: ast.Call) -> tuple[Step, ...]:
        return tuple(self.step(argument) for argument in node.args)


def _called(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else "this"


def _function_call(function: Callable[..., object], cost: Cost, arguments: tuple[Step, ...]) -> Step:
    def evaluate(scope: Evaluation) -> object:
        values = [argument(scope) for argument in arguments]
        scope.spend(cost(values))
        return function(*values)

    return evaluate


def _method_call(name: str, receiver: Step, arguments: tuple[Step, ...]) -> Step:
    def evaluate(scope: Evaluation) -> object:
        held = receiver(scope)
        method, cost = method_of(held, name)
        values = [held, *(argument(scope) for argument in arguments)]
        scope.spend(cost(values))
        return method(*values)

    return evaluate


_TRANSLATIONS: Mapping[type[ast.expr], Callable[[_Compiler, Any], Step]] = MappingProxyType(
    {
        ast.Attribute: _Compiler.attribute,
        ast.BoolOp: _Compiler.logic,
        ast.Call: _Compiler.call,
        ast.Compare: _Compiler.comparison,
        ast.Constant: _Compiler.constant,
        ast.List: _Compiler.list_,
        ast.Name: _Compiler.name,
        ast.Set: _Compiler.set_,
        ast.Subscript: _Compiler.subscript,
        ast.Tuple: _Compiler.tuple_,
        ast.UnaryOp: _Compiler.unary,
    }
)
