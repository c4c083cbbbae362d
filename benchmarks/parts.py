"""The parts of ``make bench``: each is a script that prints figures, and writes them with ``--out FILE``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


HERE = Path(__file__).resolve().parent
#: Where the figures of the documentation are kept.
FIGURES = HERE / "figures"


@dataclass(frozen=True)
class Part:
    """``script`` with ``arguments``; ``title`` says in a few words what it measures."""

    name: str
    title: str
    script: str
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """As somebody would type it."""
        return " ".join(("python", f"benchmarks/{self.script}", *self.arguments))

    @property
    def path(self) -> Path:
        return HERE / self.script


PARTS = (
    Part("sandboxes", "One sandbox, and one grade beside the bare test command", "basics.py"),
    Part("density", "Many sandboxes at once", "density.py"),
    Part("many", "Five thousand sandboxes at once", "density.py", ("--alive", "5000")),
    Part("docker_pool", "A pool of containers", "docker_pool.py"),
    Part("prefork", "Tests in an interpreter that is there already", "prefork.py", ("--docker",)),
    Part("needed", "Only what is needed", "needed.py"),
    Part("episodes", "Episodes, and the environment", "gym.py", ("--runs", "5")),
    Part("scaling", "How cost grows", "scaling.py"),
    Part("simulation", "10,000 episodes on 100 nodes", "simulate.py"),
    Part("admission", "64 attempts asked of two cores", "admission.py"),
    Part("cluster", "Attempts on a Ray cluster", "cluster.py"),
    Part("namespaces", "Nodes that share nothing but a network", "cluster_namespaces.py"),
    Part("soak", "2,000 attempts while things break", "soak.py"),
    Part("side_by_side", "Beside what a user would pick instead", "side_by_side/run.py", ("--runs", "5")),
)
