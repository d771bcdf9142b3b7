"""The language of policy rules, a subset of oslo.policy's. Pure: text in, a decision function out.

    rule   := conj ("or" conj)*
    conj   := factor ("and" factor)*
    factor := "not" factor | "(" rule ")" | "@" | "!" | KIND ":" MATCH

``@`` lets everybody pass, ``!`` nobody. ``role:NAME`` asks for a role (case does not matter),
``rule:NAME`` stands for another rule, any other KIND is an attribute of the caller and is compared
with MATCH. ``%(name)s`` in MATCH is replaced by a value of the settings. Not supported: lists of
lists, ``http:`` checks, comparisons of literals, and an empty rule, which would let everybody pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from app.auth.caller import ATTRIBUTES, Caller
from app.errors import ConfigurationError

Decide = Callable[[Caller], bool]

MAX_RULE_CHARACTERS = 2000
MAX_DEPTH = 50

_WORD = re.compile(r"\s*(\(|\)|(?:%\(\w+\)s|[^\s()])+)")
_VARIABLE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Check:
    """One ``KIND:MATCH``."""

    kind: str
    match: str


@dataclass(frozen=True, slots=True)
class Constant:
    """``@`` or ``!``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Several:
    """All (``and``) or any (``or``) of some."""

    inner: tuple[Node, ...]
    every: bool


Node = Check | Constant | Not | Several


def parse(text: str, where: str) -> Node:
    """The tree of a rule.

    Args:
        where: how the rule is called in error messages.

    Raises:
        ConfigurationError: the text is no rule.

    """
    if len(text) > MAX_RULE_CHARACTERS:
        raise ConfigurationError(f"longer than {MAX_RULE_CHARACTERS} characters", where=where)
    parser = _Parser(_words(text, where), where)
    tree = parser.disjunction(0)
    if parser.here is not None:
        raise ConfigurationError(f"{parser.here!r} is not expected here", where=where)
    return tree


def _words(text: str, where: str) -> list[str]:
    words, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise ConfigurationError(f"cannot be read from {text[position:]!r} on", where=where)
        words.append(match[1])
        position = match.end()
    return words


class _Parser:
    def __init__(self, words: list[str], where: str) -> None:
        self._words: Iterator[str] = iter(words)
        self._where = where
        self.here = next(self._words, None)

    def _step(self) -> str | None:
        word, self.here = self.here, next(self._words, None)
        return word

    def _at(self, word: str) -> bool:
        return self.here is not None and self.here.lower() == word

    def disjunction(self, depth: int) -> Node:
        return self._chain("or", self.conjunction, depth)

    def conjunction(self, depth: int) -> Node:
        return self._chain("and", self.factor, depth)

    def _chain(self, word: str, part: Callable[[int], Node], depth: int) -> Node:
        inner = [part(depth)]
        while self._at(word):
            self._step()
            inner.append(part(depth))
        return inner[0] if len(inner) == 1 else Several(tuple(inner), every=word == "and")

    def factor(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ConfigurationError("nested too deeply", where=self._where)
        if self._at("not"):
            self._step()
            return Not(self.factor(depth + 1))
        if self._at("("):
            self._step()
            tree = self.disjunction(depth + 1)
            if self._step() != ")":
                raise ConfigurationError("a parenthesis is not closed", where=self._where)
            return tree
        return self._leaf(self._step())

    def _leaf(self, word: str | None) -> Node:
        if word is None or word.lower() in {"and", "or", ")"}:
            raise ConfigurationError(
                "a check is missing", where=self._where, remedy="write @ to let everybody pass"
            )
        if word in {"@", "!"}:
            return Constant(word == "@")
        kind, colon, match = word.partition(":")
        if not (kind and colon and match):
            raise ConfigurationError(f"{word!r} is not KIND:MATCH", where=self._where)
        return Check(kind, match)


def references(tree: Node) -> Iterator[str]:
    """Names of the rules that a tree stands on."""
    match tree:
        case Check("rule", name):
            yield name
        case Not(inner):
            yield from references(inner)
        case Several(inner):
            for part in inner:
                yield from references(part)
        case _:
            return


def compile_tree(tree: Node, values: Mapping[str, str], rules: Mapping[str, Decide], where: str) -> Decide:
    """The function that decides by a tree.

    Args:
        values: what ``%(name)s`` stands for.
        rules: other rules, compiled or to be by the time the function is called.

    Raises:
        ConfigurationError: an attribute or a value does not exist.

    """
    match tree:
        case Constant(value):
            return lambda _: value
        case Not(inner):
            decide = compile_tree(inner, values, rules, where)
            return lambda caller: not decide(caller)
        case Several(inner, every):
            parts = [compile_tree(part, values, rules, where) for part in inner]
            join = all if every else any
            return lambda caller: join(part(caller) for part in parts)
        case Check(kind, match):
            return _compile_check(kind, _filled(match, values, where), rules, where)


def _filled(match: str, values: Mapping[str, str], where: str) -> str:
    unknown = [name for name in _VARIABLE.findall(match) if name not in values]
    if unknown:
        raise ConfigurationError(
            f"%({unknown[0]})s is not known", where=where, remedy=f"there are: {', '.join(sorted(values))}"
        )
    return _VARIABLE.sub(lambda found: values[found[1]], match)


def _compile_check(kind: str, match: str, rules: Mapping[str, Decide], where: str) -> Decide:
    if kind == "rule":
        return lambda caller: rules[match](caller)
    if kind == "role":
        role = match.lower()
        return lambda caller: any(own.lower() == role for own in caller.roles)
    if kind not in ATTRIBUTES:
        known = ", ".join(sorted(ATTRIBUTES))
        raise ConfigurationError(f"{kind!r} is no attribute of a caller", where=where, remedy=known)
    return lambda caller: str(getattr(caller, kind)) == match
