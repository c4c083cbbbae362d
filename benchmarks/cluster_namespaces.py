"""A cluster whose nodes share nothing but a network: each in a network and mount namespace of its own. Needs root.

Only the first node has prepared the task, and no node has a way out: what the others lack must come from it. Then the
cable of a node is pulled while its attempts run, and the others make them again.

python benchmarks/cluster_namespaces.py            # a minute or two
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cluster import CALC
from cluster import TESTS
from measure import Figure
from measure import show
from measure import write


HUB, NET = "swegym-hub", "10.231.77"
RAY = str(Path(sys.executable).with_name("ray"))
#: Waits until a file says so, and tells where it was begun; the folder is one that all namespaces see.
SOLVERS = """
import os, pathlib, time
MARKS = pathlib.Path({marks!r})

def wait(task, workspace):
    with (MARKS / "begun").open("a") as file:
        file.write(f"{{task.instance_id}} {{os.environ['SWEGYM_NODE']}}\\n")
    while not (MARKS / "go").exists():
        time.sleep(0.1)
    workspace.write("calc.py", workspace.read("calc.py").replace("a - b", "a + b"))
"""


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def ip(*words: str) -> None:
    run("ip", *words)


class Network:
    """A bridge in a namespace of its own, and one more namespace for each node."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._namespace(HUB)
        ip("-n", HUB, "link", "add", "bridge", "type", "bridge")
        ip("-n", HUB, "link", "set", "bridge", "up")

    def _namespace(self, name: str) -> None:
        ip("netns", "add", name)
        self._stack.callback(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
        ip("-n", name, "link", "set", "lo", "up")

    def node(self, number: int) -> tuple[str, str]:
        """A namespace with an address on the bridge."""
        name, address, cable = f"swegym-{number}", f"{NET}.{number}", f"cable{number}"
        self._namespace(name)
        ip("-n", HUB, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", HUB, "link", "set", cable, "master", "bridge", "up")
        ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        return name, address

    def pull(self, number: int) -> None:
        ip("-n", HUB, "link", "set", f"cable{number}", "down")


class Node:
    """A raylet in its namespaces; ``private`` folders are empty there, and nobody else sees what is put in them."""

    def __init__(
        self, name: str, address: str, head: str, env: dict[str, str], private: list[Path], cores: int
    ) -> None:
        mounts = "".join(f"mkdir -p {path}; mount -t tmpfs tmpfs {path}; " for path in (Path("/tmp/ray"), *private))
        place = (
            ["--head", "--port=6379", "--include-dashboard=false"] if address == head else [f"--address={head}:6379"]
        )
        start = [RAY, "start", *place, f"--node-ip-address={address}", f"--num-cpus={cores}", "--block"]
        start += ["--object-store-memory=80000000"]
        argv = ["ip", "netns", "exec", name, "sh", "-c", f'{mounts}exec "$@"', "sh", *start]
        given: Any = {"env": {**os.environ, **env, "SWEGYM_NODE": name}, "start_new_session": True}
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **given)

    def inside(self, argv: list[str], **given: Any) -> subprocess.Popen[str]:
        into = ["nsenter", "-t", str(self._process.pid), "-m", "-n", "--wd=" + str(given.pop("cwd"))]
        return subprocess.Popen([*into, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **given)

    def end(self) -> None:
        for signal in ("-TERM", "-KILL"):
            subprocess.run(["kill", signal, "--", f"-{self._process.pid}"], capture_output=True)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                continue


def until(what: str, call: Callable[[], Any], seconds: float = 180) -> float:
    started = time.perf_counter()
    while not call():
        if time.perf_counter() - started > seconds:
            sys.exit(f"it did not come to that: {what}")
        time.sleep(0.1)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swegym-namespaces-")))
        marks, root, first = folder / "marks", folder / "project", folder / "first"
        for each in (marks, root / "repo", first):
            each.mkdir(parents=True)
        (root / "repo" / "calc.py").write_text(CALC)
        (root / "solvers.py").write_text(SOLVERS.format(marks=str(marks)))
        (root / "pytest.ini").write_text("[pytest]\nnorecursedirs = repo\n")
        row = {"repo": "./repo", "runner": "unittest", "test_files": {"test_calc.py": TESTS},
               "fail_to_pass": ["test_calc.TestCalc.test_add"], "solve_timeout": 600}  # fmt: skip
        rows = [json.dumps({**row, "instance_id": f"calc-{number}"}) + "\n" for number in range(6)]
        (root / "rows.jsonl").write_text("".join(rows))
        pytest = [sys.executable, "-m", "pytest", "-q", "--swegym-tasks=rows.jsonl", "--swegym-sandbox=bubblewrap"]
        # Neither a token that this machine happens to have, nor a cluster that anybody may join.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        env = {**os.environ, "SWEGYM_CACHE": str(first), "SWEGYM_NODE": "none"}
        prepared = [*pytest, "--swegym-solver=empty", "--swegym-limit=1", "--swegym-output=first-out"]
        subprocess.run(prepared, cwd=root, env=env, stdout=subprocess.DEVNULL)

        network = Network(stack)
        places = {number: network.node(number) for number in (1, 2, 3, 4)}
        head = places[1][1]
        nodes: dict[int, Node] = {}
        for number, (name, address) in places.items():
            cache = first if number == 2 else folder / f"cache-{number}"
            private = [] if number == 2 else [cache]
            cores = 0 if number == 1 else 1
            nodes[number] = Node(name, address, head, {"SWEGYM_CACHE": str(cache)}, private, cores)
            stack.callback(nodes[number].end)
            time.sleep(10 if number == 1 else 1)
        ray = [f"--swegym-ray-address={head}:6379", "--swegym-executor=ray", "--swegym-jobs=12"]
        wait = [*pytest, "--swegym-solver=solvers.py:wait", "--swegym-output=out", *ray]
        process = nodes[1].inside(wait, cwd=root, env={**env, "SWEGYM_CACHE": str(folder / "cache-1")})

        def begun() -> list[list[str]]:
            path = marks / "begun"
            return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

        begin = until("six attempts", lambda: len(begun()) >= 6 or process.poll() is not None)
        figures = [Figure("until six attempts have begun on nodes that had nothing", begin, 0.0, 1, "s")]
        on = {node for _, node in begun()}
        print("attempts begun:", begun(), flush=True)
        if process.poll() is None and len(on) > 1:
            lost = max(on - {places[2][0]})
            network.pull(int(lost.rpartition("-")[2]))
            many = sum(node == lost for _, node in begun())
            again = until("again", lambda: len(begun()) >= 6 + many)
            figures.append(Figure("until those of a node whose cable was pulled begin again", again, 0.0, 1, "s"))
        (marks / "go").touch()
        text = process.communicate(timeout=180)[0]
        print(text)
        ended = sorted((root / "out" / "attempts").glob("*/record.json"))
        verdicts = [json.loads(path.read_text())["verdict"] for path in ended]
        resolved = verdicts.count("resolved")
        figures.append(Figure("of six attempts resolved in the end", resolved, 0.0, 1, "count"))
        write(show(figures), given.out)
        if verdicts != ["resolved"] * 6:
            sys.exit(f"not all of six attempts came to an end: {verdicts}")


if __name__ == "__main__":
    main()
