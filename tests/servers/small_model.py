"""A real language model behind a real server: SmolLM2-135M-Instruct on llama.cpp, on loopback.

``.ci/small-model`` fetches the model once; ``llama_server.py`` serves it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import llama_server
import pytest
from llama_server import NAME

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.sandbox.registry import required


FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class SmallModel:
    """The server: ``url`` is what ``base_url`` is to be."""

    url: str

    def words(self, **keys: object) -> list[str]:
        """What ``--swegym-agent`` is to be, one word each: nothing by chance."""
        given = {"base_url": self.url, "model": NAME, "api_key_env": "SMALL_MODEL_KEY", "temperature": 0, **keys}
        return [f"{key.replace('__', '.')}={value}" for key, value in given.items()]


@pytest.fixture(scope="session")
def small_model() -> Iterator[SmallModel]:
    """The server, started; without model or llama.cpp a skip, or a failure where ``SWEGYM_REQUIRE`` names it."""
    yield from _started()


@pytest.fixture(scope="module")
def small_embedder() -> Iterator[SmallModel]:
    """The same for a server that embeds, and does nothing else."""
    yield from _started("embed")


def _started(*options: str) -> Iterator[SmallModel]:
    path = cache_dir("models") / FILE
    reason = None if path.is_file() else f"{path} is not there: run .ci/small-model"
    if importlib.util.find_spec("xllamacpp") is None:
        reason = "xllamacpp is not installed"
    if reason is not None:
        (pytest.fail if required(NAME) else pytest.skip)(f"{NAME}: {reason}")
    command = [sys.executable, llama_server.__file__, str(path), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        address = server.stdout.readline().strip()
        if not address:
            pytest.fail(f"{NAME}: the server did not come up: run {command}")
        yield SmallModel(f"{address}/v1")
        server.stdin.close()
        server.wait(30)
