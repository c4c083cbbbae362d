# demo   solve and grade the tasks of task_specs: first with the known fixes, then with a written solver
# test   everything that has to pass: lint, types, tests
# lint   style and types alone
# crosscheck  our reading of logs against swebench itself, in a virtualenv of its own
# bench  every figure of the product, and beside it what others take for the same
# figures  the same, and the tables and charts of docs made from it
# clean  remove what these made
PYTHON ?= python3
PYTEST_ARGS ?= -n 2
# Dependency groups of pyproject.toml; CI adds what few users want.
GROUPS ?= dev
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RECORDS := .swegym/demo
SOLVER := conftest_examples/written_solver/solver.py:solve

.PHONY: demo test lint crosscheck bench figures clean venv

demo: venv
	rm -rf $(RECORDS)
	$(BIN)/python -m pytest task_specs --swegym-solver=gold --swegym-jobs=2 --swegym-output=$(RECORDS)/gold
	$(BIN)/python -m pytest task_specs -k itsdangerous --swegym-solver=$(SOLVER) --swegym-output=$(RECORDS)/written
	@echo "Records of both runs: $(abspath $(RECORDS))"

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

crosscheck: venv
	SWEGYM_REQUIRE=swebench $(BIN)/python -m pytest -rs --durations=5 tests/acceptance/crosscheck tests/acceptance/test_parity.py

bench: venv
	$(BIN)/python benchmarks/run.py

figures: venv
	$(BIN)/python benchmarks/run.py --out benchmarks/figures
	$(BIN)/python -m pip install --quiet --group charts
	$(BIN)/python benchmarks/charts.py
	$(BIN)/python benchmarks/tables.py

clean:
	rm -rf $(VENV) .swegym swegym-results build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

venv: $(INSTALLED)

# Dependency groups need pip 25.1; a fresh virtualenv may bring an older one.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "venv is missing: install python3-venv (Debian, Ubuntu)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . $(addprefix --group ,$(GROUPS))
	touch $@
