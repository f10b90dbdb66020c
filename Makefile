# Everything runs from a bare clone: python3 with venv, and make.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# Names and versions; it binds the build tools too.
export PIP_CONSTRAINT := $(CURDIR)/.ci/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without compiled files every start would cost three times as much.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo sync test statistics test-long readers destinations dashboards check reference screenshot bench format dist clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(VENV)/product ## Install the product into .venv

demo: $(VENV)/product ## Sync invented results, show the main views, write a report
	@$(BIN)/cekura-sync demo

sync: $(VENV)/product ## Sync your own results: CEKURA_API_KEY=… make sync
	@$(BIN)/cekura-sync sync

test: $(VENV)/developer ## Run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

test-long: $(VENV)/destinations $(VENV)/superset/made $(VENV)/evidence/made ## Run the tests with every rare case, long stories and a kill at every point: hours
	CEKURA_TEST_LONG=1 CEKURA_TEST_EXAMPLES=200 CEKURA_TEST_STEPS=30 CEKURA_TEST_KILLS=all CEKURA_TEST_CYCLES=100 \
		$(BIN)/python -m pytest -n auto --dist worksteal

readers: $(VENV)/readers/made ## Install the DuckDB drivers of BI tools, for the tests that read with them

destinations: $(VENV)/destinations $(VENV)/sail/made $(VENV)/ducklake/made ## Install the engines and tools for the tests of destinations

dashboards: $(VENV)/superset/made $(VENV)/evidence/made ## Install Superset and Evidence, for the long tests of ready dashboards

check: $(VENV)/developer ## Check style, types and import rules; edits nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

statistics: $(VENV)/developer ## Measure how often the verdicts are wrong, on invented accounts; prints the table of docs/statistics.md
	PYTHONPATH=tests $(BIN)/python -m support.error_rates

reference: $(VENV)/developer ## Write docs/reference.md and the answers in README and docs/ from the program
	PYTHONPATH=tests $(BIN)/python -m support.reference
	PYTHONPATH=tests $(BIN)/python -m support.answers

screenshot: $(VENV)/developer ## Draw docs/report.png with Chromium
	PYTHONPATH=tests $(BIN)/python -m support.screenshot

bench: $(VENV)/developer ## Measure speed and memory against the baselines in tests/bench
	$(BIN)/python tests/bench/run.py

format: $(VENV)/developer ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: $(VENV)/product ## Build the wheel and the sdist, and check both
	$(BIN)/python -m pip install --quiet build twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean: ## Remove generated files, except warehouses
	rm -rf $(VENV) dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache demo.duckdb demo.duckdb.d demo.html

$(VENV)/product: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[report]'
	@touch $@

$(VENV)/developer: $(VENV)/product
	$(BIN)/python -m pip install --quiet --editable '.[dev,report]'
	@touch $@

$(VENV)/destinations: $(VENV)/developer
	$(BIN)/python -m pip install --quiet --editable '.[destinations,dev,report]'
	@touch $@

# A distributed engine that speaks Spark's words, and DuckLake, which needs another DuckDB: in environments of their own.
$(VENV)/sail/made $(VENV)/ducklake/made: $(VENV)/%/made: .ci/%.txt
	$(PYTHON) -m venv $(@D)
	env -u PIP_CONSTRAINT $(@D)/bin/python -m pip install --quiet --requirement $<
	@touch $@

# It wants other versions of what we use, too.
$(VENV)/superset/made: .ci/superset.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	env -u PIP_CONSTRAINT $(@D)/bin/python -m pip install --quiet --requirement .ci/superset.txt
	@touch $@

# From npm, in the versions that the project names.
$(VENV)/evidence/made: pipelines/cekura_sync/dashboards/evidence_project/package.json
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && npm install --no-audit --no-fund
	@touch $@

# Each line of the list is an environment of its own, named for the DuckDB in it; our own constraints say nothing about those.
$(VENV)/readers/made: .ci/readers.txt
	rm -rf $(@D)
	@grep '^duckdb==' $< | while read -r duckdb others; do \
		home=$(@D)/$${duckdb#duckdb==} && echo "$$home" && $(PYTHON) -m venv $$home && \
		env -u PIP_CONSTRAINT $$home/bin/python -m pip install --quiet $$duckdb $$others </dev/null || exit 1; \
	done
	@touch $@
