"""``swegym view``: what happened in runs, as a page in the browser."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from pytest_swegym.results.page import Watch
from pytest_swegym.results.page import write_pages
from pytest_swegym.results.page.server import PageServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``swegym view``."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="output folder of a run, or of many runs")
    parser.add_argument("--port", type=int, metavar="N", help="port to serve on; 0 for any. Default: a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to serve on; who can reach it can read the runs. Default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument(
        "--write", action="store_true", help="serve nothing: write index.html into each DIR, to be opened from the disk"
    )
    parser.epilog = "the page follows runs that go on; Ctrl-C ends it"


def main(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, or write it."""
    if options.write:
        for folder in options.folders:
            path, runs = write_pages(folder)
            print(f"{path}: {_counted(len(runs), 'run')}")
        return 0
    watch = Watch(options.folders)
    found = watch.changes()
    with PageServer(watch, host=options.host, port=options.port) as server:
        told = f"{_counted(len(found['runs']), 'run')}, {_counted(len(found['rows']), 'attempt')}"
        try:
            print(f"{server.url}  {told}; Ctrl-C ends", flush=True)
            if not options.no_browser and _has_screen():
                webbrowser.open(server.url)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print()
    return 0


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _has_screen() -> bool:
    """Whether a browser can be shown: one that takes over the terminal is worse than none."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
