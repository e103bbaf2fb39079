# `make run` for a first look, `make test` for all tests. Nothing but Python 3.11 or newer is needed.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.PHONY: help run test check pictures bench train evaluate format lock clean

VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough makes the virtual environment.
PYTHONS := python3.13 python3.12 python3.11 python3
BIND ?= 127.0.0.1:8080

# Errors only; and nothing to resolve, since the locked lists are complete.
INSTALL = $(BIN)/python -m pip install -qq --no-deps

export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.for-run ## Start a demo: articles, comments, a moderator, webhooks. BIND=HOST:PORT for another address.
	@exec $(BIN)/moderation demo --bind $(BIND)

# Databases of tests in memory, where there is a gigabyte of it: they wait for the disk otherwise, at each commit.
RAM = $(shell [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'NR == 2 { print $$4 }')" -gt 1000000 ] && echo /dev/shm)

test: $(VENV)/.for-tests ## Run all tests, on SQLite and on a PostgreSQL of their own.
	PYTEST_DEBUG_TEMPROOT=$(RAM) $(BIN)/pytest -q -n $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) --maxprocesses 8 --dist worksteal $(ARGS)

check: $(VENV)/.for-tests ## Check format, lint, types and the rule on imports.
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

pictures: $(VENV)/.for-tests ## Take the pictures of the documentation anew, from a demo in Chromium.
	$(BIN)/python docs/pictures/make.py

bench: $(VENV)/.for-tests ## Measure reading and submitting beside bare programs, in short; writes docs/performance.md. Needs wrk.
	$(BIN)/python bench $(ARGS)

train: $(VENV)/.for-training ## Make the model again from the data sets (SHARED_DATA, default ../shared/data). A few minutes.
	$(BIN)/python -m training.train $(ARGS)
	$(BIN)/python -m training.languages
	$(BIN)/python -m training.perspective

evaluate: $(VENV)/.for-training ## Measure the shipped model on the held-out data; prints a table. ARGS=--card writes it into the card.
	$(BIN)/python -m training.evaluate $(ARGS)

format: $(VENV)/.for-tests ## Format the code.
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

lock: ## Lock the dependencies anew, with their hashes (for maintainers; needs uv). UPGRADE=1 takes newer ones.
	uv pip compile pyproject.toml --group build $(LOCK) -o requirements.txt
	uv pip compile pyproject.toml --group build --group dev $(LOCK) -c requirements.txt -o requirements-dev.txt

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	$(if $(UPGRADE),--upgrade)

clean: ## Remove the virtual environment and caches; keep ./var, where data may be.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- The virtual environment, in steps that are done again only when what they depend on has changed.

$(BIN)/python:
	@for name in $(PYTHONS); do \
		if $$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$($$name --version) ..."; \
			$$name -m venv $(VENV) && exit 0; \
		fi; \
	done; \
	echo "Python 3.11 or newer, with its venv module, is needed and was not found." >&2; \
	echo "On Debian and Ubuntu: apt install python3 python3-venv" >&2; \
	rm -rf $(VENV); exit 1

$(VENV)/.for-run: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing $$(grep -c == requirements.txt) locked packages, about half a minute ..."
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.for-tests: requirements-dev.txt $(VENV)/.for-run
	@echo "Installing $$(grep -c == requirements-dev.txt) locked packages for the tests, about a minute ..."
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.for-training: training/requirements.txt $(VENV)/.for-run
	@echo "Installing torch and scikit-learn, to train the model; the service does not need them ..."
	@$(BIN)/python -m pip install --quiet -r training/requirements.txt
	@touch $@
