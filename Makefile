# Everything a developer types.  `make` alone lists it.
# Needed on the machine: Python 3.11 or later with its venv module, and make; the rest is installed
# into .venv from requirements.lock, every package checked against its hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed
HOST ?= 127.0.0.1
PORT ?= 8080
PYTEST_ARGS ?= -n auto --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test prove check format serve bench bench-full lock clean

help: ## List what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the pinned packages and the mpi command

demo: $(INSTALLED) ## Show the product working: invent a region, link it, ask it
	$(BIN)/mpi demo

test: $(INSTALLED) ## Prove the product: run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

prove: $(INSTALLED) ## Prove the live index at full size: hours of races, crashes and undoing
	MPI_SEQUENCES=1000 MPI_UNDONE=8000 MPI_GRAPHS=10000 MPI_ROUNDS=200 MPI_EVERY_STATEMENT=1 \
		MPI_ALIKE=10000 MPI_EXAMPLES=500 MPI_CHANGES=20000 MPI_PEOPLE=20000 $(BIN)/python -m pytest tests/simulation $(PYTEST_ARGS)

check: $(INSTALLED) ## Before a commit: format, lint, types, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_tidy.py

format: $(INSTALLED) ## Put the code into its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(INSTALLED) ## Serve what the demo loaded (HOST and PORT can be given)
	$(BIN)/mpi serve --host $(HOST) --port $(PORT) --database-url sqlite:///demo/mpi.sqlite3

bench: $(BENCH_INSTALLED) ## Measure speed and accuracy in minutes (SUITES="accuracy resolve" for some)
	$(BIN)/python -m benchmarks $(SUITES)

bench-full: $(BENCH_INSTALLED) ## Measure the whole region; half an hour, unattended, 25 GB of disk
	$(BIN)/python -m benchmarks --full $(SUITES)

lock: $(INSTALLED) ## Pin every package again, after a change of pyproject.toml
	$(BIN)/pip-compile --quiet --extra dev --build-deps-for editable --generate-hashes \
		--strip-extras --allow-unsafe --no-annotate --no-header --no-emit-options \
		--output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --extra bench --constraint requirements.lock --generate-hashes \
		--strip-extras --allow-unsafe --no-annotate --no-header --no-emit-options \
		--output-file benchmarks/requirements.lock pyproject.toml

clean: ## Remove what was made: .venv, caches, the demo
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "python3 -m venv failed; install your system's python3-venv package" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) benchmarks/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	@touch $@
