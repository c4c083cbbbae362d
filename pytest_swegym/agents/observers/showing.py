"""Files as one text for a model, with their names above them, within so many characters."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate


#: Least room for a file that is shown at all.
_LEAST = 200
#: Room for the line that says how much is gone.
_SAID = 60


def shown(texts: Mapping[str, str], *, form: str, most: int) -> tuple[str, list[str], list[str]]:
    """The files in their order, the paths of those cut short, and of those left out.

    Each has an equal share of ``most`` characters; what a short one leaves goes to the longer ones.
    """
    heads = {path: f"==> {path} ({form}) <==\n" for path in texts}
    least = accumulate(len(heads[path]) + min(len(texts[path]), _LEAST) + _SAID for path in texts)
    # Too many for a share worth having: the first ones fit the task best.
    kept = [path for number, (path, size) in enumerate(zip(texts, least, strict=True)) if size <= most or not number]
    rooms = _rooms({path: len(texts[path]) + len(heads[path]) + 2 for path in kept}, most)
    parts, cut = [], []
    for path in kept:
        room = max(rooms[path] - len(heads[path]) - 2, 0)
        body = texts[path].rstrip("\n")
        if len(body) > room:
            body, gone = _cut(body, room)
            cut.append(path)
            body = f"{body}\n[{gone} more characters are not shown]"
        parts.append(f"{heads[path]}{body}\n")
    return "\n".join(parts), cut, list(texts)[len(kept) :]


def _rooms(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    rooms: dict[str, int] = {}
    left = most
    for number, path in enumerate(sorted(sizes, key=sizes.__getitem__)):
        rooms[path] = min(sizes[path], left // (len(sizes) - number))
        left -= rooms[path]
    return rooms


def _cut(text: str, room: int) -> tuple[str, int]:
    """The beginning in whole lines, with room for a line that says how much is gone."""
    head = text[: max(room - _SAID, 0)]
    head = head[: head.rfind("\n")] if "\n" in head else head
    return head, len(text) - len(head)
