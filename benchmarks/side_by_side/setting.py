"""One setting for all candidates: image, repository, patches and tests of a task, as our own preparation made them."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import docker
from virtualenvs import interpreter
from virtualenvs import pip

from pytest_swegym.lab import Lab
from pytest_swegym.lab import Prepared
from pytest_swegym.sandbox import make_backend
from pytest_swegym.task.files import load_tasks


#: swe-rex's server inside an image: its documentation advises to install it there beforehand.
REX = "#!/usr/bin/python3\nimport sys\nsys.path.insert(0, '/opt/swerex')\nfrom swerex.server import main\nmain()\n"


class Setting:
    """Folders and images of a run; used as a context manager, which removes them again.

    ``snapshot`` is the image that our own preparation made, and the ancestor of every other one here.
    """

    def __init__(self, task: Path) -> None:
        self.task = task.resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="side-by-side-"))
        self.snapshot, self.name = "", ""
        self._client = docker.from_env()
        self._images: list[str] = []
        self._shared: dict[str, Any] = {}

    def __enter__(self) -> Setting:
        lab = Lab(make_backend("docker"))
        (task,) = load_tasks(self.task)
        prepared = lab.prepare(task)
        self.name, self.snapshot = task.id, str(prepared.snapshot.ref["image"])
        self._make(prepared)
        lab.close()
        return self

    def __exit__(self, *_: object) -> None:
        for image in self._images:
            for container in self._client.api.containers(all=True, filters={"ancestor": image}):
                self._client.api.remove_container(container["Id"], force=True)
            self._client.images.remove(image, force=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name: str, **more: Any) -> Path:
        """What a driver is told, as a file."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(self._shared | more))
        return path

    def add_rex(self) -> None:
        """An image that has swe-rex's server as well, for the Python that the image has."""
        if "rex_image" in self._shared:
            return
        said = self._client.containers.run(self.snapshot, ["/usr/bin/python3", "-V"], network_mode="none", remove=True)
        minor = ".".join(said.decode().split()[1].split(".")[:2])
        target = self.folder / "swerex"
        pip(interpreter("swerex"), "--target", str(target), "--python-version", minor, "--only-binary=:all:", "swe-rex")
        files = {"opt/swerex": target, "usr/local/bin/swerex-remote": REX.encode()}
        self._shared["rex_image"] = self._committed("swegym-side-by-side-rex", files)

    def _make(self, prepared: Prepared) -> None:
        task, snapshot = prepared.task, prepared.snapshot
        files = sorted({name.split("::")[0] for name in (*task.hidden.fail_to_pass, *task.hidden.pass_to_pass)})
        command = task.spec.test_command or "python -m pytest"
        self._shared = {
            "task": str(self.task),
            "image": self._committed("swegym-side-by-side", {}, env=dict(snapshot.env), workdir=task.spec.workdir),
            "workdir": task.spec.workdir,
            "test_command": f"{command} -q -p no:cacheprovider {shlex.join(files)}",
            "patch": task.hidden.patch,
            "test_patch": task.hidden.test_patch,
            "fail_to_pass": list(task.hidden.fail_to_pass),
            "pass_to_pass": list(task.hidden.pass_to_pass),
            "tree": str(self._tree(task.spec.workdir)),
        }

    def _committed(self, name: str, files: dict[str, Path | bytes], *, env: Any = None, workdir: str = "") -> str:
        """The image with ``files`` in it, and with variables and folder of the task: nothing is left to flags."""
        base = self._shared.get("image", self.snapshot)
        container = self._client.containers.create(base, ["true"], network_mode="none")
        try:
            if files:
                container.put_archive("/", _tar(files))
            changes = [f'ENV {key}="{value}"' for key, value in (env or {}).items()]
            changes += [f"WORKDIR {workdir}"] if workdir else []
            tag = f"run{os.getpid()}"
            self._client.api.commit(container.id, repository=name, tag=tag, changes=changes or None)
        finally:
            container.remove(force=True)
        self._images.insert(0, f"{name}:{tag}")
        return f"{name}:{tag}"

    def _tree(self, workdir: str) -> Path:
        """The repository on this machine, for candidates without a container."""
        container = self._client.containers.create(self.snapshot, ["true"], network_mode="none")
        try:
            subprocess.run(["docker", "cp", f"{container.id}:{workdir}", str(self.folder / "tree")], check=True)
        finally:
            container.remove(force=True)
        return self.folder / "tree"


def _tar(files: dict[str, Path | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            if isinstance(content, Path):
                tar.add(content, name)
                continue
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
