# Everything a newcomer needs: `make run` and `make test` do all the set-up themselves.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help run test check fmt fault bench infra-check lock topology clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/local ## start everything on this machine, extract, and keep running until Ctrl-C
	@exec $(BIN)/smelt up

test: $(VENV)/dev ## lint, types and all tests
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/dev ## lint, types and unit tests only (seconds)
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not integration" tests/unit tests/contract $(ARGS)

fmt: $(VENV)/dev ## format the code and fix what can be fixed
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

RUNS ?= 200
SEED ?= 1
fault: $(VENV)/dev ## inject faults for long: make fault RUNS=1000 SEED=1 (writes docs/reliability.md)
	@$(BIN)/python -m tests.fault.harness --runs $(RUNS) --seed $(SEED) --write docs/reliability.md

PAGES ?=
bench: $(VENV)/bench ## compare with dlt and with the floor, on pages of the simulator or of a folder: make bench PAGES=DIR
	@$(BIN)/python -m bench $(if $(PAGES),--pages "$(PAGES)") --write docs/performance.md

infra-check: $(VENV)/dev ## check the Terraform code (needs terraform, and checkov for its part)
	@SMELT_REQUIRE_TERRAFORM=1 $(BIN)/pytest -q -n 2 --dist loadfile tests/infra

topology: $(VENV)/dev ## write what Terraform reads from shared/topology.py and services/ops/alerts.py
	@$(BIN)/python -m shared.topology > infra/terraform/topology.json
	@$(BIN)/python -m services.ops.alerts > infra/terraform/alerts.json

# One lock file for each extra, for every platform and Python from 3.11 on, with hashes and without index URLs. All agree
# with the one for development, which holds everything.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
EXTRAS := extractor transformer loader ops serving local bench
lock: $(VENV)/dev ## pin the dependencies anew (needs the network; UPGRADE=--upgrade for newer ones)
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra dev -o requirements/dev.txt
	@for extra in $(EXTRAS); do \
	  $(COMPILE) --constraint requirements/dev.txt pyproject.toml --extra $$extra -o requirements/$$extra.txt || exit 1; \
	done

clean: ## remove the environment (the data in .smelt stays)
	@rm -rf $(VENV)

# The environment. A stamp a lock file: nothing is fetched again until that file changes, so both work offline.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "smelt: needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "smelt: this Python cannot make virtual environments (Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/local $(VENV)/dev $(VENV)/bench: $(VENV)/%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing (once): requirements/$*.txt"
	@$(PIP) install --require-hashes -r requirements/$*.txt
	@$(PIP) install --no-deps -e .
	@touch $@
