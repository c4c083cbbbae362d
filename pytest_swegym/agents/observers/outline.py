"""The definitions of a source file, in order, without what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swegym.agents.observers.languages import Language
from pytest_swegym.agents.observers.languages import grammar_of
from pytest_swegym.agents.observers.languages import language_of


if TYPE_CHECKING:
    from tree_sitter import Node


#: Characters of a signature, and of the first line of a documentation.
_SIGNATURE, _DOC = 240, 160
#: Definitions of one file, how deep they may lie in each other, and what one calls.
_DEFINITIONS, _DEPTH, _CALLS = 2000, 8, 12
#: Nodes that are looked at for what a definition calls.
_NODES = 20_000
#: Words that say more than the first of the grammar's name does.
_KINDS = {
    "lexical": "variable",
    "public": "field",
    "internal": "namespace",
    "singleton": "method",
    "assignment": "value",
}
_CALLED = ("function", "name", "method", "macro")
#: What stands around one definition and nothing else: a comment above it is about the definition.
_WRAPPERS = frozenset(
    {"decorated_definition", "export_statement", "expression_statement", "ambient_declaration", "template_declaration"}
)
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "function", "generator_function"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A class, function or the like: ``depth`` definitions stand around it, its first line is ``first``."""

    depth: int
    kind: str
    name: str
    signature: str
    doc: str
    first: int
    last: int
    calls: tuple[str, ...] = ()


def outline(path: str, text: str, *, calls: bool = False) -> list[Definition] | None:
    """The definitions in ``text``, which may have errors; ``None`` if the language of ``path`` is not known."""
    language = language_of(path)
    if not language:
        return None
    known, parser = grammar_of(language)
    source = text.encode("utf-8", "replace")
    found: list[Definition] = []
    for definition in _Walk(known, source, calls).below(parser.parse(source).root_node, 0):
        found.append(definition)
        if len(found) >= _DEFINITIONS:
            break
    return found


class _Walk:
    """Goes through one file's tree."""

    def __init__(self, language: Language, source: bytes, calls: bool) -> None:
        self._language, self._source, self._calls = language, source, calls

    def below(self, node: Node, depth: int, around: int = 0) -> Iterator[Definition]:
        """What is defined in a node; ``around`` counts nodes that definitions only stand in, which may be many."""
        known = self._language
        for child in node.named_children:
            if child.type in known.leaves or child.type in known.holders:
                yield from self._defined(child, depth, around)
            elif child.type in known.values:
                yield from self._valued(child, depth)
            elif child.type in known.within and around < 4 * _DEPTH:
                yield from self.below(child, depth, around + 1)

    def _defined(self, node: Node, depth: int, around: int) -> Iterator[Definition]:
        body = node.child_by_field_name("body")
        holds = node.type in self._language.holders
        yield self._definition(node, node, body, depth, look=not holds)
        if holds and depth < _DEPTH:
            yield from self.below(body or node, depth + 1, around)

    def _valued(self, node: Node, depth: int) -> Iterator[Definition]:
        """``const name = () => ...`` and the like."""
        holders = [node, *(child for child in node.named_children if child.type == "variable_declarator")]
        for holder in holders:
            value = holder.child_by_field_name("value")
            if value is not None and value.type in _FUNCTIONS:
                yield self._definition(node, holder, value.child_by_field_name("body"), depth, look=True)

    def _definition(self, node: Node, named: Node, body: Node | None, depth: int, *, look: bool) -> Definition:
        name = self._name(named)
        return Definition(
            depth=depth,
            kind=_kind(node.type),
            name=name,
            signature=self._signature(node, body),
            doc=self._doc(node, body),
            first=node.start_point[0] + 1,
            last=node.end_point[0] + 1,
            calls=self._called(body) if look and self._calls and body is not None else (),
        )

    def _name(self, node: Node) -> str:
        for field in ("name", "declarator", "left", "type"):
            child = node.child_by_field_name(field)
            # C: a declarator within a declarator.
            while child is not None and (inner := child.child_by_field_name("declarator")) is not None:
                child = inner
            if child is not None:
                return _one(self._text(child.start_byte, child.end_byte), 80)
        return ""

    def _signature(self, node: Node, body: Node | None) -> str:
        wrapper = node.parent
        start = (
            wrapper.start_byte if wrapper is not None and wrapper.type == "decorated_definition" else node.start_byte
        )
        ends = [child.start_byte for child in node.named_children if "comment" in child.type and child != body]
        text = self._text(start, min([body.start_byte if body is not None else node.end_byte, *ends]))
        if body is None:
            text = text.partition("\n")[0] if "(" not in text.partition("\n")[0] else text
            text = text.partition("{")[0]
        return _one(text, _SIGNATURE).rstrip(" {:;")

    def _doc(self, node: Node, body: Node | None) -> str:
        """The first line of a docstring, or of the comment right above."""
        inner = body.named_children[0] if body is not None and body.named_child_count else None
        if inner is not None and inner.type == "expression_statement" and inner.named_child_count:
            inner = inner.named_children[0]
        if inner is not None and inner.type == "string":
            return _first(self._text(inner.start_byte, inner.end_byte).lstrip("rRuUbB"))
        outer = node
        while outer.parent is not None and outer.parent.type in _WRAPPERS:
            outer = outer.parent
        above, lines = outer.prev_named_sibling, []
        while above is not None and "comment" in above.type and above.end_point[0] >= outer.start_point[0] - 1:
            lines.append(self._text(above.start_byte, above.end_byte))
            outer, above = above, above.prev_named_sibling
        return _first(lines[-1]) if lines else ""

    def _called(self, body: Node) -> tuple[str, ...]:
        found: dict[str, None] = {}
        waiting = [body]
        for _ in range(_NODES):
            if not waiting or len(found) >= _CALLS:
                break
            node = waiting.pop()
            if node.type in self._language.calls:
                target = next(filter(None, map(node.child_by_field_name, _CALLED)), None)
                text = _one(self._text(target.start_byte, target.end_byte), 60) if target is not None else ""
                if text and "(" not in text:
                    found.setdefault(text)
            waiting += reversed(node.named_children)
        return tuple(found)

    def _text(self, start: int, end: int) -> str:
        return self._source[start : min(end, start + 4096)].decode("utf-8", "replace")


def _kind(kind: str) -> str:
    word = kind.partition("_")[0]
    return _KINDS.get(word, word)


def _one(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit] + "..."


def _first(text: str) -> str:
    """The first line that says something, without the signs of a comment or docstring."""
    lines = (line.strip().strip("/*#!\"'=-").strip() for line in text.split("\n"))
    return _one(next((line for line in lines if line), ""), _DOC)
