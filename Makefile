# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests wait more than they compute: for servers, for processes, for what is to be over.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 1))')
# A process that has no tests left takes some of another's: else the last ones wait for one.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
MUTANTS ?= 300
SEED ?= 1
SEEDS ?= 100000

.PHONY: help demo origin docs docs-serve test test-slow test-long page-test test-requests torture fuzz simulate mutants bench check dist try-dist format schemas clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## install, start a small origin that misbehaves, fetch the quickstart manifest from it, show the report
	@$(BIN)/python -m examples.demo

origin: $(STAMP)  ## the origin that the manifests in examples/ fetch from, on http://127.0.0.1:8000, until Ctrl-C
	@$(BIN)/python -m tests.origin --port 8000

docs: $(STAMP)  ## build the documentation's site into site/, strictly
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

docs-serve: $(STAMP)  ## show the documentation's site while it is written
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@$(BIN)/python -m mkdocs serve

test: $(STAMP)  ## the tests, in parallel, but for some slow ones; says which it left out for want of a server
	@$(PYTEST) -m "not slow"

test-slow: $(STAMP)  ## the others: clusters, object stores, long lists, a browser, kills and power cuts; .ci/run has both
	@$(PYTEST) -m slow

test-long: $(STAMP)  ## all tests with every row of the long matrices, of which `make test` tries some; about a quarter of an hour
	@MARSCORE_LONG=1 $(PYTEST)

page-test: $(STAMP)  ## the tests of a run's page in a browser (apt-get install chromium); .ci/run has them among all tests
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[page]'
	@$(PYTEST) tests/browser

test-requests: $(STAMP)  ## the integration tests with requests in the place of libcurl
	@MARSCORE_LANE=requests $(PYTEST) tests/integration

bench: $(STAMP)  ## run marscore beside its peers on one nginx (BENCH=--quick: a minute), write bench/results
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BIN)/python -m bench $(BENCH)
	@$(BIN)/python -m bench.scale $(if $(BENCH),--counts 1000 --results bench/results/quick)

fuzz: $(STAMP)  ## try the parsers with many random inputs; about five minutes
	@FUZZ_EXAMPLES=10000 $(PYTEST) tests/fuzz

simulate: $(STAMP)  ## play SEEDS=100000 seeds of the simulation from SEED=1 on (tests/simulation/README.md); about twenty minutes a core
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --from $(SEED)

torture: $(STAMP)  ## kill -9, mixed files, then the machine's faults: stops, locks, full disks, limits, signals, journals; about an hour
	@MARSCORE_LONG=1 $(BIN)/python -m tests.torture $(TORTURE)

mutants: $(STAMP)  ## change the code in MUTANTS=300 small ways, or MUTANTS=all, drawn by SEED=1: which does no test notice? Half an hour
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutants]'
	@$(BIN)/python -m tests.mutants $(MUTANTS) $(SEED)

check: $(STAMP)  ## format, lint, types, import contract, schemas fresh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas --check

dist: $(STAMP)  ## build wheel and sdist into dist/, and look at what is in them
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/python -m twine --no-color check --strict dist/*
	@$(BIN)/python -m tests.release look dist

try-dist: dist  ## install that wheel in a bare environment of each Python that is here, with and without libcurl, and fetch with it; are there wheels for musl of all that it needs? MUSL_PYTHON=… names one on musl
	@$(BIN)/python -m tests.release try dist

format: $(STAMP)  ## format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(STAMP)  ## write the JSON Schemas anew from the models
	$(BIN)/python -m schemas

clean:  ## remove what the other targets made
	rm -rf $(VENV) dist bench/.cache demo-output site .mypy_cache .ruff_cache .hypothesis .import_linter_cache mutants
