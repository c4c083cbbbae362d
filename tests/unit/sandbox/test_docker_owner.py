from __future__ import annotations

import os
import subprocess
import sys

from pytest_swegym.sandbox import docker_owner


def test_this_process_lives() -> None:
    assert not docker_owner.is_dead(docker_owner.own_name())


def test_a_process_that_ended_is_dead() -> None:
    code = "from pytest_swegym.sandbox.docker_owner import own_name; print(own_name())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert docker_owner.is_dead(done.stdout.strip())


def test_a_number_taken_over_by_another_process_is_dead() -> None:
    name = docker_owner.own_name().rpartition("/")[0] + "/1"
    assert name.split("/")[3] == str(os.getpid())
    assert docker_owner.is_dead(name)


def test_an_earlier_boot_is_dead() -> None:
    host, _, *rest = docker_owner.own_name().split("/")
    assert docker_owner.is_dead("/".join((host, "another-boot", *rest)))


def test_what_cannot_be_known_is_left_alone() -> None:
    host, boot, _, pid, _ = docker_owner.own_name().split("/")
    assert not docker_owner.is_dead(f"{host}/{boot}/another-namespace/{pid}/1")
    assert not docker_owner.is_dead(f"another-host/{boot}/1/{pid}/1")
    assert not docker_owner.is_dead("")
    assert not docker_owner.is_dead("a name from elsewhere")
