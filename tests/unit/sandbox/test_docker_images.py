from __future__ import annotations

import pytest

from pytest_swegym.errors import EnvironmentBuildError
from pytest_swegym.sandbox import docker_images
from pytest_swegym.sandbox.docker_images import Python
from pytest_swegym.sandbox.docker_images import candidates
from pytest_swegym.sandbox.docker_images import parse_pythons


TEMPLATE = docker_images.TEMPLATE


@pytest.mark.parametrize(
    ("request_", "local", "expected"),
    [
        ("3.11", [], ["python:3.11-slim"]),
        ("3.11.4", [], ["python:3.11.4-slim"]),
        (">=3.11,<3.13", [], ["python:3.12-slim", "python:3.11-slim"]),
        (">=3.11,<3.13", ["python:3.11-slim", "debian:12"], ["python:3.11-slim", "python:3.12-slim"]),
        ("~=3.9.5", [], ["python:3.9-slim"]),
        ("<3.6", [], []),
    ],
)
def test_images_for_a_python(request_: str, local: list[str], expected: list[str]) -> None:
    assert candidates(TEMPLATE, request_, local) == expected


def test_any_python_is_one_that_is_here_else_the_newest() -> None:
    assert candidates(TEMPLATE, None, ["python:3.10-slim"])[0] == "python:3.10-slim"
    assert candidates(TEMPLATE, None, [])[0] == "python:3.14-slim"


def test_a_template_without_a_version_is_the_image() -> None:
    assert candidates("base:12", ">=3.9", []) == ["base:12"]


def test_a_range_that_is_none_is_named() -> None:
    with pytest.raises(EnvironmentBuildError, match="latest please"):
        candidates(TEMPLATE, "latest please", [])


def test_pythons_are_read_from_what_an_image_says() -> None:
    output = "3.11.2 /usr/bin/python3\n2.7.18 /usr/bin/python\nTraceback (most recent)\n3.12.1 /opt/my py/bin/python\n"
    assert parse_pythons(output) == [
        Python(path="/usr/bin/python3", version="3.11.2"),
        Python(path="/opt/my py/bin/python", version="3.12.1"),
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("python", ("python", "latest")),
        ("python:3.11-slim", ("python", "3.11-slim")),
        ("registry.example:5000/team/python", ("registry.example:5000/team/python", "latest")),
        ("registry.example:5000/team/python:3", ("registry.example:5000/team/python", "3")),
        ("python@sha256:00", ("python@sha256:00", None)),
    ],
)
def test_names_and_tags(image: str, expected: tuple[str, str | None]) -> None:
    assert docker_images.split_name(image) == expected


def test_progress_of_a_pull_tells_sizes_and_stops_at_a_refusal() -> None:
    events = [
        {"id": "a", "status": "Downloading", "progressDetail": {"current": 2**20, "total": 4 * 2**20}},
        {"id": "b", "status": "Already exists", "progressDetail": {}},
        {"error": "manifest unknown"},
    ]
    lines = docker_images.progress(events, every=0.0)
    assert [next(lines), next(lines)] == ["1 of 4 MiB, 0 layers done", "1 of 4 MiB, 1 layers done"]
    with pytest.raises(EnvironmentBuildError, match="manifest unknown"):
        next(lines)
