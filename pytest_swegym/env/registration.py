"""The ids under which gymnasium knows the environments."""

from __future__ import annotations

from typing import Any


#: Ids, and the options that make each what its name says.
IDS: dict[str, dict[str, Any]] = {
    "SWEGym-v0": {},
    "SWEGymCurriculum-v0": {"tasks": "curriculum"},
    "SWEGymLite-v0": {"tasks": "lite"},
    "SWEGymVerified-v0": {"tasks": "verified"},
}


def register() -> None:
    """Make the ids known. Twice is fine; gymnasium itself calls it, through the entry point of this package."""
    from gymnasium.envs import registration

    for name, options in IDS.items():
        if name not in registration.registry:
            registration.register(
                name,
                entry_point="pytest_swegym.env.swegym:SWEGymEnv",
                vector_entry_point="pytest_swegym.env.vector:ThreadVectorEnv",
                kwargs=options,
                order_enforce=False,  # it does so itself
                # A reset that raises would leave gymnasium's checker at odds with every later step.
                disable_env_checker=True,
            )
