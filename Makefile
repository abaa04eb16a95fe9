# Every target sets itself up: .venv is made from the lock file when it is missing or out of date, and an
# existing one is completed. PYTHON chooses the interpreter: python3 where that is 3.11 or later.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
STAMP := $(VENV)/.made-from-lock
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.made-from-lock
JOBS ?= 2
LOCK := --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help env demo test check bench soak sim ids lock

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

env: $(STAMP)  ## the environment in .venv, from the lock file

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "qmtl needs Python 3.11 or later on PATH (or: make PYTHON=/path/to/python)"; exit 1; }; \
	  echo "making $(VENV) with $(PYTHON)"; "$(PYTHON)" -m venv $(VENV); }
	@echo "installing what requirements/dev.txt pins"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## two strategies on real daily prices, late bars corrected; writes a report
	$(BIN)/qmtl demo

test: $(STAMP)  ## all tests (ARGS="-k name" chooses, JOBS=8 uses more processes)
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 12 -m "not soak" $(ARGS)

check: $(STAMP)  ## format, lint, types and tidiness, in under a minute
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest tests/test_tidy.py

# The peers stay out of .venv: they need older versions of what qmtl itself uses (benchmarks/README.md).
$(BENCH_STAMP): requirements/bench.txt | $(STAMP)
	@$(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { \
	  echo "benchmarks need Python 3.11 or 3.12 in $(VENV): bytewax has no wheels for later ones"; exit 1; }
	@echo "making $(BENCH) from requirements/bench.txt"
	@$(PY) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/bench.txt
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -e .
	@touch $@

bench: $(BENCH_STAMP)  ## every question in benchmarks/, then docs/performance.md (ARGS=--quick for a first look)
	@set -e; for each in benchmarks/bench_*.py; do \
	  echo "== $$each"; $(BENCH)/bin/python "$$each" $(ARGS); done
	$(BENCH)/bin/python benchmarks/report.py

# pytest ends with 5 when it has collected nothing.
soak: $(STAMP)  ## the long random and fault runs, marked soak
	@$(PY) -m pytest -m soak $(ARGS) || { code=$$?; [ $$code = 5 ] || exit $$code; \
	  echo "there are no soak runs yet (tests marked soak)"; }

sim: $(STAMP)  ## the story of one simulated run: make sim SEED=7 (CANARY="no fence" breaks it)
	@$(PY) -m qmtl.testing.simulation $(SEED) $(if $(CANARY),"$(CANARY)")

ids: $(STAMP)  ## NodeIDs of the golden file, recomputed by every Python on this machine
	@tools/ids

lock: $(STAMP)  ## resolve requirements/*.txt anew (with the oldest Python that is supported)
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "lock with Python 3.11: later ones may choose versions that do not run on it"; exit 1; }
	CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile $(LOCK) \
	  --output-file requirements/run.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile $(LOCK) --extra demo,kafka,otel,postgres,s3,servers,test \
	  --constraint requirements/run.txt --output-file requirements/dev.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile $(LOCK) --extra bench \
	  --output-file requirements/bench.txt pyproject.toml
