"""What all tests share."""

from __future__ import annotations

from hypothesis import settings


# No test asserts a time: a busy machine must not make a property fail.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
