"""A Docker daemon of our own, which may be killed: nobody else's containers are in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path


class Daemon:
    """``dockerd`` on a socket in ``folder``. Absent programs or images are told by :meth:`why_not`."""

    def __init__(self, folder: Path, image: str) -> None:
        self._folder, self._image = folder, image
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/docker.sock"

    def why_not(self) -> str:
        """Why there is no Docker here; empty if there is."""
        if not (shutil.which("dockerd") and shutil.which("docker")):
            return "no dockerd here"
        found = subprocess.run(["docker", "image", "inspect", self._image], capture_output=True)
        return "" if found.returncode == 0 else f"no image {self._image} to copy from the daemon of this machine"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "pid").unlink(missing_ok=True)
        places = [f"--data-root={self._folder}/data", f"--exec-root={self._folder}/exec"]
        options = [*places, f"--pidfile={self._folder}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        with (self._folder / "log").open("ab") as log:
            # In a network of its own: it would take the bridge of this machine's daemon for its own to remove.
            argv = ["unshare", "--net", "dockerd", "-H", self.url, *options]
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while self.ask("version").returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit(f"the Docker daemon does not start: see {self._folder}/log")
            time.sleep(0.1)

    def load(self) -> None:
        """Copy the image from the daemon of this machine."""
        with subprocess.Popen(["docker", "save", self._image], stdout=subprocess.PIPE) as source:
            argv = ["docker", "-H", self.url, "load", "-q"]
            subprocess.run(argv, stdin=source.stdout, check=True, capture_output=True)

    def kill(self) -> None:
        """SIGKILL to the daemon, and to containerd: containers are left without anybody."""
        if self._process is not None:
            pidfile = self._folder / "exec" / "containerd" / "containerd.pid"
            containerd = int(pidfile.read_text()) if pidfile.is_file() else 0
            self._process.kill()
            self._process.wait()
            if containerd:
                with suppress(ProcessLookupError):
                    os.kill(containerd, signal.SIGKILL)

    def stop(self) -> None:
        """End it as an administrator does."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of Docker's own command line."""
        return subprocess.run(["docker", "-H", self.url, *words], capture_output=True, text=True, timeout=60)

    def own(self, *kind: str) -> list[str]:
        """Things of ours that it has: ``("ps", "-a")`` for containers."""
        found = self.ask(*kind, "-q", "--filter", "label=pytest-swegym")
        return found.stdout.split()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0
