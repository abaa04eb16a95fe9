# Every target sets itself up: the environment is made from the lock file when it is missing or out of date.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help env demo test check bench soak lock

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

env: $(STAMP)  ## the environment in .venv, from the lock file

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "qmtl needs Python 3.11 or later on PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## two strategies on real daily prices, with late bars corrected; writes qmtl-demo.html
	$(BIN)/qmtl demo

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not soak" $(ARGS)

check: $(STAMP)  ## format, lint, types, tidy; under a minute
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_tidy.py

bench: $(STAMP)  ## benchmarks against peers
	@ls benchmarks/*.py >/dev/null 2>&1 || { echo "no benchmarks yet"; exit 0; }; \
	for each in benchmarks/bench_*.py; do $(BIN)/python $$each || exit 1; done

soak: $(STAMP)  ## long random runs against the oracle
	$(BIN)/python -m pytest -m soak $(ARGS)

lock: $(STAMP)  ## resolve requirements/dev.txt anew
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-header --extra test --output-file requirements/dev.txt pyproject.toml
