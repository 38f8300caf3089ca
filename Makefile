# `make serve` runs the API on this machine; `make test` proves it. Both make what they need.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
TESTS ?= tests
ARCHITECTURE ?= arm64
TEMPLATE ?= infra/template.yaml

BIN = $(VENV)/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2] if sys.version_info >= (3, 11) else "")' 2>/dev/null)
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes

# The stamp carries the version, so another PYTHON makes the environment anew instead of using the wrong one.
READY := $(VENV)/.locked-$(VERSION)
MINISTACK := .venv-ministack/.locked
GATES := .venv-gates/.locked
SAM := .venv-sam/.locked
SUPPLY_CHAIN := .venv-supply-chain/.locked
EMULATOR := .venv-emulator/.locked
NPM := $(shell command -v npm)
NODE := $(shell command -v node)
NODE_TESTS := $(if $(NPM),$(patsubst %/package-lock.json,%/node_modules/.locked,$(wildcard \
  tests/node/package-lock.json tests/*/node/package-lock.json bench/node/package-lock.json)))
# Lambda's Python: bytecode is of one version, and the emulator runs functions under its own. A shim may be there and refuse.
PYTHON313 = $(shell for each in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3; do \
  $$each -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1 && command -v $$each && break; done)
# Vite asks for node 20.19; an older one still runs the other node-based tests.
IDE := $(if $(NPM),$(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); \
  if (a > 20 || (a === 20 && b >= 19)) console.log("graphql_api/static/ide/index.html")'))

.PHONY: help serve test lint suite lock bench package gates e2e deploy ide clean python
.DEFAULT_GOAL := help

help:
	@echo 'make serve   run the API, GraphiQL and an embedded DynamoDB   (PORT=8000, RESET=1 starts with fresh data)'
	@echo 'make test    everything that must hold: lint, types, imports, tests   (PYTHON=..., VENV=...)'
	@echo 'make lint    formatting, lint, types and import contracts alone'
	@echo 'make suite   the tests alone   (TESTS=tests/store)'
	@echo 'make bench   CPU per request, event and cold start; DynamoDB calls per operation'
	@echo 'make package build/lambda.zip for Lambda (ARCHITECTURE=x86_64; needs python3.13)'
	@echo 'make gates   template, code, secrets, bill of materials and workflows, each by its checker'
	@echo 'make e2e     template and package, deployed to an AWS emulator and driven there (needs python3.13 and node)'
	@echo 'make deploy  infra/template.yaml and build/lambda.zip to AWS   (STAGE=dev; docs/operations.md has the rest)'
	@echo 'make ide     build GraphiQL (needs node)'
	@echo 'make lock    pin and hash every dependency again (needs uv; UV_FLAGS=--upgrade)'
	@echo 'make clean   remove everything that is built; demo data stays'

serve: $(READY) $(MINISTACK)
	@$(MAKE) --no-print-directory ide || echo '** GraphiQL 5 could not be built; / shows the plain page instead.'
	@PORT='$(PORT)' RESET='$(RESET)' exec $(BIN)/python -m graphql_api serve

test: lint suite

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
ifdef NODE
	$(BIN)/pyright --pythonpath $(BIN)/python
else
	@echo '** SKIPPED pyright: it needs node, which is not installed.'
endif
	$(BIN)/lint-imports --no-logo

# What measures or takes much CPU runs apart, where no tracer slows it down; pytest ends with 5 when nothing was selected.
suite: $(READY) $(MINISTACK) $(NODE_TESTS) ide
ifndef NPM
	@echo '** node and npm are not installed: the tests that need them are skipped.'
endif
ifeq ($(TESTS),tests)
	$(BIN)/coverage run -m pytest -m 'not cpu'
	$(BIN)/coverage report
	$(BIN)/pytest -m cpu || test $$? -eq 5
else
	$(BIN)/pytest $(TESTS)
endif

bench: $(READY) $(MINISTACK) $(if $(NPM),bench/node/node_modules/.locked)
	@$(BIN)/python -m bench

package: $(READY)
	@$(BIN)/python -m infra.package --architecture $(ARCHITECTURE) --output build/lambda.zip

gates: $(READY) $(GATES) $(SAM) $(SUPPLY_CHAIN)
	$(BIN)/python -m infra.gates
	$(BIN)/python -m infra.supply_chain

# Where python3.13 or node is missing, every test says that it is skipped, and the last line what is missing.
e2e: $(READY) $(if $(PYTHON313),$(EMULATOR)) $(if $(NPM),tests/clients/node/node_modules/.locked)
	$(BIN)/pytest -v tests/package tests/e2e

# AS_BUILT=1 deploys the zip that is there, as it was built and tested elsewhere.
deploy: $(READY) $(SAM) $(if $(AS_BUILT),,package)
	@test -n '$(STAGE)' || { echo 'make deploy needs STAGE=dev, test or prod.'; exit 1; }
	SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam deploy --template-file $(TEMPLATE) --config-env '$(STAGE)' \
	  --parameter-overrides $$($(BIN)/python -m infra.release '$(STAGE)' $(WORD)) $(DEPLOY_FLAGS)

ide: $(if $(wildcard ide/package-lock.json),$(IDE))
ifdef IDE
	@:
else
	@test -e graphql_api/static/ide/index.html || \
	  echo '** SKIPPED GraphiQL 5: its build needs node 20.19 or later with npm; / shows the plain page instead.'
endif

lock:
	@command -v uv >/dev/null || { echo 'make lock needs uv on PATH.'; exit 1; }
	uv pip compile pyproject.toml $(LOCK) -o requirements/runtime.txt
	uv pip compile pyproject.toml --group dev $(LOCK) -o requirements/dev.txt
	for group in ministack emulator gates sam supply-chain; do uv pip compile --group pyproject.toml:$$group $(LOCK) -o requirements/$$group.txt; done

# One lock for every platform and Python; it names no index, so any mirror serves it.
LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(UV_FLAGS)

clean:
	rm -rf .venv .venv-3.13 .venv-ministack .venv-emulator .venv-gates .venv-sam .venv-supply-chain build dist graphql_api/static .coverage .hypothesis
	rm -rf .pytest_cache .ruff_cache .import_linter_cache ide/node_modules tests/node/node_modules tests/*/node/node_modules bench/node/node_modules
	find bench graphql_api infra tests -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@test -n '$(VERSION)' || { echo 'Python 3.11 or later is needed; $(PYTHON) is missing or older. Try PYTHON=/path/to/python3.13'; exit 1; }

$(READY): requirements/dev.txt | python
	$(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing what requirements/dev.txt pins; this takes a minute or two.'
	$(BIN)/python $(INSTALL) -r $<
	@touch $@

$(EMULATOR): requirements/emulator.txt
	$(PYTHON313) -m venv --clear .venv-emulator
	.venv-emulator/bin/python $(INSTALL) -r $<
	@touch $@

# --no-deps: the lock is complete, and pip takes what a package asks for with extras for something not locked.
.venv-%/.locked: requirements/%.txt | python
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python $(INSTALL) --no-deps -r $<
	@touch $@

%/node_modules/.locked: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

graphql_api/static/ide/index.html: ide/node_modules/.locked $(shell find ide -path ide/node_modules -prune -o -type f -print 2>/dev/null)
	cd ide && npm run --silent build
	@touch $@
