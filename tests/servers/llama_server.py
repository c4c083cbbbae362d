"""A program that serves the model that it is given, says where, and ends with its standard input.

It needs ``xllamacpp`` and nothing else: neither pytest nor this package.
"""

from __future__ import annotations

import sys
from pathlib import Path


#: What the model is called by those who ask it.
NAME = "smollm2"
CONTEXT = 8192


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
