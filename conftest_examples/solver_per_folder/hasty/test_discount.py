from __future__ import annotations

import pytest


DISCOUNT_TEST = """
import unittest

import shop


class TestDiscount(unittest.TestCase):
    def test_discount(self):
        self.assertEqual(shop.total([100], discount=10), 90)
"""


@pytest.mark.swegym(
    repo="../../shop",
    instance_id="discount-hasty",
    runner="unittest",
    test_files={"tests/test_discount.py": DISCOUNT_TEST},
    fail_to_pass=["tests.test_discount.TestDiscount.test_discount"],
    pass_to_pass=["tests.test_shop.TestTotal.test_without_discount"],
)
def test_discount_lowers_the_total(swegym_result):
    """A discount raises the price.

    ``total([100], discount=10)`` is 110; it should be 90.
    """
    assert swegym_result.resolved
