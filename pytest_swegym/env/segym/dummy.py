"""The data set that needs no network and no package: three issues of a repository that is made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_swegym._support.keys import content_key
from pytest_swegym._support.paths import cache_dir
from pytest_swegym._support.paths import write_atomic
from pytest_swegym.task import Task


_FILES = {
    "words.py": '''\
"""Small things to do with words."""


def reverse(text):
    """The text, backwards."""


def count(text):
    """How many words are in the text."""
    return len(text.split(" "))


def initials(text):
    """The first letter of each word, as capitals."""
    return "".join(word[0] for word in text.split())
''',
    "tests/__init__.py": "",
    "tests/test_words.py": """\
import unittest

import words


class TestWords(unittest.TestCase):
    def test_count(self):
        self.assertEqual(words.count("one two"), 2)

    def test_initials(self):
        self.assertEqual(words.initials("Ada Lovelace"), "AL")
""",
}
_HEADER = "import unittest\n\nimport words\n\n\nclass TestHidden(unittest.TestCase):\n"
_ISSUES: tuple[dict[str, Any], ...] = (
    {
        "title": "reverse() does nothing",
        "problem_statement": "`words.reverse(text)` has no body yet. It should return the text backwards.",
        "tests": {
            "test_reverse": 'self.assertEqual(words.reverse("abc"), "cba")',
            "test_reverse_nothing": 'self.assertEqual(words.reverse(""), "")',
        },
        "change": ('    """The text, backwards."""\n', '    """The text, backwards."""\n    return text[::-1]\n'),
    },
    {
        "title": "count() counts blanks",
        "problem_statement": "`words.count('one  two')` is 3, and `words.count('')` is 1. Blanks are no words.",
        "tests": {
            "test_two_blanks": 'self.assertEqual(words.count("one  two"), 2)',
            "test_no_word": 'self.assertEqual(words.count(""), 0)',
        },
        "change": ('len(text.split(" "))', "len(text.split())"),
    },
    {
        "title": "initials() keeps small letters",
        "problem_statement": "`words.initials('ada lovelace')` is 'al'; it should be capitals, as its docstring says.",
        "tests": {"test_capitals": 'self.assertEqual(words.initials("ada lovelace"), "AL")'},
        "change": ('"".join(word[0] for', '"".join(word[0].upper() for'),
    },
)


def dummy_tasks() -> list[Task]:
    """The tasks; their repository is written into the cache folder."""
    repository = _repository()
    return [_task(number, issue, repository) for number, issue in enumerate(_ISSUES, 1)]


def _repository() -> Path:
    folder = cache_dir("dummy", content_key("dummy", _FILES)[:16])
    for name, text in _FILES.items():
        if not (folder / name).is_file():
            write_atomic(folder / name, text)
    return folder


def _task(number: int, issue: dict[str, Any], repository: Path) -> Task:
    tests = "\n\n".join(f"    def {name}(self):\n        {line}" for name, line in issue["tests"].items())
    return Task.from_dict(
        {
            "instance_id": f"dummy-{number}",
            "repo": str(repository),
            "runner": "unittest",
            "title": issue["title"],
            "problem_statement": issue["problem_statement"],
            "test_files": {"tests/test_hidden.py": f"{_HEADER}{tests}\n"},
            "patch": _diff(*issue["change"]),
            "fail_to_pass": [f"tests.test_hidden.TestHidden.{name}" for name in issue["tests"]],
            "pass_to_pass": ["tests.test_words.TestWords.test_count", "tests.test_words.TestWords.test_initials"],
            "timeout": 60,
        }
    )


def _diff(old: str, new: str) -> str:
    from difflib import unified_diff

    before = _FILES["words.py"]
    after = before.replace(old, new)
    lines = unified_diff(before.splitlines(True), after.splitlines(True), "a/words.py", "b/words.py")
    return "diff --git a/words.py b/words.py\n" + "".join(lines)
