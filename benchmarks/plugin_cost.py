"""What the installed plugin costs a suite that does not use it: time and memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Figure
from measure import figure
from measure import interleaved


SUITE = "import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_n(n):\n    assert n >= 0\n"
PROBE = (
    "import resource, sys, pytest\npytest.main(sys.argv[1:])\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def measure(runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_suite.py").write_text(SUITE)
        ways = {"without the plugin": ("-p", "no:swegym"), "with the plugin": ()}
        common = ("-q", "-p", "no:cacheprovider", "--rootdir", folder, folder)

        def pytest_run(*options: str) -> None:
            subprocess.run([sys.executable, "-m", "pytest", *options, *common], check=True, capture_output=True)

        times = interleaved({name: lambda o=o: pytest_run(*o) for name, o in ways.items()}, runs=runs)
        memory = {name: [_peak(*options, *common) for _ in range(5)] for name, options in ways.items()}
    figures = [Figure(f"ordinary suite, {name}", f.median, f.spread, f.runs) for name, f in times.items()]
    return figures + [figure(f"peak memory, {name}", values, "MiB") for name, values in memory.items()]


def _peak(*arguments: str) -> float:
    result = subprocess.run([sys.executable, "-c", PROBE, *arguments], check=True, capture_output=True, text=True)
    return int(result.stdout.split()[-1]) / 1024
