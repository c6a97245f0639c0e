# Everything a newcomer needs: `make run` and `make test` do all the set-up themselves.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help run test lint pytest test-all check unit metrics fmt fault bench infra-check compose-smoke lock reference topology clean workflows security sbom fragment dist notes release

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/local ## start everything on this machine, extract, and keep running until Ctrl-C
	@exec $(BIN)/smelt up

# Three workers for two cores, since tests wait for much. In the order of collection, which has the slow ones first.
XDIST := -n 3 --dist loadgroup --no-loadscope-reorder

# TESTS and ARGS choose: make test TESTS=tests/integration/test_loader.py ARGS=-x
TESTS ?= tests
test: lint pytest ## lint, types, layers and all tests but the nightly ones (TESTS=tests/e2e for a part)

lint: $(VENV)/dev ## format, lint, types and layers
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

pytest: $(VENV)/dev
	@$(BIN)/pytest $(XDIST) -m "not nightly" $(TESTS) $(ARGS)

test-all: lint $(VENV)/contracts/installed ## the same with the tests that take too long for every change
	@$(BIN)/pytest $(XDIST) $(ARGS)

check: ## lint, types, layers and unit tests, at the same time (under a minute)
	@$(MAKE) --no-print-directory -j2 lint unit

unit: $(VENV)/dev
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/unit $(ARGS)

metrics: $(VENV)/dev ## what the code looks like in numbers: sizes, docstrings, names
	@$(BIN)/python .ci/metrics.py

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
	@SMELT_REQUIRE_TERRAFORM=1 $(BIN)/pytest -q $(XDIST) tests/infra

# SMELT_REQUIRE_COMPOSE=1 makes a failure of what is skipped loudly: that there is no engine.
compose-smoke: $(VENV)/dev ## build the images, start compose.yaml, kill a loader at work, audit (needs Docker, or root on Debian)
	@SMELT_COMPOSE_SMOKE=1 $(BIN)/pytest -q tests/compose $(ARGS)

reference: $(VENV)/dev ## write docs/contract-reference.md from the models of a contract's options
	@$(BIN)/python -m infra.authoring.reference > docs/contract-reference.md

topology: $(VENV)/dev ## write what Terraform reads from shared/config/topology.py and services/ops/health/rules.py
	@$(BIN)/python -m shared.config.topology > infra/terraform/topology.json
	@$(BIN)/python -m services.ops.health.rules > infra/terraform/alerts.json

# One lock file for each extra, for every platform and Python from 3.11 on, with hashes and without index URLs. All agree
# with the one for development, which holds everything.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
EXTRAS := extractor transformer loader ops serving local bench ci
lock: $(VENV)/dev ## pin the dependencies anew (needs the network; UPGRADE=--upgrade for newer ones)
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra dev -o requirements/dev.txt
	@$(COMPILE) $(UPGRADE) requirements/contracts.in -o requirements/contracts.txt
	@for extra in $(EXTRAS); do \
	  $(COMPILE) --constraint requirements/dev.txt pyproject.toml --extra $$extra -o requirements/$$extra.txt || exit 1; \
	done

workflows: $(VENV)/ci ## check .github: schema, zizmor, actionlint with shellcheck
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor -q --offline .github
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck
	@$(BIN)/shellcheck .github/plan .github/copy-images .github/ops-task .github/services-run

# pip-audit calls a lock file clean of which the index could tell it nothing, as mirrors cannot: --strict does not.
security: $(VENV)/ci ## bandit, and pip-audit of every lock file (skipped loudly where nothing knows of vulnerabilities)
	@$(BIN)/bandit -q -r -c pyproject.toml services shared infra
	@for file in requirements/*.txt; do \
	  said=$$($(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$file 2>&1) && continue; \
	  case "$$said" in \
	    *"could not be audited"*) echo "NOT CHECKED: $$file: this package index knows of no vulnerabilities" >&2 \
	      && test "$${SMELT_REQUIRE_AUDIT:-0}" = 0 || exit 1 ;; \
	    *) echo "$$file: $$said" >&2; exit 1 ;; \
	  esac; \
	done

SERVICES := extractor transformer loader ops serving
sbom: $(VENV)/ci ## write dist/<service>.cdx.json from the lock files: what each service consists of
	@mkdir -p dist
	@for service in $(SERVICES); do \
	  PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --validate --output-reproducible --pyproject pyproject.toml \
	    --output-file dist/$$service.cdx.json requirements/$$service.txt || exit 1; \
	done

BASE ?= origin/main
fragment: $(VENV)/ci ## a change of what is shipped says so: make fragment BASE=origin/main
	@git diff --quiet $(BASE)... -- services shared infra || $(BIN)/towncrier check --compare-with $(BASE)

dist: $(VENV)/dev ## build the wheel, the source distribution and the SBOMs
	@rm -rf dist && $(BIN)/uv build -q --out-dir dist && $(MAKE) --no-print-directory sbom

notes: ## print what CHANGELOG.md says of a release: make notes VERSION=x.y.z
	@awk -v title="## $(VERSION) " '/^## / { wanted = index($$0, title) == 1; found = found || wanted } wanted; END { exit !found }' CHANGELOG.md

# Checks first, changes afterwards, and nothing leaves this machine.
release: ## make release VERSION=x.y.z: test, set the version, write the notes, build, and say what to push
	@echo "$(VERSION)" | grep -qxE '(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}' \
	  || { echo "which version? make release VERSION=x.y.z" >&2; exit 1; }
	@test "$$(git branch --show-current)" = main || { echo "a release is made on main" >&2; exit 1; }
	@test -z "$$(git status --porcelain)" || { echo "there are changes that are not committed" >&2; exit 1; }
	@if git rev-parse -q --verify "refs/tags/v$(VERSION)" >/dev/null; then echo "v$(VERSION) is there" >&2; exit 1; fi
	@$(MAKE) --no-print-directory test $(VENV)/ci
	@sed -i.before 's/^version = ".*"$$/version = "$(VERSION)"/' pyproject.toml && rm pyproject.toml.before
	@$(BIN)/towncrier build --yes --version $(VERSION)
	@$(MAKE) --no-print-directory dist && ls dist
	@echo "Look at it (git diff --cached), then:"
	@echo "  git commit -am 'Release $(VERSION)' && git tag -a v$(VERSION) -m $(VERSION) && git push origin main v$(VERSION)"
	@echo "The tag makes CI test, build and publish; images: $(SERVICES:%=%:$(VERSION))"

clean: ## remove the environment (the data in .smelt stays)
	@rm -rf $(VENV)

# The environment. A stamp a lock file: nothing is fetched again until that file changes, so both work offline.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "smelt: needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "smelt: this Python cannot make virtual environments (Debian: apt install python3-venv)" >&2; exit 1; }

# A tool of others that judges our data contracts: an environment of its own, as it wants another version of typer.
$(VENV)/contracts/installed: requirements/contracts.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/contracts
	@$(VENV)/contracts/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/contracts.txt
	@touch $@

$(VENV)/local $(VENV)/dev $(VENV)/bench $(VENV)/ci: $(VENV)/%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing (once): requirements/$*.txt"
	@$(PIP) install --require-hashes -r requirements/$*.txt
	@$(PIP) install --no-deps -e .
	@touch $@
