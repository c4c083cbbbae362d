"""What of all that is compiled is kept for other runs."""

from __future__ import annotations

from pytest_swegym.grading.compiled import _gathered
from pytest_swegym.sandbox.base import ExecResult


class Sandbox:
    """Finds ``names``, and remembers what it is to pack."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.packed = names, list[str]()

    def exec(self, argv: tuple[str, ...], stdin: bytes = b"", **_: object) -> ExecResult:
        if argv[0] == "find":
            return ExecResult(exit_code=0, stdout="".join(f"./{name}\n" for name in self.names).encode(), stderr=b"")
        self.packed = stdin.decode().split()
        return ExecResult(exit_code=0, stdout=b"archive", stderr=b"")


class Workspace:
    path = "/testbed"

    def __init__(self, names: list[str], base: list[str]) -> None:
        self.sandbox, self._base = Sandbox(names), base

    def base_files(self) -> list[str]:
        return self._base


PYTHON = ["a/__pycache__/m.cpython-312.pyc", "__pycache__/top.cpython-312.opt-1.pyc"]
PYTEST = ["t/__pycache__/test_m.cpython-312-pytest-8.4.0.dev1+g12.pyc", "t/__pycache__/test_m.cpython-36-PYTEST.pyc"]
BASE = ["a/m.py", "top.py", "t/test_m.py"]


def kept(*names: str, base: tuple[str, ...] = ()) -> list[str]:
    workspace = Workspace([*PYTHON, *PYTEST, *names], [*BASE, *base])
    _gathered(workspace, {"t/test_h.py"}, {"t/test_h.py"})  # type: ignore[arg-type]
    return workspace.sandbox.packed


def test_what_python_and_pytest_compiled() -> None:
    hidden = ["t/test_h.py", "t/__pycache__/test_h.cpython-312.pyc"]
    others = ["a/m.py", "x/__pycache__/m.cpython-312.pyc", "a/__pycache__/m.cpython-312.opt-checked4.pyc"]
    assert kept(*hidden, *others) == [f"./{name}" for name in (*PYTHON, *PYTEST, *hidden)]


def test_a_pytest_that_is_under_test_compiles_its_tests_itself() -> None:
    assert kept(base=("src/_pytest/assertion/rewrite.py",)) == [f"./{name}" for name in PYTHON]
