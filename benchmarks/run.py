"""Every figure of the product: ``make bench``, or ``python benchmarks/run.py [--parts NAME,NAME] [--out DIR]``.

With ``--out`` each part's figures are written there as JSON; ``benchmarks/figures`` is where tables and charts of the
documentation are made from (``benchmarks/tables.py``, ``benchmarks/charts.py``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from parts import PARTS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(part.name for part in PARTS), help="some of: %(default)s")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="write the figures of each part there")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    unknown = set(wanted) - {part.name for part in PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in (each for each in PARTS if each.name in wanted):
        print(f"\n== {part.title}: {part.command}", flush=True)
        out = [] if options.out is None else ["--out", str(options.out / f"{part.name}.json")]
        begun = time.monotonic()
        if subprocess.run([sys.executable, str(part.path), *part.arguments, *out]).returncode != 0:
            failed.append(part.name)
        print(f"({time.monotonic() - begun:.0f} s)", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
