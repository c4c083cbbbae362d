"""A map of the repository in a model's words: each file summed up, then each folder; then a way down from the top."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence

from pytest_swegym.agents.observers.asking import Asker
from pytest_swegym.agents.observers.ranking import by_words


_FILE = "Say in one paragraph of at most 60 words what this file of a program is for, and name its main definitions."
_FOLDER = "Say in one paragraph of at most 60 words what this folder of a program is for, from what is in it."
_PICK = "Which of these must be looked at, or changed, to solve this task? Names that end with / are folders.\n\n"
#: Characters of a summary where it stands among others, and of the task.
_SHORT, _TASK = 300, 6000


class CodeMap:
    """What a model says of every file and folder; each is asked for once, as long as it does not change."""

    def __init__(self, asker: Asker, texts: Mapping[str, str]) -> None:
        self._asker = asker
        self.files = asker.shorts(_FILE, texts)
        self._children = _children(texts)
        self.folders: dict[str, str] = {}
        # The deepest first: what is said of a folder is made of what is said of its parts.
        for folder in sorted(self._children, key=lambda name: (-_depth(name), name)):
            parts = "\n".join(f"{name}: {said}" for name, said in self._inside(folder).items())
            self.folders[folder] = asker.short(_FOLDER, parts, about=folder or "the whole repository")

    def way_down(self, query: str, most: int) -> list[str]:
        """The files that the model picks for ``query``, from the top down; at most so many."""
        found: list[str] = []
        waiting = [""]
        # A model that picks every folder would be asked for each: a few times as many as files are enough.
        for _ in range(4 * most + 8):
            if not waiting or len(found) >= most:
                break
            folder = waiting.pop(0)
            picked = self._pick(query, folder, most)
            found += [posixpath.join(folder, name) for name in picked if not name.endswith("/")]
            waiting += [posixpath.join(folder, name[:-1]) for name in picked if name.endswith("/")]
        if not found:
            self._asker.notes.append("the model's way down led to no file: chosen by words instead")
            found = by_words(query, self.files)
        return found[:most]

    def _pick(self, query: str, folder: str, most: int) -> list[str]:
        inside = self._inside(folder)
        if len(inside) == 1:
            return list(inside)
        picked = self._asker.pick(_PICK + query[:_TASK], inside, most)
        if not picked:
            where = folder or "the repository's folder"
            self._asker.notes.append(f"the model picked nothing of {where}: chosen by words instead")
            picked = by_words(query, inside)[:most]
        return picked

    def _inside(self, folder: str) -> dict[str, str]:
        """What is said of each part of a folder; folders end with a slash."""
        said: dict[str, str] = {}
        for name in self._children[folder]:
            path = posixpath.join(folder, name.rstrip("/"))
            text = self.folders[path] if name.endswith("/") else self.files[path]
            said[name] = " ".join(text.split())[:_SHORT]
        return said


def _children(paths: Sequence[str] | Mapping[str, str]) -> dict[str, list[str]]:
    """The parts of each folder, in order; those of the top have the empty name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder, name = posixpath.split(path)
        found[folder].add(name)
        while folder:
            folder, name = posixpath.split(folder)
            found[folder].add(f"{name}/")
    return {folder: sorted(names) for folder, names in found.items()}


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0
