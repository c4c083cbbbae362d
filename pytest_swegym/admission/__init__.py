"""How many attempts the machine bears: memory, cores and disk decide, not a limit that nobody reaches."""

from __future__ import annotations

from pytest_swegym.admission.admission import Admission
from pytest_swegym.admission.machine import Machine
from pytest_swegym.admission.machine import Probe
from pytest_swegym.admission.machine import Reading
from pytest_swegym.admission.machine import Room
from pytest_swegym.admission.turns import Turns


__all__ = ["Admission", "Machine", "Probe", "Reading", "Room", "Turns"]
