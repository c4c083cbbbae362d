"""Docker Compose for those who need it: the machine's own, else Debian's package, unpacked and not installed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from pytest_swegym._support.paths import cache_dir


#: Where the package is looked for: the releases of Debian that have Compose 2.
SUITE = "trixie"
MIRROR = os.environ.get("SWEGYM_DEBIAN_MIRROR", "http://deb.debian.org/debian")


def compose_environ() -> dict[str, str]:
    """What a process needs in its environment so that ``docker compose`` works; nothing where it works already."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return {}
    folder = cache_dir("side_by_side") / "docker"
    plugin = folder / "cli-plugins" / "docker-compose"
    if not plugin.exists():
        plugin.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as unpacked:
            _unpack(Path(unpacked))
            (found,) = Path(unpacked).glob("usr/libexec/docker/cli-plugins/docker-compose")
            plugin.write_bytes(found.read_bytes())
        plugin.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder)}


def _unpack(folder: Path) -> None:
    """Debian's package, in ``folder``. Raises :class:`subprocess.CalledProcessError` where there is no such index."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb {MIRROR} {SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"-o={name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True, capture_output=True)
    subprocess.run([*apt, "download", "docker-compose"], check=True, capture_output=True, cwd=folder)
    (package,) = folder.glob("docker-compose_*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
