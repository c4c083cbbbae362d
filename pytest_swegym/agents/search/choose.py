"""Which of several candidates becomes the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swegym.agents.search.candidate import Candidate
from pytest_swegym.errors import BudgetSpent
from pytest_swegym.errors import ModelError
from pytest_swegym.errors import ModelUnavailable


#: Answers the number of one of several patches, from 1; raises :class:`ValueError` if what it said is no such number.
Judge = Callable[[Sequence[str]], int]
#: The rank of a candidate that could not be looked at.
_UNSEEN = (0.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen candidate, if any is to be chosen; ``by`` what, and a ``note`` if that was not what was asked for."""

    candidate: Candidate | None
    by: str
    note: str = ""


def choose(candidates: Sequence[Candidate], select: str, *, judge: Judge | None = None, problem: str = "") -> Choice:
    """Choose by ``tests``, ``vote``, ``model`` or ``graded``; whatever leaves several, the vote decides among them.

    An empty candidate or one that failed is never chosen. ``problem`` says why ``select`` cannot be gone by.
    """
    real = [each for each in candidates if each.real]
    if not real:
        return Choice(candidate=None, by=select, note=problem)
    if problem or select == "vote":
        return Choice(candidate=_voted(real, real), by="vote", note=problem)
    if select == "model":
        return _judged(real, judge)
    best = max(_rank(each) for each in real)
    if best == _UNSEEN:
        return Choice(candidate=_voted(real, real), by="vote", note=f"no candidate could be looked at: {_why(real[0])}")
    return Choice(candidate=_voted([each for each in real if _rank(each) == best], real), by=select)


def same(candidate: Candidate) -> str:
    """Equal for patches that are the same but for blank lines and white space at the ends of lines."""
    if candidate.tree is not None and not candidate.patch.strip():
        return hashlib.sha256(candidate.tree).hexdigest()
    text = "\n".join(_essence(candidate.patch))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _essence(patch: str) -> Iterator[str]:
    """What a git diff changes, in which file, and below which line."""
    header, below = True, ""
    for line in patch.split("\n"):
        text = line.rstrip()
        if text.startswith("diff --git "):
            header = True
        if header:
            if text.startswith("@@ "):
                header = False
            elif not text.startswith("index "):
                yield text
        elif text.startswith("@@ "):
            below = ""
        elif text.startswith(" "):
            below = text
        elif text[1:].strip():
            if below:
                yield below
            yield text
            below = ""


def _rank(candidate: Candidate) -> tuple[float, ...]:
    """One that could not be looked at is worse than all that could."""
    seen = candidate.seen
    return _UNSEEN if seen is None or seen.score is None else (1.0, *(seen.rank or (seen.score,)))


def _why(candidate: Candidate) -> str:
    return str(candidate.seen.about.get("unseen", "")) if candidate.seen else "its time was up"


def _voted(among: Sequence[Candidate], voters: Sequence[Candidate]) -> Candidate:
    """Of the largest group of equal patches, the one with the smallest patch, and of those the first."""
    votes = [same(each) for each in voters]
    return min(among, key=lambda each: (-votes.count(same(each)), len(each.patch), each.number))


def _judged(real: Sequence[Candidate], judge: Judge | None) -> Choice:
    """What a model says; where it says nothing of use, the vote."""
    first: dict[str, Candidate] = {}
    for each in real:
        first.setdefault(same(each), each)
    different = list(first.values())
    if len(different) == 1:
        return Choice(candidate=different[0], by="vote", note="all patches are the same: no model was asked")
    try:
        if judge is None:
            raise ValueError("there is none to ask")
        return Choice(candidate=different[judge([each.patch for each in different]) - 1], by="model")
    except (ValueError, BudgetSpent, ModelError, ModelUnavailable) as error:
        return Choice(candidate=_voted(real, real), by="vote", note=f"not by the model: {error}")
