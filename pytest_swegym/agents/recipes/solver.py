"""A recipe as a solver: its agent works in the sandbox, its model is asked from here, the tree it leaves is graded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_swegym._support.paths import write_atomic
from pytest_swegym._support.redact import redact
from pytest_swegym.agents.config import AgentConfig
from pytest_swegym.agents.recipes.forward import Forwarder
from pytest_swegym.agents.recipes.recipe import RUN
from pytest_swegym.agents.recipes.recipe import Recipe
from pytest_swegym.agents.recipes.relay import PATIENCE
from pytest_swegym.agents.recipes.relay import PYTHON
from pytest_swegym.agents.recipes.relay import Relay
from pytest_swegym.agents.recipes.steps import Steps
from pytest_swegym.agents.solver import solving_seconds
from pytest_swegym.errors import InfraError
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SolverError
from pytest_swegym.errors import SolverTimeout
from pytest_swegym.sandbox.base import HOME
from pytest_swegym.sandbox.base import ExecResult
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.solvers.builtin import problem_variables
from pytest_swegym.task import TaskSpec
from pytest_swegym.workspace import Workspace


#: Requests of an agent whose configuration has no budget of them: one that asks in a circle is ended all the same.
MOST_REQUESTS = 2000
#: What an agent finds where it looks for a key.
NO_KEY = "swegym"
#: What the agent printed last, in the attempt's folder; and how much of it, in characters.
AGENT_LOG = "agent.log"
_KEPT = 256 * 1024
_PID = f"{HOME}/agent.pid"
_START = f'echo $$ >{_PID}; exec sh "$SWEGYM_RECIPE/{RUN}"'
_KILL = f"""pid=$(cat {_PID}); kill -TERM "$pid"
for second in 1 2 3; do kill -0 "$pid" || exit 0; sleep 1; done
kill -KILL "$pid\""""


class RecipeSolver:
    """``solve(task, workspace)`` for a recipe, whose tools are installed in the workspace."""

    def __init__(self, recipe: Recipe, config: AgentConfig) -> None:
        self.recipe = recipe
        self.config = config

    def __call__(self, task: TaskSpec, workspace: Workspace) -> None:
        told, sandbox = workspace.occasion.told, workspace.sandbox
        told["agent"] = agent = {"recipe": self.recipe.name, "version": self._version(sandbox)}
        steps = Steps(workspace, agent)
        config = replace(self.config, max_requests=self.config.max_requests or MOST_REQUESTS)
        client = Forwarder(config, note=steps.note)
        seconds = min(solving_seconds(task), config.max_seconds or float("inf"))
        until = time.monotonic() + seconds
        client.hurry(seconds)
        told["ending"] = "seconds"  # unless it comes to another
        relay = Relay(sandbox, client, steps, limit=workspace.occasion.steps)
        try:
            with _ended_when(relay.stopped, sandbox):
                result = self._run(task, workspace, relay.port, client.model(), until)
        finally:
            relay.close()
            told.update(usage=client.usage.to_dict(), steps=steps.count)
        _keep(workspace.occasion.folder, result.output)
        told["ending"] = ending = self._ending(relay, result)
        steps.end(result.output.strip()[-4000:], exit_code=result.exit_code, ending=ending)
        self._judge(task, workspace, relay, result)

    # -- inside ----------------------------------------------------------------------------------

    def _version(self, sandbox: Sandbox) -> str:
        """What the agent's ``install.sh`` wrote down. Raises :class:`SolverError` if the recipe is not installed."""
        try:
            sandbox.read(f"{self.recipe.home}/{RUN}")
        except (OSError, ValueError):
            raise SolverError(
                f"recipe {self.recipe.name!r} is not installed in this sandbox: make the lab with the solver's tools"
            ) from None
        with suppress(OSError, ValueError):
            return sandbox.read(f"{self.recipe.home}/VERSION", limit=1000).decode("utf-8", "replace").strip()
        return ""

    def _run(self, task: TaskSpec, workspace: Workspace, port: int, model: str, until: float) -> ExecResult:
        address = f"http://127.0.0.1:{port}/v1"
        variables = {
            **problem_variables(task, workspace),
            "SWEGYM_RECIPE": self.recipe.home,
            "SWEGYM_PYTHON": PYTHON,
            "SWEGYM_MODEL": model,
            "SWEGYM_PROTOCOL": self.config.protocol,
            "SWEGYM_BASE_URL": address,
            "OPENAI_BASE_URL": address,
            "OPENAI_API_BASE": address,
            "OPENAI_API_KEY": NO_KEY,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        left = max(until - time.monotonic(), 1.0)
        return workspace.sandbox.exec(["sh", "-c", _START], cwd=workspace.path, env=variables, timeout=left)

    def _ending(self, relay: Relay, result: ExecResult) -> str:
        """How the episode ended, in the words of all that play."""
        if relay.failure is not None:
            return "infra"
        if relay.spent:
            return relay.spent
        if result.timed_out:
            return "seconds"
        return "submit" if result.exit_code == 0 else "exit"

    def _judge(self, task: TaskSpec, workspace: Workspace, relay: Relay, result: ExecResult) -> None:
        """Raise what is wrong with how the agent ended; if nothing is, the tree it left is graded."""
        if relay.failure is not None:
            raise relay.failure
        in_budget = self.config.max_seconds and self.config.max_seconds <= solving_seconds(task)
        if result.exit_code == 0 or relay.spent or (result.timed_out and in_budget):
            return
        if relay.refused is not None and not workspace.changed():
            raise relay.refused
        if self.recipe.grade_anyway and workspace.changed():
            return
        name, tail = self.recipe.name, result.output.strip()[-4000:]
        if result.timed_out:
            raise SolverTimeout(f"{name} ran out of its {solving_seconds(task):g} s\n{tail}")
        if relay.worn:
            raise SolverError(f"{name} was ended after {PATIENCE} requests that were refused or made no sense\n{tail}")
        raise SolverError(f"{name} ended with exit code {result.exit_code}\n{tail}")


def _keep(folder: Path | None, output: str) -> None:
    """The last that the agent printed, beside the record. Raises :class:`InfraError` if it cannot be written."""
    if folder is None:
        return
    # Redacted before it is cut: half a secret has no form to know it by.
    text = redact(output[-2 * _KEPT :])[-_KEPT:]
    try:
        write_atomic(folder / AGENT_LOG, text.encode("utf-8", "replace"))
    except OSError as error:
        raise InfraError(f"{folder / AGENT_LOG} cannot be written: {error.strerror or error}") from error


@contextmanager
def _ended_when(stopped: threading.Event, sandbox: Sandbox) -> Iterator[None]:
    """While this goes on, end the agent in ``sandbox`` as soon as ``stopped`` is set."""
    over = threading.Event()

    def watch() -> None:
        stopped.wait()
        if not over.is_set():
            with suppress(SandboxError):
                sandbox.exec(["sh", "-c", _KILL], timeout=20)

    thread = threading.Thread(target=watch, name="swegym-relay-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        stopped.set()
        thread.join(10)
