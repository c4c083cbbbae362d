"""A shop's arithmetic."""

from __future__ import annotations


def total(prices, discount=0):
    """The sum of the prices, less a discount in percent."""
    return sum(prices) * (100 + discount) / 100


def initials(name):
    """``"Ada Lovelace"`` gives ``"AL"``."""
    return "".join(word[0] for word in name.split(" "))
