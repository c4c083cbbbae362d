from __future__ import annotations

import pytest

from pytest_swegym.errors import ConfigError
from pytest_swegym.errors import LoadError
from pytest_swegym.sandbox import Backend
from pytest_swegym.sandbox import choose
from pytest_swegym.sandbox import make_backend
from pytest_swegym.sandbox.bubblewrap import BubblewrapBackend
from pytest_swegym.sandbox.registry import required


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'bubblewarp'; choose one of auto, bubblewrap, docker, podman, unsafe-host"):
        make_backend("bubblewarp")


def test_any_factory_by_name() -> None:
    found, why = choose("pytest_swegym.sandbox.bubblewrap:BubblewrapBackend", cgroups=False)
    assert isinstance(found, BubblewrapBackend)
    assert why == "asked for"


def test_a_factory_that_is_not_there() -> None:
    with pytest.raises(LoadError, match="no_such_module"):
        make_backend("no_such_module:Backend")


def test_auto_says_why() -> None:
    found, why = choose("auto")
    assert isinstance(found, Backend)
    assert why.startswith("auto: ")
    assert (found.name == "bubblewrap") == (BubblewrapBackend().available() is None)


def test_required_backends_are_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEGYM_REQUIRE", "bubblewrap, docker")
    assert required("docker")
    assert not required("podman")
    monkeypatch.delenv("SWEGYM_REQUIRE")
    assert not required("docker")


def test_the_host_mode_shouts() -> None:
    with pytest.warns(UserWarning, match="NO isolation"):
        backend = make_backend("unsafe-host")
    assert "NO ISOLATION" in backend.describe()
