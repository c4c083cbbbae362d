from __future__ import annotations

import unittest

import shop


class TestTotal(unittest.TestCase):
    def test_without_discount(self):
        assert shop.total([1, 2]) == 3


class TestInitials(unittest.TestCase):
    def test_two_words(self):
        assert shop.initials("Ada Lovelace") == "AL"
