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

    def __init__(self, names: list[str]) -> None:
        self.sandbox = Sandbox(names)


PYTHON = ["t/__pycache__/test_h.cpython-312.pyc", "t/__pycache__/test_h.cpython-312.opt-1.pyc"]
PYTEST = ["t/__pycache__/test_h.cpython-312-pytest-8.4.0.dev1+g12.pyc", "t/__pycache__/test_h.cpython-36-PYTEST.pyc"]


def kept(*names: str) -> list[str]:
    workspace = Workspace([*PYTHON, *PYTEST, *names])
    _gathered(workspace, {"t/test_h.py"})  # type: ignore[arg-type]
    return workspace.sandbox.packed


def test_what_python_and_pytest_compiled_of_the_hidden_tests() -> None:
    odd = ["t/__pycache__/test_h.cpython-312.opt-checked4.pyc", "t/test_h.cpython-312.pyc"]
    others = ["a/m.py", "a/__pycache__/m.cpython-312.pyc", "x/__pycache__/test_h.cpython-312.pyc"]
    assert kept("t/test_h.py", *odd, *others) == [f"./{name}" for name in (*PYTHON, *PYTEST, "t/test_h.py")]


def test_a_pytest_that_is_under_test_compiles_its_tests_itself() -> None:
    assert kept("src/_pytest/assertion/rewrite.py") == [f"./{name}" for name in PYTHON]
