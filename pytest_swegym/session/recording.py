"""Where the steps of an episode are written down."""

from __future__ import annotations

from typing import Any

from pytest_swegym.session.protocols.base import Protocol
from pytest_swegym.trajectory import TRAJECTORY
from pytest_swegym.trajectory import TrajectoryWriter
from pytest_swegym.workspace import Occasion


def open_trajectory(
    occasion: Occasion, protocol: Protocol, name: str, *, before: TrajectoryWriter | None = None
) -> TrajectoryWriter | None:
    """The trajectory of an attempt whose player speaks the protocol called ``name``; ``None`` if it has no folder.

    With ``before`` it goes on from what that one holds.
    """
    if occasion.folder is None:
        return None
    header: dict[str, Any] = {**occasion.named, "protocol": name}
    if occasion.tools is not None:
        header["tools"] = [folder.name for folder in occasion.tools.folders]
        header["tools_key"] = occasion.tools.key
    if protocol.schemas():
        header["schemas"] = protocol.schemas()
    path = occasion.folder / TRAJECTORY
    if before is not None:
        return before.fork(path, header)
    return TrajectoryWriter(path, header, listener=occasion.on_event)
