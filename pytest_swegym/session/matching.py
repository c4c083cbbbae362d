"""Where a piece of code is in the text that it was quoted from: as it stands, but for white space, or nearly."""

from __future__ import annotations

import bisect
import heapq
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field


#: Of 100, how alike a piece and its place must be, and how much more than any other place. The first is SEGym's.
THRESHOLD = 80.0
MARGIN = 5.0
#: Larger texts and pieces (characters) are matched exactly or but for white space only.
_FUZZY_TEXT, _FUZZY_PIECE = 2**20, 20_000
#: Lines times characters: above, only the runs of lines are compared that share most words, and so many of them.
_WORK, _LIKELY = 20_000_000, 60
_WORDS = re.compile(r"\w+")
#: Places that are named.
_NAMED = 8


class NoMatch(ValueError):
    """The piece is nowhere in the text, or in several places; the message says where, by line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """``text[start:end]`` is the place. ``how`` says by what it was found; ``lines`` are the first and the last.

    ``whole`` lines were found by what is in them, wherever they begin; ``indents`` has the indentation of the piece's
    lines, and what stands for each in the text.
    """

    start: int
    end: int
    how: str
    lines: tuple[int, int]
    whole: bool = False
    indents: dict[str, str] = field(default_factory=dict)


def find(text: str, piece: str) -> Match:
    """The one place of ``piece`` in ``text``. Lines of both end with a line feed. Raises :class:`NoMatch`."""
    for how, spans in (("exactly", _exact(text, piece)), ("but for white space", _but_for_space(text, piece))):
        if len(spans) > 1:
            raise NoMatch(_several(text, spans, how))
        if spans:
            return _match(text, piece, spans[0], how)
    return _nearly(text, piece)


def replaced(text: str, match: Match, piece: str, new: str) -> str:
    """``text`` with ``new`` in the place of the ``piece`` that was matched, indented as the place is."""
    if match.whole:
        # Line ends around the quoted lines are nobody's intention, where the lines themselves are not exact.
        new = _without(new, "\n", _count(piece, "\n"))
        new = _without(new[::-1], "\n", max(_count(piece[::-1], "\n"), 1))[::-1]
    end = match.end
    if match.whole and not new and text[end : end + 1] == "\n":
        end += 1
    return text[: match.start] + reindented(new, match.indents) + text[end:]


def _count(text: str, char: str) -> int:
    return len(text) - len(text.lstrip(char))


def _without(text: str, char: str, most: int) -> str:
    return text[min(_count(text, char), most) :]


def reindented(code: str, indents: dict[str, str]) -> str:
    """``code`` with the indentation of each line as ``indents`` has it; deeper lines go on from the nearest."""
    if not any(old != new for old, new in indents.items()):
        return code
    return "\n".join(_line(line, indents) if line.strip() else line for line in code.split("\n"))


def _line(line: str, indents: dict[str, str]) -> str:
    own = _indent(line)
    near = max((old for old in indents if own.startswith(old)), key=len, default=None)
    if near is None:
        # Less deep than anything quoted: as much less as it is less than the least of it.
        least = min(indents, key=len)
        gone = len(least) - len(own)
        kept = indents[least]
        gone = -(-gone // _unit(indents)) if "\t" in kept else gone
        return kept[: max(len(kept) - gone, 0)] + line[len(own) :]
    rest = own[len(near) :]
    if "\t" in indents[near] and rest and not rest.strip(" "):
        rest = "\t" * -(-len(rest) // _unit(indents))
    return indents[near] + rest + line[len(own) :]


def _unit(indents: dict[str, str]) -> int:
    """Spaces that stand for one tab."""
    found = [len(old) // len(new) for old, new in indents.items() if new and not new.strip("\t") and old]
    return max(min(found, default=4), 1)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


# -- ways to find it -----------------------------------------------------------------------------


def _exact(text: str, piece: str) -> list[tuple[int, int]]:
    return [(at, at + len(piece)) for at in _places(text, piece)]


def _but_for_space(text: str, piece: str) -> list[tuple[int, int]]:
    """The same with all white space taken away; names do not begin or end in the middle of others."""
    squeezed = "".join(piece.split())
    if not squeezed:
        return []
    kept = [match.span() for match in re.finditer(r"\S+", text)]
    bare = "".join(text[start:end] for start, end in kept)
    begins, total = [], 0
    for start, end in kept:
        begins.append(total)
        total += end - start

    def back(at: int) -> int:
        run = bisect.bisect_right(begins, at) - 1
        return kept[run][0] + at - begins[run]

    spans = [(back(at), back(at + len(squeezed) - 1) + 1) for at in _places(bare, squeezed)]
    return [span for span in spans if _whole(text, *span)]


def _places(text: str, piece: str) -> list[int]:
    """Where it begins; overlapping ones too, for either of them might be meant."""
    found: list[int] = []
    at = text.find(piece) if piece else -1
    while at >= 0 and len(found) < 1000:
        found.append(at)
        at = text.find(piece, at + 1)
    return found


def _whole(text: str, start: int, end: int) -> bool:
    return not (_word(text[start - 1 : start]) and _word(text[start])) and not (
        _word(text[end - 1]) and _word(text[end : end + 1])
    )


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _nearly(text: str, piece: str) -> Match:
    """The lines that are most like it, if they are enough so, and more than any others."""
    if not piece.strip() or len(text) > _FUZZY_TEXT or len(piece) > _FUZZY_PIECE:
        raise NoMatch("is not in it")
    ranked = _ranked(text.split("\n"), piece)
    if not ranked:
        raise NoMatch("is not in it, nor anything like it")
    score, first, last = ranked[0]
    where = _named(first, last)
    if score < THRESHOLD:
        raise NoMatch(f"is not in it; most alike ({score:.0f} of 100, {THRESHOLD:.0f} are needed): {where}")
    others = [each for each in ranked[1:] if each[2] < first or each[1] > last]
    if others and score - others[0][0] < MARGIN:
        also = f"{_named(*others[0][1:])} ({others[0][0]:.0f})"
        raise NoMatch(f"is not in it; {where} ({score:.0f} of 100) and {also} are both like it")
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[: first - 1])
    span = (start, start + len("\n".join(lines[first - 1 : last])))
    return _match(text, piece, span, f"nearly ({score:.0f} of 100)")


def _ranked(lines: Sequence[str], piece: str) -> list[tuple[float, int, int]]:
    """How alike every run of about as many lines is: the score, the first line and the last, best first."""
    from rapidfuzz import fuzz  # deferred: most edits are quoted exactly
    from rapidfuzz import process

    bare = [line.strip() for line in lines]
    wanted = [line.strip() for line in piece.strip().split("\n")]
    runs: list[tuple[int, int]] = []
    for size in sorted({max(len(wanted) + more, 1) for more in (-1, 0, 1)}):
        every = range(len(bare) - size + 1)
        likely = every if len(every) * len(piece) <= _WORK else _likely(bare, wanted, size)
        runs += [(at, at + size) for at in likely if bare[at] and bare[at + size - 1]]
    texts = ["\n".join(bare[start:end]) for start, end in runs]
    found = process.extract("\n".join(wanted), texts, scorer=fuzz.ratio, score_cutoff=40.0, limit=None)
    scored = [(score, runs[index][0] + 1, runs[index][1]) for _, score, index in found]
    return sorted(scored, key=lambda each: (-each[0], each[1]))


def _likely(lines: Sequence[str], wanted: Sequence[str], size: int) -> list[int]:
    """Where the runs of so many lines begin that share most words with those wanted."""
    need = Counter(word for line in wanted for word in _WORDS.findall(line))
    there: Counter[str] = Counter()
    shared = 0
    scores: list[int] = []
    for at, line in enumerate(lines):
        for word in _WORDS.findall(line):
            shared += there[word] < need[word]
            there[word] += 1
        for word in _WORDS.findall(lines[at - size]) if at >= size else ():
            there[word] -= 1
            shared -= there[word] < need[word]
        scores.append(shared)
    begins = range(len(lines) - size + 1)
    return heapq.nlargest(_LIKELY, begins, key=lambda at: scores[at + size - 1])


# -- what was found ------------------------------------------------------------------------------


def _match(text: str, piece: str, span: tuple[int, int], how: str) -> Match:
    start, end = span
    lines = (text.count("\n", 0, start) + 1, text.count("\n", 0, max(end - 1, start)) + 1)
    if how == "exactly":
        return Match(start=start, end=end, how=how, lines=lines)
    begin = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(?=\n|\Z)").match(text, end)
    if text[begin:start].strip() or rest is None:  # a part of a line
        return Match(start=start, end=end, how=how, lines=lines)
    indents = _pairs(piece, text[begin:end])
    return Match(start=begin, end=rest.end(), how=how, lines=lines, whole=True, indents=indents)


def _pairs(piece: str, place: str) -> dict[str, str]:
    quoted, there = ([line for line in part.split("\n") if line.strip()] for part in (piece, place))
    pairs = zip(quoted, there, strict=True) if len(quoted) == len(there) else [(quoted[0], there[0])]
    found: dict[str, str] = {}
    for old, new in pairs:
        found.setdefault(_indent(old), _indent(new))
    return found


def _several(text: str, spans: Sequence[tuple[int, int]], how: str) -> str:
    numbers = [str(text.count("\n", 0, start) + 1) for start, _ in spans[:_NAMED]]
    more = ", ..." if len(spans) > _NAMED else ""
    return f"is in it {len(spans)} times ({how}): at lines {', '.join(numbers)}{more}; quote more lines around it"


def _named(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}-{last}"
