from __future__ import annotations

import pytest

from pytest_swegym.grading.tables import with_tables_of


BASE = '[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "-q"\n'


def test_other_settings_are_kept() -> None:
    patched = BASE.replace('"x"', '"y"').replace('"-q"', '"-k nothing"') + "\n[tool.ruff]\nline-length = 1\n"
    merged = with_tables_of(BASE, patched)
    assert merged is not None
    assert '"y"' in merged
    assert 'addopts = "-q"' in merged
    assert "nothing" not in merged
    assert "line-length = 1" in merged


def test_untouched_tables_leave_the_file_as_it_is() -> None:
    patched = "# a comment\n" + BASE.replace('"x"', '"y"')
    assert with_tables_of(BASE, patched) == patched


def test_added_tables_go() -> None:
    merged = with_tables_of('[project]\nname = "x"\n', BASE + "[tool.coverage.run]\nbranch = true\n")
    assert merged is not None
    assert "pytest" not in merged
    assert "coverage" not in merged


def test_deleted_tables_come_back() -> None:
    merged = with_tables_of(BASE, '[project]\nname = "x"\n')
    assert merged is not None
    assert 'addopts = "-q"' in merged


@pytest.mark.parametrize(
    "patched",
    [
        None,
        "not toml [",
        'tool.pytest.ini_options.addopts = "-k nothing"\n',
        '[tool]\npytest.ini_options.addopts = "-k nothing"\n',
        'tool = "x"\n',
        'text = """\n[tool.pytest.ini_options]\n"""\n[tool.pytest.ini_options]\naddopts = "-k no"\n',
    ],
)
def test_what_is_not_understood_goes_back_whole(patched: str | None) -> None:
    assert with_tables_of(BASE, patched) is None
