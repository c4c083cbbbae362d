"""In which form a file is shown: as it is, its definitions, or their structure."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.observers.files import File
from pytest_swegym.agents.observers.files import read_blobs
from pytest_swegym.agents.observers.languages import language_of
from pytest_swegym.agents.observers.outline import outline
from pytest_swegym.agents.observers.store import Store
from pytest_swegym.workspace import Workspace


#: Part of every key: changes when what is made of the same files does.
VERSION = 2
#: Characters of a file without definitions, where definitions are shown.
_HEAD = 1000
#: Files whose text is in memory at once.
_AT_ONCE = 1000


class Forms:
    """The files of one workspace in any form, from the store where it has them. ``read`` counts what was not there."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace, self._store = workspace, store
        self.read = 0

    def of(self, files: Sequence[File], reader: str) -> dict[str, str]:
        """The form of each file by its path; files without text are left out. Raises :class:`SandboxError`."""
        keys = {file.path: _key(file, reader) for file in files}
        kept = self._store.text(keys.values())
        missing = [file for file in files if keys[file.path] not in kept]
        for start in range(0, len(missing), _AT_ONCE):
            made = self._make(missing[start : start + _AT_ONCE], reader, keys)
            self._store.put_text(made)
            kept |= made
        return {path: kept[key] for path, key in keys.items() if kept[key].strip()}

    def _make(self, files: Sequence[File], reader: str, keys: Mapping[str, str]) -> dict[str, str]:
        texts = self._texts(files, reader)
        make = READERS[reader]
        return {keys[file.path]: make(file.path, texts[file.blob]) for file in files}

    def _texts(self, files: Sequence[File], reader: str) -> dict[str, str]:
        """The text of each blob: out of the sandbox, unless another form was made of it before."""
        known = self._store.text([_key(file, "raw") for file in files]) if reader != "raw" else {}
        texts = {file.blob: known[key] for file in files if (key := _key(file, "raw")) in known}
        unread = [file for file in files if file.blob not in texts]
        self.read += len(unread)
        return texts | read_blobs(self._workspace, unread)


def raw(path: str, text: str) -> str:
    """The file as it is."""
    return text


def skeleton(path: str, text: str) -> str:
    """Signatures, and the first line of what is said of each; of other files than source the beginning."""
    found = outline(path, text)
    if found is None:
        return _head(text)
    lines = []
    for each in found:
        indent = "    " * each.depth
        lines.append(f"{indent}{each.signature}  # line {each.first}")
        lines += [f"{indent}    # {each.doc}"] if each.doc else []
    return _joined([*_opening(text), *lines])


def structure(path: str, text: str) -> str:
    """Kinds, names, lines, and what each function calls; of other files than source the beginning."""
    found = outline(path, text, calls=True)
    if found is None:
        return _head(text)
    return _joined(
        f"{'  ' * each.depth}{each.kind} {each.name or each.signature} [{each.first}-{each.last}]"
        + (f" calls {', '.join(each.calls)}" if each.calls else "")
        for each in found
    )


READERS: Mapping[str, Callable[[str, str], str]] = {"raw": raw, "skeleton": skeleton, "ast": structure}


def _key(file: File, reader: str) -> str:
    # What is made of a text depends on the language, which is in the path.
    return content_key("form", VERSION, file.blob, reader, language_of(file.path) if reader != "raw" else "")


def _head(text: str) -> str:
    return text if len(text) <= _HEAD else f"{text[:_HEAD].rpartition(chr(10))[0]}\n..."


def _opening(text: str) -> list[str]:
    """The first line of a file's own documentation."""
    line = next((line.strip() for line in text[:2000].split("\n") if line.strip() and not line.startswith("#!")), "")
    return [line[:200]] if line.startswith(('"""', "'''", "//", "/*", "#")) else []


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)
