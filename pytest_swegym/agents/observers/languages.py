"""What a definition looks like in each language, as its grammar calls it. The one door to the grammars."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tree_sitter import Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """``leaves`` are definitions, ``holders`` those that hold others, ``within`` what either may stand in.

    ``values`` are declarations that count if a function is their value; ``calls`` what calls one. ``grammar`` is the
    module and the function in it that make the grammar.
    """

    grammar: tuple[str, str]
    leaves: frozenset[str]
    holders: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset({"call_expression"})


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_C_WITHIN = _names("preproc_ifdef preproc_if preproc_else linkage_specification declaration_list")
_JS = {
    "leaves": "function_declaration generator_function_declaration method_definition",
    "holders": "class_declaration",
    "within": "export_statement",
    "values": "lexical_declaration variable_declaration field_definition public_field_definition",
}
_LANGUAGES: Mapping[str, Language] = {
    "python": Language(
        grammar=("tree_sitter_python", "language"),
        leaves=_names("function_definition assignment"),
        holders=_names("class_definition"),
        within=_names("decorated_definition expression_statement if_statement else_clause try_statement "
                      "except_clause block"),
        calls=_names("call"),
    ),
    "javascript": Language(
        grammar=("tree_sitter_javascript", "language"), **{name: _names(text) for name, text in _JS.items()}
    ),
    "typescript": Language(
        grammar=("tree_sitter_typescript", "language_typescript"),
        leaves=_names(f"{_JS['leaves']} function_signature method_signature abstract_method_signature "
                      "type_alias_declaration enum_declaration"),
        holders=_names("class_declaration abstract_class_declaration interface_declaration internal_module module"),
        within=_names("export_statement ambient_declaration expression_statement statement_block"),
        values=_names(_JS["values"]),
    ),
    "go": Language(
        grammar=("tree_sitter_go", "language"),
        leaves=_names("function_declaration method_declaration type_declaration"),
    ),
    "rust": Language(
        grammar=("tree_sitter_rust", "language"),
        leaves=_names("function_item function_signature_item struct_item enum_item type_item macro_definition"),
        holders=_names("trait_item impl_item mod_item"),
        calls=_names("call_expression macro_invocation"),
    ),
    "java": Language(
        grammar=("tree_sitter_java", "language"),
        leaves=_names("method_declaration constructor_declaration field_declaration annotation_type_declaration"),
        holders=_names("class_declaration interface_declaration enum_declaration record_declaration"),
        within=_names("enum_body_declarations"),
        calls=_names("method_invocation"),
    ),
    "c": Language(
        grammar=("tree_sitter_c", "language"),
        leaves=_names("function_definition declaration struct_specifier enum_specifier union_specifier "
                      "type_definition"),
        within=_C_WITHIN,
    ),
    "cpp": Language(
        grammar=("tree_sitter_cpp", "language"),
        leaves=_names("function_definition declaration enum_specifier type_definition field_declaration "
                      "alias_declaration"),
        holders=_names("class_specifier struct_specifier namespace_definition"),
        within=_C_WITHIN | _names("template_declaration"),
    ),
    "ruby": Language(
        grammar=("tree_sitter_ruby", "language"),
        leaves=_names("method singleton_method"),
        holders=_names("class module singleton_class"),
        calls=_names("call"),
    ),
}  # fmt: skip
_ENDINGS: Mapping[str, str] = {
    ".py": "python", ".pyi": "python", ".pyw": "python", ".js": "javascript", ".jsx": "javascript",
    ".mjs": "javascript", ".cjs": "javascript", ".ts": "typescript", ".mts": "typescript", ".cts": "typescript",
    ".tsx": "tsx", ".go": "go", ".rs": "rust", ".java": "java", ".c": "c", ".h": "cpp", ".cc": "cpp", ".cpp": "cpp",
    ".cxx": "cpp", ".hh": "cpp", ".hpp": "cpp", ".hxx": "cpp", ".rb": "ruby", ".rake": "ruby",
}  # fmt: skip


def language_of(path: str) -> str:
    """The language of a file by its name's end; empty if it is none that we know."""
    name = path.rpartition("/")[2].lower()
    return _ENDINGS.get(name[name.rfind(".") :], "") if "." in name else ""


def grammar_of(language: str) -> tuple[Language, Parser]:
    """What definitions are in a language, and a parser of it, which is for one thread."""
    from tree_sitter import Parser  # deferred: only these readers need it

    known = _LANGUAGES["typescript" if language == "tsx" else language]
    return known, Parser(_grammar(known.grammar[0], "language_tsx" if language == "tsx" else known.grammar[1]))


@functools.cache
def _grammar(module: str, function: str):  # type: ignore[no-untyped-def]
    from tree_sitter import Language as Grammar

    return Grammar(getattr(importlib.import_module(module), function)())
