"""The embedded backend: bubblewrap jails over overlay layers, with no daemon and no root."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import threading
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym.errors import SandboxError
from pytest_swegym.errors import SandboxUnavailable
from pytest_swegym.sandbox import diagnosis
from pytest_swegym.sandbox import images
from pytest_swegym.sandbox import jail
from pytest_swegym.sandbox import layer_store
from pytest_swegym.sandbox import layers
from pytest_swegym.sandbox import shipping
from pytest_swegym.sandbox import sweep
from pytest_swegym.sandbox.agent import Agent
from pytest_swegym.sandbox.ahead import Ahead
from pytest_swegym.sandbox.base import Sandbox
from pytest_swegym.sandbox.base import SandboxLimits
from pytest_swegym.sandbox.base import Snapshot
from pytest_swegym.sandbox.base import Stored
from pytest_swegym.sandbox.embedded import EmbeddedSandbox
from pytest_swegym.sandbox.embedded import Running
from pytest_swegym.sandbox.ground import Ground
from pytest_swegym.sandbox.leftovers import Leftovers
from pytest_swegym.sandbox.limits import Enforcer
from pytest_swegym.sandbox.limits import Group
from pytest_swegym.sandbox.limits import control_groups
from pytest_swegym.sandbox.moments import Moments
from pytest_swegym.sandbox.room import explain
from pytest_swegym.sandbox.sharing import Sharing
from pytest_swegym.sandbox.toolchain import find_interpreter
from pytest_swegym.sandbox.watchdog import WatchdogEnforcer
from pytest_swegym.task.spec import EnvironmentSpec


NAME = "bubblewrap"
#: Raised whenever what every sandbox sees changes, so that old layers are not taken for new ones.
_VERSION = 1


class BubblewrapBackend:
    """Embedded sandboxes; see :class:`~pytest_swegym.sandbox.base.Backend`. ``cgroups=False`` uses the watchdog.

    ``offline`` downloads no Python.
    """

    name = NAME

    def __init__(self, *, cgroups: bool = True, offline: bool = False) -> None:
        self._cgroups = cgroups
        self._offline = offline
        self._lock = threading.RLock()
        self._run: layers.RunFolder | None = None
        self._points: dict[tuple[object, ...], jail.Points] = {}
        self._sandboxes: dict[EmbeddedSandbox, tuple[Callable[[], None], Hashable]] = {}
        self._ahead = Ahead(Running.end)
        self._moments = Moments()
        self._leftovers = Leftovers()
        self.sharing: Sharing | None = None
        self._reason: str | None = None
        self._checked = False

    def available(self) -> str | None:
        """``None`` if sandboxes can be started here, else the reason and the way out."""
        with self._lock:
            if not self._checked:
                self._reason = diagnosis.why_not(jail.find_bwrap())
                self._checked = True
            return self._reason

    def describe(self) -> str:
        """The version, and how limits are enforced."""
        return f"{_version(jail.find_bwrap())}, {self._enforcer().describe()}"

    def base(self, environment: EnvironmentSpec) -> Snapshot:
        """The host's toolchain with a fitting Python, or an unpacked image."""
        if environment.image is not None:
            return images.base(environment.image, self._python_inside)
        interpreter = find_interpreter(environment.python, offline=self._offline)
        binds = interpreter.binds
        facts = [jail.skeleton_files(), sorted(jail.host_tree()), binds, interpreter.hidden, _release()]
        key = content_key("bubblewrap-base", _VERSION, interpreter.executable, interpreter.version, facts)
        path = f"{os.path.dirname(interpreter.executable)}:{jail.BASE_ENV['PATH']}"

        def describe(layer: str) -> Snapshot:
            ref = {"layers": [layer], "binds": binds, "hidden": list(interpreter.hidden), "toolchain": True}
            return Snapshot(key=key, backend=NAME, ref=ref, env={"PATH": path}, python=interpreter.executable)

        return layers.find_snapshot(key) or layers.save_layer(key, jail.write_skeleton, describe)

    def find(self, key: str) -> Snapshot | None:
        """The saved snapshot of that key, if it is there and whole."""
        return layers.find_snapshot(key)

    def save(self, sandbox: Sandbox, key: str, *, env: Mapping[str, str], python: str) -> Snapshot:
        """Freeze the sandbox as ``key``: what it wrote becomes a layer, by a rename."""
        own = self._own(sandbox)
        own.end()
        chain = [str(path) for path in own.snapshot_of.ref["layers"]]
        # Layers of temporary snapshots vanish with this object: they are copied along.
        borrowed = {path: f"under-{number}" for number, path in enumerate(chain) if self._moments.is_temporary(path)}

        def fill(target: Path) -> None:
            for path, name in borrowed.items():
                layers.copy_tree(Path(path), target.parent / name)
            own.upper.rename(target)

        def describe(layer: str) -> Snapshot:
            kept = [str(Path(layer).parent / borrowed[path]) if path in borrowed else path for path in chain]
            ref = {**own.snapshot_of.ref, "layers": [*kept, layer]}
            return Snapshot(key=key, backend=NAME, ref=ref, env=dict(env), python=python)

        try:
            return layers.find_snapshot(key) or layers.save_layer(key, fill, describe)
        except OSError as error:
            raise SandboxError(f"could not save the snapshot {key}: {error}") from error
        finally:
            own.close()

    def start(
        self,
        snapshot: Snapshot,
        *,
        limits: SandboxLimits | None = None,
        network: bool = False,
        mounts: Mapping[str, Path] | None = None,
    ) -> EmbeddedSandbox:
        """A running fork of ``snapshot``: an empty folder for its writes over the snapshot's layers."""
        self._require()
        limits = limits or SandboxLimits()
        seen = self._jail(snapshot, limits, network, mounts or {})
        kind = (seen.layers, seen.sight, limits)
        running = self._ahead.take(kind)
        if running is not None and (running.agent.ended or running.ground.trouble()):
            running.end()
            running = None
        running = running or self._first(seen, snapshot, limits)
        sandbox = EmbeddedSandbox(
            snapshot, running, freeze=self._freeze, forget=self._forget, leave=self._leftovers.add
        )
        with self._lock:
            self._sandboxes[sandbox] = running.release, kind
        self._ahead.started(kind, lambda: self._begin(seen, snapshot, limits))
        return sandbox

    def _first(self, seen: jail.Jail, snapshot: Snapshot, limits: SandboxLimits) -> Running:
        """As :meth:`_begin`; what was closed a moment ago has some descriptors until its files are gone."""
        try:
            return self._begin(seen, snapshot, limits)
        except SandboxError as error:
            if getattr(error.__cause__, "errno", None) != errno.EMFILE:
                raise
        self._leftovers.wait()
        return self._begin(seen, snapshot, limits)

    def _begin(self, seen: jail.Jail, snapshot: Snapshot, limits: SandboxLimits) -> Running:
        """A jail that runs, with nothing in it but its agent."""
        run = self._folder()
        folder = run.new("sandbox")
        group: Group | None = None
        agent: Agent | None = None
        release = self._hold(snapshot)
        try:
            group = self._enforcer().create(f"{run.groups}{folder.name}", limits)
            ground = Ground(seen.layers, folder / "upper")
            agent = Agent(seen.command(self._require(), folder, self._points_of(seen)), folder, group)
            group.attach(agent.init, agent.pid)
            ground.processes = agent.everything
        except (OSError, RuntimeError, SandboxError) as error:  # the second: no thread can be started
            if agent is not None:
                agent.jailed.close()
            if group is not None:
                group.remove()
            layers.remove_tree(folder)
            release()
            raise SandboxError(f"{explain(error)} (layers: {', '.join(seen.layers)})") from error
        return Running(agent, group, folder, release, ground)

    def sweep(self) -> list[str]:
        """Remove what dead processes left: run folders, control groups, half-written layers."""
        return sweep.sweep(self._enforcer().folders())

    def stored(self) -> list[Stored]:
        """Every saved layer, and what running sandboxes have written."""
        return layer_store.stored()

    def hold(self, snapshot: Snapshot) -> Callable[[], None]:
        """Keep the layers of a snapshot until the returned function is called."""
        return layer_store.hold(snapshot)

    def evict(self, key: str, *, unused_for: float) -> bool:
        """Remove a saved layer, unless it is in use or was in the last seconds; whether it is gone."""
        self._ahead.discard(lambda kind: key in str(kind))
        return layer_store.evict(key, unused_for=unused_for)

    def drop(self, snapshot: Snapshot) -> None:
        """Give up a temporary snapshot; what still lies on it keeps what it needs."""
        self._ahead.discard(lambda kind: snapshot.ref["layers"][-1] in str(kind))
        self._moments.drop(snapshot.key)

    def platform(self, environment: EnvironmentSpec) -> str:
        """What every snapshot of that environment lies on: this host's toolchain, or the image."""
        return self.base(environment).key

    def kept(self) -> list[str]:
        """The keys of all saved layers."""
        return sorted(folder.name for folder in layers.layers_dir().iterdir() if not folder.name.startswith("."))

    def parcels(self, snapshot: Snapshot) -> list[str]:
        """The layers of a saved snapshot but for the lowest, which every machine makes of its own."""
        return shipping.keys_of(snapshot)[1:]

    def pack(self, key: str) -> Iterator[bytes]:
        """A saved layer as a tar archive; see :class:`~pytest_swegym.sandbox.base.Shipper`."""
        snapshot = layers.find_snapshot(key)
        if snapshot is None:
            raise SandboxError(f"there is no snapshot {key} to be packed")
        release = self.hold(snapshot)
        try:
            yield from shipping.pack(NAME, snapshot)
        finally:
            release()

    def unpack(self, key: str, chunks: Iterable[bytes]) -> Snapshot:
        """Keep a layer that another machine packed; see :class:`~pytest_swegym.sandbox.base.Shipper`."""
        return shipping.unpack(NAME, key, chunks)

    def close(self) -> None:
        """End every sandbox of this object, and drop its temporary snapshots. Twice is fine."""
        self._ahead.discard()  # first: one that is just being started has its folder in the run's
        with self._lock:
            sandboxes, run = list(self._sandboxes), self._run
            self._run = None
            self._points.clear()
        self._moments.close()
        # All at once: the kernel then takes them down side by side.
        for sandbox in sandboxes:
            sandbox.kill()
        for sandbox in sandboxes:
            sandbox.close()
        self._leftovers.wait()
        if run is not None:
            run.close()

    def _require(self) -> str:
        reason = self.available()
        if reason is not None:
            raise SandboxUnavailable(reason)
        return jail.find_bwrap() or ""

    def _enforcer(self) -> Enforcer:
        found = control_groups() if self._cgroups else None
        return found or WatchdogEnforcer()

    def _folder(self) -> layers.RunFolder:
        with self._lock:
            if self._run is None:
                self._run = layers.RunFolder()
            return self._run

    def _jail(self, snapshot: Snapshot, limits: SandboxLimits, network: bool, mounts: Mapping[str, Path]) -> jail.Jail:
        ref: Mapping[str, Any] = snapshot.ref
        for inside, host in mounts.items():
            if not inside.startswith("/") or ".." in inside.split("/") or not host.exists():
                raise SandboxError(f"cannot mount {host} at {inside!r}: absent, or not an absolute path inside")
        return jail.Jail(
            layers=tuple(ref["layers"]),
            binds={**ref["binds"], **{inside: str(host.resolve()) for inside, host in mounts.items()}},
            hidden=tuple(ref["hidden"]),
            toolchain=ref["toolchain"],
            network=network,
            shm_bytes=limits.memory_mb * 2**19,
        )

    def _points_of(self, seen: jail.Jail) -> jail.Points:
        """The mount points of such a jail; made once, as most sandboxes see the same."""
        with self._lock:
            if seen.sight not in self._points:
                self._points[seen.sight] = seen.points(self._folder().new("points"))
            return self._points[seen.sight]

    def _freeze(self, sandbox: EmbeddedSandbox) -> Snapshot:
        folder = self._folder().new("snapshot")
        origin = sandbox.snapshot_of
        chain = self._moments.freeze(origin.ref["layers"], sandbox.upper, folder)
        key = content_key("moment", origin.key, sandbox.id, folder.name)
        self._moments.add(key, chain)
        return Snapshot(
            key=key, backend=NAME, ref={**origin.ref, "layers": chain}, env=origin.env, python=origin.python
        )

    def _hold(self, snapshot: Snapshot) -> Callable[[], None]:
        """Keep every layer of a snapshot, saved or temporary, until the returned function is called."""
        give_back, held = layer_store.hold(snapshot), self._moments.hold(snapshot.ref["layers"])

        def release() -> None:
            give_back()
            self._moments.release(held)

        return release

    def _forget(self, sandbox: EmbeddedSandbox) -> None:
        with self._lock:
            release, kind = self._sandboxes.pop(sandbox, (None, None))
        if release is not None:
            release()
            self._ahead.ended(kind)

    def _own(self, sandbox: Sandbox) -> EmbeddedSandbox:
        if not isinstance(sandbox, EmbeddedSandbox):
            raise SandboxError(f"{type(sandbox).__name__} is not a sandbox of the {NAME} backend")
        return sandbox

    def _python_inside(self, snapshot: Snapshot) -> str:
        """The interpreter of an image, asked of the image."""
        with self.start(snapshot) as sandbox:
            found = sandbox.exec(["sh", "-c", "command -v python3 || command -v python"], timeout=30)
            return found.stdout.decode(errors="replace").strip()


@functools.cache
def _version(bwrap: str | None) -> str:
    if bwrap is None:
        return f"{NAME} (not installed)"
    result = subprocess.run([bwrap, "--version"], capture_output=True, text=True)
    return result.stdout.strip() or NAME


@functools.cache
def _release() -> list[str]:
    """What names the host's system: compiled packages built on one do not run on every other."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return [*sorted(line for line in lines if line.startswith(("ID=", "VERSION_ID="))), os.uname().machine]
