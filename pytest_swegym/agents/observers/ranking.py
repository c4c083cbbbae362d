"""Which files fit a text best, by the words that are in them. The one door to bm25s."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence

from pytest_swegym.agents.observers.languages import language_of


#: Reciprocal rank fusion's constant: how much the first places outweigh the others.
_FUSION = 60
_WORD = re.compile(r"[^\W\d_](?:\w*[^\W_])?|\d+")
_PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")
#: Folders and files that a fix is seldom made in.
_BESIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|examples?|samples?|benchmarks?|fixtures)/"
    r"|(^|/)(test_[^/]*|[^/]*[_.]test|[^/]*[_.]spec|conftest|tests?)\.\w+$"
)
#: Words that tell nothing, in prose and in code.
_STOP = frozenset(_WORD.findall(
    "a an and are as at be but by can do does for from has have if in into is it its no not of on or so such that the "
    "their then there these they this to was we when which will with would you self def return import none true false"
))  # fmt: skip


def words(text: str) -> list[str]:
    """The words of prose or code, names also by their parts: ``getHTTPResponse`` is also get, http, response."""
    found: list[str] = []
    for name in _WORD.findall(text):
        whole = name.lower()
        parts = [part.lower() for part in _PART.findall(name)]
        found += [_stem(word) for word in ([whole, *parts] if len(parts) > 1 else [whole])
                  if len(word) > 1 and word not in _STOP]  # fmt: skip
    return found


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def by_words(query: str, texts: Mapping[str, str]) -> list[str]:
    """The paths of ``texts``, those first that fit ``query`` best by BM25; a path's own words count as well."""
    from bm25s import BM25  # deferred: it brings numpy

    paths = sorted(texts)
    asked = list(dict.fromkeys(words(query)))
    known = [words(path) * 3 + words(texts[path]) for path in paths]
    if not asked or not any(known):
        return paths
    index = BM25()
    index.index(known, show_progress=False)
    scores = index.get_scores(asked)
    return [path for _, path in sorted(zip((-float(score) for score in scores), paths, strict=True))]


def source_first(query: str, paths: Sequence[str]) -> list[str]:
    """``paths`` in their order, but what is no source (tests, documentation, data) last, unless ``query`` names it."""
    return sorted(paths, key=lambda path: not is_source(path) and path.rpartition("/")[2] not in query)


def is_source(path: str) -> bool:
    """Whether a file is code that is not there for tests, documentation or examples."""
    return bool(language_of(path)) and _BESIDE.search(path.lower()) is None


def fused(rankings: Sequence[Sequence[str]]) -> list[str]:
    """One ranking of several: each place counts by its reciprocal."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, path in enumerate(ranking, 1):
            scores[path] = scores.get(path, 0.0) + 1 / (_FUSION + place)
    return sorted(scores, key=lambda path: (-scores[path], path))
