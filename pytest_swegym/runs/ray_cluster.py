"""A cluster of Ray as a run sees it: joined or started, with its nodes, its cores and the actors of the run."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SwegymError
from pytest_swegym.runs.ray_catalogue import Catalogue
from pytest_swegym.runs.ray_catalogue import Shipped
from pytest_swegym.runs.ray_head import Watch
from pytest_swegym.runs.ray_head import silence
from pytest_swegym.runs.ray_worker import Hand
from pytest_swegym.runs.ray_worker import Post


log = logging.getLogger("pytest_swegym.runs")
#: Calls to one hand at the same time, beyond the attempts that it makes.
_MORE = 4
#: Folders that are never sent to the nodes, and bytes of a folder above which it is most likely not meant.
_LEFT_OUT = (".git", ".venv", "venv", "__pycache__", "node_modules", "swegym-results")
_LARGE = 256 * 2**20
_OPEN = (
    "this cluster of Ray obeys whoever reaches its ports, code in a sandbox with a network too: let 'ray get-auth-token"
    " --generate' make a token, have it on every machine, and set RAY_AUTH_MODE=token before 'ray start' and the run"
)


class Cluster:
    """The cluster at ``address``: ``None`` is ``$RAY_ADDRESS``, the one of this machine, or one that is started here
    and ends with it; ``"local"`` is always such a one.

    ``root`` is sent to the nodes, but for what ``.gitignore`` names and ``left_out``; workers are started in it. A
    program that has joined a cluster before keeps it, and its own runtime environment.

    Raises :class:`ConfigError` if Ray is not installed, or nobody answers at the address.
    """

    def __init__(self, address: str | None, *, root: Path | None = None, left_out: Sequence[Path] = ()) -> None:
        self._ray = _ray()
        self.joined, how = not self._ray.is_initialized(), "joined by this program"
        if self.joined:
            how = _join(self._ray, address, _runtime_env(root, left_out) if root is not None else {})
        self._address: str = self._ray.get_runtime_context().gcs_address
        log.info("the cluster of Ray at %s: %s", self._address, how)
        if os.environ.get("RAY_AUTH_MODE", "disabled") == "disabled":
            log.warning(_OPEN)
        self.ships_root = self.joined and root is not None
        self.catalogue = self._beside(Catalogue)
        #: Solvers that were looked at, by their ids; held, so that no other gets the id.
        self._sendable: dict[int, Any] = {}
        self._hands: list[Any] = []
        self._watch: Watch | None = None
        self._lock, self._ended = threading.Lock(), False

    def _beside(self, kind: type) -> Any:
        """An actor on the driver's own node: it lives as long as that does, and is asked again should it die before."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        here = On(self._ray.get_runtime_context().get_node_id(), soft=True)
        made = self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)(kind)
        return made.remote()

    def cores(self) -> int:
        """Cores of all living nodes, as they count for Ray."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    def nodes(self) -> set[str]:
        """The nodes that are alive."""
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def hand(self, post: Post, threads: int) -> Any:
        """A new hand, somewhere in the cluster; it lives when its ``ready`` has answered."""
        made = self._ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(Hand)
        hand = made.options(name=post.who, max_concurrency=threads + _MORE).remote(post, self.catalogue)
        self._hands.append(hand)
        return hand

    def lost(self, node: str) -> None:
        """A node is gone, with all that it had."""
        self.catalogue.lost.remote(node)

    def bury(self, hand: Any, who: str) -> None:
        """A hand is dead, or as good as: nobody waits for what it was making."""
        self._hands.remove(hand)
        self.kill(hand)
        self.catalogue.gone.remote(who)

    def check_sendable(self, solver: Any) -> None:
        """A callable goes to the nodes with its module's code, unless it is installed there as well.

        Raises :class:`ConfigError` if it holds what cannot be sent.
        """
        if isinstance(solver, str) or id(solver) in self._sendable:
            return
        from ray import cloudpickle

        for function in (solver, *(each for each, _ in getattr(solver, "functions", ()))):
            module = sys.modules.get(getattr(function, "__module__", None) or type(function).__module__)
            if module is not None and _is_users(module):
                cloudpickle.register_pickle_by_value(module)
        try:
            cloudpickle.dumps(solver)
        except Exception as error:
            raise ConfigError(
                f"the solver {solver!r:.100} cannot be sent to another machine ({type(error).__name__}: {error}):"
                " give it by name, or keep locks, files and clients out of its module's globals"
            ) from error
        self._sendable[id(solver)] = solver

    # -- its end ---------------------------------------------------------------------------------

    def watch(self, tell: Callable[[Exception], None]) -> None:
        """Should the head be gone, ``tell`` so, and leave: else Ray's library ends this process, results or not."""

        def gone() -> None:
            tell(self.failed("its head answers no more"))
            self.end()

        self._watch = Watch(self._address, gone)

    def failed(self, why: str) -> InfraError:
        """What becomes of attempts when the whole cluster is lost."""
        return InfraError(
            f"the cluster of Ray at {self._address} failed: {why[:1000]}; what has ended is kept: once it is there"
            " again, --swegym-resume makes the rest"
        )

    def end(self, *, patience: float = 10.0) -> None:
        """End all hands with their sandboxes, then the run's other actors. Never raises; twice is fine."""
        if self._watch is not None:
            self._watch.end()
        ray, hands = self._ray, [*self._hands]
        with self._lock:  # whoever comes second finds it ended
            if self._ended:
                return
            self._ended = True
            with suppress(Exception):
                ray.wait([hand.close.remote() for hand in hands], num_returns=len(hands), timeout=patience)
            for actor in (*hands, self.catalogue):
                self.kill(actor)
            if self.joined:
                with suppress(Exception):
                    ray.shutdown()

    def kill(self, actor: Any) -> None:
        """End an actor at once; its sandboxes die with it."""
        with suppress(Exception):
            self._ray.kill(actor, no_restart=True)

    # -- what Ray says ---------------------------------------------------------------------------

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What is raised for a worker that is gone, or cannot be had."""
        from ray.exceptions import RayError

        return RayError, StopIteration

    def ready(self, refs: Sequence[Any], seconds: float) -> list[Any]:
        """Those that have news; waits for the first for so many seconds."""
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return list(ready)

    def get(self, ref: Any) -> Any:
        """What a call returned. Raises as :attr:`failures` says, and what the call raised of ours."""
        from ray.exceptions import RayTaskError

        try:
            return self._ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, SwegymError):
                raise error.cause from None
            raise

    def next(self, call: Any) -> Any:
        """The next thing that a call says; what it raised is returned. Raises as :attr:`failures` says."""
        from ray.exceptions import RayTaskError

        try:
            return self._ray.get(next(call))
        except RayTaskError as error:
            ours = isinstance(error.cause, SwegymError)
            return error.cause if ours else InfraError(f"a worker failed: {error}"[-3000:])

    def shipped(self) -> tuple[Shipped, dict[tuple[str, str], int]]:
        """What was shipped so far, and how often each snapshot to each node."""
        found: tuple[Shipped, dict[tuple[str, str], int]] = self._ray.get(self.catalogue.report.remote())
        return found


def _ray() -> Any:
    # A call that waits for a head that is gone would end this process after a minute, even once Ray was left. Read as
    # Ray is imported.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "1000000")
    try:
        import ray
    except ImportError:
        raise ConfigError("--swegym-executor=ray needs Ray: pip install 'pytest-swegym[ray]'") from None
    return ray


def _is_users(module: ModuleType) -> bool:
    """Whether a module is a file of the user's, not one that is installed with a package."""
    file = getattr(module, "__file__", None)
    if file is None or module.__name__ == "__main__":  # which always goes as it is
        return False
    installed = {"site-packages", "dist-packages", "pytest_swegym"}
    return not installed & set(Path(file).parts) and not file.startswith(os.path.dirname(os.__file__))


def _join(ray: Any, address: str | None, runtime_env: dict[str, Any]) -> str:
    """How it came to the cluster, in words."""
    wanted = address or os.environ.get("RAY_ADDRESS")
    given = wanted or "auto"
    if given.startswith("ray://"):
        raise ConfigError(
            f"{given}: a run cannot go through Ray's client; start it on a machine of the cluster"
            " (ray start --address=HOST:6379 --num-cpus=0), and give HOST:6379"
        )
    options = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": runtime_env or None}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if why := silence(given):
            raise ConnectionError(why)
        return _enter(ray, given, may_start=not wanted, options=options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        what = "no cluster of Ray could be started" if given in ("auto", "local") else f"no cluster of Ray at {given}"
        raise ConfigError(
            f"{what}: {str(error).strip()[:500]}; see ray status, give --swegym-ray-address, or set RAY_AUTH_MODE=token"
            " if the cluster wants one"
        ) from error


def _enter(ray: Any, given: str, *, may_start: bool, options: dict[str, Any]) -> str:
    if given != "local":
        try:
            ray.init(address=given, **options)
        except ConnectionError:
            if given != "auto" or not may_start:
                raise
        else:
            return "found on this machine and joined" if given == "auto" else "joined"
    ray.init(address="local", include_dashboard=False, **options)
    return "started for this run"


def _runtime_env(root: Path, left_out: Sequence[Path]) -> dict[str, Any]:
    """The folder that workers are started in."""
    own = [f"/{path.relative_to(root)}" for path in left_out if path.is_relative_to(root) and path != root]
    if not any((root / name).exists() for name in (".gitignore", ".rayignore")):
        _check_size(root, {root / each.lstrip("/") for each in own})
    return {"working_dir": str(root), "excludes": [*_LEFT_OUT, *own]}


def _check_size(root: Path, left_out: set[Path]) -> None:
    total = 0
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and Path(parent, name) not in left_out]
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
        if total > _LARGE:
            raise ConfigError(
                f"{root} would be sent to every node, and is larger than {_LARGE >> 20} MiB: start in a smaller"
                " folder, or name what is not needed in its .gitignore or .rayignore"
            )


__all__ = ["Cluster"]
