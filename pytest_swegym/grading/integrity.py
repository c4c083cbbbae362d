"""Whether a run can be believed: its witnesses compared with each other, and with the run before the patch."""

from __future__ import annotations

import re
from collections.abc import Collection

from pytest_swegym.grading.headers import patch_paths
from pytest_swegym.grading.junit import read_witness
from pytest_swegym.grading.junit import witness_key
from pytest_swegym.grading.run import Run
from pytest_swegym.task import F2P_OK
from pytest_swegym.task import Outcome


#: Stands for every witness that needs an orderly session.
UNORDERLY = "the session did not end by itself"
#: Outcomes that make a session end with 1.
BAD = frozenset({Outcome.FAILED, Outcome.ERROR})


def proofs(run: Run) -> list[str]:
    """What is never honest, whatever the repository is like."""
    found = []
    if run.fault:
        found.append(f"the result channel: {run.fault}")
    if run.seen.status not in (None, 0) and run.exit_code == 0:
        found.append(f"the process ended with 0, its session with {run.seen.status}")
    return found


def suspicions(run: Run) -> list[str]:
    """What an odd but honest repository may do as well; weighed against :attr:`Baseline.quirks`."""
    found = list(run.seen.bent)
    found += [f"'{test}' was told twice, with different outcomes" for test in run.seen.contradicted]
    if not run.orderly:
        return found
    if run.seen.status == 0 and any(test.outcome in BAD for test in run.seen.tests.values()):
        found.append("the session ended with 0 although tests failed")
    found += run.canaries.wrong({name: test.outcome for name, test in run.seen.tests.items()})
    return found + _xml_against_events(run)


def _xml_against_events(run: Run) -> list[str]:
    """The XML that the test process wrote must tell of the same failures; names may differ, if honestly changed."""
    if not run.seen.runner.startswith("pytest"):  # the others write none
        return []
    witness = read_witness(run.seen.xml)
    if witness is None:
        return ["the test process left no readable XML"]
    tests, node_ids = run.seen.tests, run.seen.node_ids
    good = {witness_key(node_ids[name]) for name, test in tests.items() if test.outcome in F2P_OK}
    bad = {witness_key(node_ids[name]) for name, test in tests.items() if test.outcome in BAD}
    found = []
    if witness.bad & (good - bad):
        found.append("the XML of the test process has failures where the events have none")
    if bad & (witness.named - witness.bad):
        found.append("the XML of the test process has no failure where the events have one")
    if (good | bad) - witness.named:
        found.append("the XML of the test process lacks tests that the events have")
    return found


def late_hooks(run: Run, workdir: str, own: Collection[str], gold: str = "") -> list[str]:
    """Hook implementations that came after the environment's plugins, from files in ``own`` or from nowhere.

    A repository's own ``conftest.py``, as it is in the base, may well have some; so may files to which the ``gold``
    patch itself adds that hook.
    """
    brought = patch_paths(gold)
    found = []
    for hook, name, file in run.seen.hooks:
        inside = file[len(workdir) + 1 :] if file.startswith(workdir + "/") else None
        excused = inside in brought and hook in gold
        if (inside is None or inside in own) and not excused:
            found.append(f"{name} became part of {hook}")
    return found + _reached(run, workdir, own, gold)


def _reached(run: Run, workdir: str, own: Collection[str], gold: str) -> list[str]:
    """What code of the files in ``own`` (of any file, if empty) reached for, unless ``gold`` has the same word."""
    found = []
    for what, file in run.seen.alarms:
        inside = file.removeprefix(workdir + "/")
        if own and inside != file and inside not in own:
            continue
        word = "__eq__" if " equal to " in what else re.split(r"[ ./]", what.removesuffix("()"))[-1]
        if word not in gold:
            found.append(f"{what}, by {inside or 'nobody'}")
    return found
