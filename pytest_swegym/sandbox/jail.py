"""The bwrap command line: what of the host is visible inside, and nothing else."""

from __future__ import annotations

import os
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
#: As in other container tools: a sandbox of the host's root has no capability, but owns these files, and could write.
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "mtrr", "acpi", "scsi", "asound", "pressure")
_PROC_HIDDEN = ("kcore", "keys", "key-users", "timer_list", "latency_stats", "sched_debug", "kallsyms", "kmsg")


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

    def command(self, bwrap: str, folder: Path, info_fd: int) -> list[str]:
        """The command line of a sandbox whose own files are in ``folder``; makes the mount points there.

        Every mount point exists as a real folder or file in a layer of ours on top of the others, so that no symlink in
        an untrusted layer can lead a mount outside.
        """
        binds = {**self._all_binds(), CONTROL: str(folder / "ctl")}
        stubs = folder / "stubs"
        for name in ("upper", "work", "stubs", "ctl", "empty"):
            (folder / name).mkdir()
        _make_points(stubs, binds)
        argv = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
        argv += ["--share-net"] if self.network else []
        argv += ["--uid", str(UID), "--gid", str(UID), "--cap-drop", "ALL", "--hostname", USER, "--clearenv"]
        for layer in (*self.layers, str(stubs)):
            argv += ["--overlay-src", layer]
        argv += ["--overlay", str(folder / "upper"), str(folder / "work"), "/"]
        for inside in sorted(binds):
            argv += ["--ro-bind", binds[inside], inside]
        for hidden in self.hidden:
            argv += ["--ro-bind", str(folder / "empty"), hidden]
        argv += [*_proc(), "--dev", "/dev", "--perms", "1777", "--size", str(self.shm_bytes), "--tmpfs", "/dev/shm"]
        argv += ["--info-fd", str(info_fd), "--chdir", "/"]
        return argv

    def _all_binds(self) -> dict[str, str]:
        binds = dict(host_tree()) if self.toolchain else {}
        names = (_ETC if self.toolchain else ()) + (_ETC_NETWORK if self.network else ())
        if self.network and not self.toolchain:
            names = ("resolv.conf", "hosts")  # an image brings its own certificates
        for name in names:
            # A bind of the file itself: links in /etc often lead to folders that are not visible inside.
            source = os.path.realpath(f"/etc/{name}")
            if os.path.exists(source):
                binds[f"/etc/{name}"] = source
        return {**binds, **self.binds}


def host_tree() -> dict[str, str]:
    """The host's programs and libraries: /bin, /lib... and /usr, but not /usr/local."""
    binds = {f"/usr/{name}": f"/usr/{name}" for name in sorted(os.listdir("/usr")) if name not in ("local", "src")}
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
    account = f"{USER}:x:{UID}:{UID}:{USER}:{USER_HOME}:/bin/sh\n"
    return {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\n{account}nobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": f"root:x:0:\n{USER}:x:{UID}:\nnogroup:x:65534:\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "hostname": f"{USER}\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    }


def _top() -> Iterable[str]:
    names = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
    return [name for name in names if os.path.lexists(f"/{name}")]


def _proc() -> list[str]:
    """A /proc of its own, without the files that reach into the host's kernel."""
    argv = ["--proc", "/proc"]
    for name in _PROC_READ_ONLY:
        if os.path.exists(f"/proc/{name}"):
            argv += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    for name in _PROC_HIDDEN:
        if os.path.exists(f"/proc/{name}"):
            argv += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    return argv


def _make_points(stubs: Path, binds: Mapping[str, str]) -> None:
    for inside in ("/proc", "/dev"):
        (stubs / inside[1:]).mkdir()
    for inside, host in binds.items():
        point = stubs / inside.lstrip("/")
        if os.path.isdir(host):
            point.mkdir(parents=True, exist_ok=True)
        else:
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()
