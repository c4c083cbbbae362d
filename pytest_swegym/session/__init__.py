"""An episode played step by step: what an action does, and what is seen of it."""

from __future__ import annotations

from pytest_swegym.session.actions import Action
from pytest_swegym.session.actions import Close
from pytest_swegym.session.actions import Command
from pytest_swegym.session.actions import Edit
from pytest_swegym.session.actions import Edits
from pytest_swegym.session.actions import Forfeit
from pytest_swegym.session.actions import Invalid
from pytest_swegym.session.actions import Patch
from pytest_swegym.session.actions import Start
from pytest_swegym.session.actions import Submit
from pytest_swegym.session.actions import ToolCall
from pytest_swegym.session.actions import WriteFile
from pytest_swegym.session.edits import apply_edits
from pytest_swegym.session.edits import edits_to_diff
from pytest_swegym.session.observation import Observation
from pytest_swegym.session.observation import Remaining
from pytest_swegym.session.observation import SessionLimits
from pytest_swegym.session.observation import Turn
from pytest_swegym.session.protocols import PROTOCOLS
from pytest_swegym.session.protocols import Protocol
from pytest_swegym.session.protocols import load_protocol
from pytest_swegym.session.recording import open_trajectory
from pytest_swegym.session.session import Moment
from pytest_swegym.session.session import Session
from pytest_swegym.session.session import StepReward


__all__ = [
    "PROTOCOLS",
    "Action",
    "Close",
    "Command",
    "Edit",
    "Edits",
    "Forfeit",
    "Invalid",
    "Moment",
    "Observation",
    "Patch",
    "Protocol",
    "Remaining",
    "Session",
    "SessionLimits",
    "Start",
    "StepReward",
    "Submit",
    "ToolCall",
    "Turn",
    "WriteFile",
    "apply_edits",
    "edits_to_diff",
    "load_protocol",
    "open_trajectory",
]
