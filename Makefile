# Every target sets up .venv by itself; it is set up again when setup.cfg, pyproject.toml or constraints.txt change.
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.installed
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 \
	&& echo $$p && break; done)

# one thread a process: the tests run in several processes, and a benchmark compares like with like
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: help setup demo test long lower record peers causes saves lint format bench clean
help:
	@echo 'make demo    check the reference, see a mistake diagnosed, train the network'
	@echo 'make test    the tests          make lint    style, types, the direction of imports'
	@echo 'make long    tests that take long: the same claims with more seeds'
	@echo 'make lower   a few tests with the oldest versions that are supported'
	@echo 'make bench   speed against torch     make format  format the code'
	@echo 'make causes  how the cause of every mistake is found'
	@echo 'make saves   how long watch takes from a save to the verdict, on a quiet machine'
	@echo 'make record  whether every verdict is as it was recorded'
	@echo 'make peers   gradcheck over all of torch'"'"'s operators, beside torch'"'"'s own (hours; goes on where it stopped)'

setup: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@test -x $(BIN)/python || test -n "$(PYTHON)" || \
		{ echo 'Python 3.11 to 3.13 was not found. Install one, or say where it is: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'creating .venv ...'; $(PYTHON) -m venv .venv; }
	@echo 'installing the exact versions of constraints.txt into .venv ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/autograd-check check linear --lessons solutions
	@echo
	@echo 'Next a submission with a mistake; failing (exit code 1) is what it should do:'
	$(BIN)/autograd-check check linear --file examples/linear_mean_for_sum.py; test $$? -eq 1
	@echo
	$(BIN)/autograd-check train --network mlp

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal --benchmark-disable

record: $(STAMP)
	$(BIN)/python tests/record.py --against tests/record.json.gz

peers: $(STAMP)
	$(BIN)/python tests/peers.py --part 0/2 --kept peers.0.jsonl & $(BIN)/python tests/peers.py --part 1/2 --kept peers.1.jsonl; wait
	cat peers.0.jsonl peers.1.jsonl > peers.jsonl && $(BIN)/python tests/peers.py --table

causes: $(STAMP)
	$(BIN)/python tests/causes_table.py

saves: $(STAMP)
	$(BIN)/python tests/saves.py

long: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

# a newer version of a tool that only the tests need does no harm; the package's own requirements are the oldest
lower: $(STAMP)
	test -x .venv-lower/bin/python || $(BIN)/python -m venv .venv-lower
	.venv-lower/bin/python -m pip install --quiet --disable-pip-version-check $$($(BIN)/python tests/lower_bounds.py)
	.venv-lower/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	.venv-lower/bin/python -m pytest -p no:cacheprovider -W ignore::DeprecationWarning tests/verify/test_gradcheck.py tests/verify/test_check_vjp.py \
		tests/run/test_isolated.py tests/run/test_lending.py tests/cli/test_own_folder.py tests/lessons -k "not lessons or linear or adam or softmax"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-group-by=group --benchmark-columns=median,iqr,rounds
	$(BIN)/autograd-check bench

clean:
	rm -rf .venv .venv-lower build dist .pytest_cache .mypy_cache .ruff_cache .benchmarks *.egg-info
