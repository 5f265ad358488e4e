# Two commands matter to a new user: make demo and make test. Both prepare everything they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= local,emulator,report,databricks,mlflow,topics,docs,dev
PYTEST ?= $(BIN)/python -m pytest
STAMP := $(VENV)/.installed
VENV_HF := .venv-hf
STAMP_HF := $(VENV_HF)/.installed

# The first interpreter that is new enough; a version manager's shim that only prints an error does not count.
FIND_PYTHON = for candidate in $(PYTHON) python3.12 python3.11 python3.13 python3; do \
	if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then echo "$$candidate"; exit 0; fi; done; \
	echo "finelake needs Python 3.11 to 3.13 on the PATH; name one with make PYTHON=/path/to/python3.12 ..." >&2; exit 1

.PHONY: help venv java demo test test-pure test-spark test-http test-hf test-cluster matrix docs lint format pins clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

venv: $(STAMP) ## Create .venv and install finelake with everything for local work

$(STAMP): setup.py pyproject.toml scripts/make_venv.py
	@python="$$($(FIND_PYTHON))"; "$$python" scripts/make_venv.py --folder $(VENV) --extras $(EXTRAS)
	@touch $@

java: $(STAMP) ## Find Java 17 or 21, or install it where that needs no question
	@$(BIN)/python src/finelake/java.py --ensure

demo: java ## Run the whole job on the shipped sample, with a local service
	@$(BIN)/finelake demo

test: java ## Run every test, the Spark tests in classic and in Connect mode
	$(BIN)/python scripts/run_tests.py

test-pure: $(STAMP) ## Run the tests that need neither Java nor Spark
	$(PYTEST) tests/pure

test-spark: java ## Run the Spark tests in both modes
	FINELAKE_TEST_SESSION=classic $(PYTEST) tests/spark
	FINELAKE_TEST_SESSION=connect $(PYTEST) tests/spark

test-http: java ## Run the tests against the local service as a real process
	$(PYTEST) tests/http

$(STAMP_HF): setup.py pyproject.toml scripts/make_venv.py
	@python="$$($(FIND_PYTHON))"; "$$python" scripts/make_venv.py --folder $(VENV_HF) --extras $(EXTRAS),hf,qlora
	@touch $@

test-hf: java $(STAMP_HF) ## Run the tests of the Hugging Face route in .venv-hf (about 6 GB)
	FINELAKE_TEST_SESSION=classic $(VENV_HF)/bin/python -m pytest tests/hf

test-cluster: java ## Run the curation on a standalone cluster from the wheel, with a worker killed
	$(PYTEST) tests/cluster

matrix: java ## Run the core tests on Spark 4.0, 4.1 and 4.2 (about 3 GB; MATRIX='--lines 4.2 --tests all' for more)
	$(BIN)/python scripts/run_matrix.py $(MATRIX)

docs: $(STAMP) ## Build the pages of docs/ with their generated references into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pins: $(STAMP) ## Prove that installing finelake changes no package that a Databricks runtime pins
	$(BIN)/python scripts/check_runtime_pins.py

clean: ## Remove the environment, caches and the demo's files
	rm -rf $(VENV) $(VENV_HF) .matrix site build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .finelake spark-warehouse
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
