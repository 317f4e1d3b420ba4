# make demo       learn a camera, synthesise pairs, train, compare (about four minutes on two cores)
# make test       format, lint, types, and the tests that are not slow
# make test-all   the same with the slow tests
# make coverage   the tests that are not slow, and how much of the package they run
# make matrix     make test with the oldest and newest Python and torch that are here
# make docs       the documentation site, in docs/_build/html; a warning is an error
# make lint | format | clean
#
# Every target makes its own environment in .venv first. Choices, each on the command line:
#   PYTHON=python3.12      the Python to use (3.10 to 3.13)
#   TORCH=torch==2.13.0    the torch to install; default: what .ci/choose_torch.py says
#   JOBS=4                 test processes
#   MATRIX=--plan          only say what make matrix would run

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
OUT ?= demo_output
BIN := $(VENV)/bin
SOURCES := $(wildcard realdeg cameras tests projects tools configs benchmarks docs .ci setup.py)

# One thread for each test process: two processes with all threads each are slower than one.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

.PHONY: demo test test-all coverage matrix docs lint format clean FORCE
.DEFAULT_GOAL := test

demo: $(VENV)/.ready
	$(BIN)/realdeg demo --out $(OUT)

test: lint
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.ready-all lint
	$(PYTEST)

# The least share is in setup.cfg ([coverage:report]).
coverage: $(VENV)/.ready-dev
	$(PYTEST) -m "not slow" --cov=realdeg --cov-report=term:skip-covered --cov-report=xml

matrix:
	$(PYTHON) .ci/matrix.py $(MATRIX)

docs: $(VENV)/.ready-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -q -E -W --keep-going -b html docs docs/_build/html
	@echo "wrote docs/_build/html/index.html"

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy realdeg $(dir $(wildcard projects/*/*/__init__.py))

format: $(VENV)/.ready-dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean:
	rm -rf $(VENV) .venv-* build dist docs/_build docs/tutorials docs/reference *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage coverage.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv/torch.txt holds the requirement that torch was installed from. Giving another TORCH
# changes the file, and so installs again; giving none keeps what is there.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	  found=$$($(PYTHON) --version 2>/dev/null || echo missing); \
	  echo "realdeg needs Python 3.10, 3.11, 3.12 or 3.13, and $(PYTHON) is $$found." \
	       "Name one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

ifdef TORCH
$(VENV)/torch.txt: FORCE | $(VENV)/bin/python
	@echo '$(TORCH)' | cmp -s - $@ || echo '$(TORCH)' > $@
else
$(VENV)/torch.txt: | $(VENV)/bin/python
	@$(BIN)/python .ci/choose_torch.py > $@.part && mv $@.part $@
endif

$(VENV)/.ready: setup.cfg setup.py pyproject.toml $(VENV)/torch.txt | $(VENV)/bin/python
	@echo "Installing $$(cat $(VENV)/torch.txt) and the other dependencies into $(VENV)"
	$(BIN)/python -m pip install "$$(cat $(VENV)/torch.txt)" --editable .
	@touch $@

$(VENV)/.ready-docs: setup.cfg setup.py pyproject.toml | $(VENV)/.ready
	$(BIN)/python -m pip install "$$(cat $(VENV)/torch.txt)" --editable ".[docs]"
	@touch $@

$(VENV)/.ready-dev: setup.cfg setup.py pyproject.toml $(VENV)/torch.txt | $(VENV)/bin/python
	@echo "Installing $$(cat $(VENV)/torch.txt) and the other dependencies into $(VENV)"
	$(BIN)/python -m pip install "$$(cat $(VENV)/torch.txt)" --editable ".[dev]"
	@# yapf, which mmengine imports, writes a cache at its first import; two test processes that start
	@# at once would find half of it.
	$(BIN)/python -c "import mmengine"
	@touch $@ $(VENV)/.ready

# What only slow tests need, and takes long to install.
$(VENV)/.ready-all: setup.cfg setup.py pyproject.toml | $(VENV)/.ready-dev
	$(BIN)/python -m pip install "$$(cat $(VENV)/torch.txt)" --editable ".[dev,ray]"
	@touch $@
