# Everything runs from a bare clone: python3 with venv, and make.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# Names and versions; it binds the build tools too.
export PIP_CONSTRAINT := $(CURDIR)/.ci/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without compiled files every start would cost three times as much.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo sync test check bench format clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

install: $(VENV)/product ## Install the product into .venv

demo: $(VENV)/product ## Sync invented results from an embedded stand-in API and show the main views
	@$(BIN)/cekura-sync demo

sync: $(VENV)/product ## Sync your own results: CEKURA_API_KEY=… make sync
	@$(BIN)/cekura-sync sync

test: $(VENV)/developer ## Run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/developer ## What CI runs besides the tests; edits nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/developer ## Measure speed and memory against the baselines in tests/bench
	$(BIN)/python tests/bench/run.py

format: $(VENV)/developer ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was made, except warehouses
	rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache demo.duckdb demo.duckdb.d demo-changes.csv

$(VENV)/product: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/developer: $(VENV)/product
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
