"""Which files fit a text best, by what a model's vectors of their parts say."""

from __future__ import annotations

import array
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_swegym._support.keys import content_key
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.model.client import ModelClient
from pytest_swegym.agents.observers.store import Store
from pytest_swegym.errors import ContextTooLong
from pytest_swegym.errors import ModelError


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: Characters of a part, and parts of one file. Small servers take few tokens at a time.
_PART, _PARTS = 1000, 40
#: How often parts are halved that are too long for the model.
_HALVES = 4
#: Parts that are sent at once.
_BATCH = 32


class Embedder:
    """Vectors of texts; each is asked for once, and kept."""

    def __init__(self, client: ModelClient, config: AgentConfig, store: Store) -> None:
        self._client, self._store = client, store
        self._model = config.observe.embedding_model
        self._named = (config.base_url, self._model or config.model)

    def rank(self, query: str, texts: Mapping[str, str]) -> list[str]:
        """The paths of ``texts``, those first that have the part most like ``query``. Raises as the client does."""
        import numpy as np  # deferred: only this selector needs it

        parts = [(path, part) for path, text in sorted(texts.items()) for part in _parts(path, text)]
        if not parts:
            return sorted(texts)
        asked = self.vectors([*_split(query)] or [" "]).mean(axis=0)
        like = self.vectors([part for _, part in parts]) @ (asked / (np.linalg.norm(asked) or 1.0))
        best: dict[str, float] = dict.fromkeys(texts, -1.0)
        for (path, _), score in zip(parts, like.tolist(), strict=True):
            best[path] = max(best[path], score)
        return sorted(best, key=lambda path: (-best[path], path))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row of length 1 for each text."""
        import numpy as np

        keys = [content_key("vector", *self._named, text) for text in texts]
        kept = self._store.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        names = list(missing)
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            answered = self._embed([missing[name] for name in batch])
            made = {name: array.array("f", vector).tobytes() for name, vector in zip(batch, answered, strict=True)}
            self._store.put(made)
            kept |= made
        if len({len(kept[key]) for key in keys}) != 1:  # such as of a model that has changed
            raise ModelError(f"the embeddings of {self._named[1] or 'the model'} are of several lengths")
        rows = np.nan_to_num(np.array([np.frombuffer(kept[key], dtype=np.float32) for key in keys]))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), dtype=np.float32)

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, or for its beginning, where all of it is too long for the model."""
        halves = 0
        while True:
            try:
                return self._client.embed(texts, model=self._model)
            except ContextTooLong:
                halves += 1
                if halves > _HALVES:
                    raise
                texts = [text[: _PART >> halves] for text in texts]


def _parts(path: str, text: str) -> list[str]:
    """A file in parts of whole lines, each with the file's name on top."""
    return [f"{path}\n{part}" for part, _ in zip(_split(text), range(_PARTS), strict=False)]


def _split(text: str) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for line in text.split("\n"):
        if lines and size + len(line) > _PART:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line[:_PART])
        size += len(line) + 1
    if any(line.strip() for line in lines):
        yield "\n".join(lines)
