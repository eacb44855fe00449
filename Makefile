# The two commands: `make quickstart` and `make test`. Each makes its own virtual environment in .venv at first use.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# --no-compile: byte code is written at first import, for what is imported, instead of for everything; so it must be
# written, also where the surroundings (many container images) say it should not.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: quickstart test test-slow reliability check format clean

quickstart: $(VENV)/.run
	$(BIN)/softbridge run quickstart

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

# What docs/reliability.md counts, in half an hour. Ray, submitit and DeepSpeed are counted where they are installed.
reliability: $(VENV)/.test
	SOFTBRIDGE_FUZZ=1000 $(BIN)/python -m pytest -m "slow or not slow" --junitxml=build/reliability.xml tests/faults \
	  tests/parity/test_processes.py tests/parity/test_sharded.py \
	  tests/unit/test_assets.py tests/unit/test_finite.py tests/unit/test_keeping.py
	$(BIN)/python -m tests.faults.counts build/reliability.xml

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[test]'
	touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.run $(VENV)/.test

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
