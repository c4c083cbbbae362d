"""A real language model behind a real server: SmolLM2-135M-Instruct on llama.cpp, on loopback.

``.ci/small-model`` fetches the model once. Run as a program this file serves the model that it is given, says where,
and ends with its standard input.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_swegym._support.paths import cache_dir
from pytest_swegym.sandbox.registry import required


#: What ``SWEGYM_REQUIRE`` calls it.
NAME = "smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192


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
    command = [sys.executable, __file__, str(path), *options]
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


def serve(path: Path, *, embed: bool) -> None:
    """Serve a model until nobody listens any more."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = [NAME]
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = CONTEXT, 1
    params.cpuparams.n_threads = 1
    params.use_jinja = True
    if embed:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), embed="embed" in sys.argv[2:])
