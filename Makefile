# make demo    set up, distil a student and score it, into runs/demo
# make test    set up, and pass every test
# make check   lint, format, types and docstrings
# make results the runs behind the README's numbers, about an hour
# make clean   remove the environment, the cache and runs/

PYTHON ?= python3
BIN := .venv/bin
.PHONY: demo test check results clean

demo: .venv/.core
	rm -rf runs/demo
	$(BIN)/python experiments/distill.py demo --out runs/demo

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Runs into runs/, then keeps what the README quotes.
results: .venv/.core
	rm -rf runs/solver_accuracy runs/demo runs/gru runs/gru-wide
	$(BIN)/python experiments/solver_accuracy.py --out runs/solver_accuracy
	$(BIN)/python experiments/distill.py demo --out runs/demo
	$(BIN)/python experiments/distill.py gru --out runs/gru
	$(BIN)/python experiments/distill.py gru-wide --out runs/gru-wide
	for run in solver_accuracy demo gru gru-wide; do \
		mkdir -p results/$$run; \
		cp runs/$$run/*.json results/$$run/; \
	done
	cp runs/gru/*.png results/gru/

clean:
	rm -rf .venv .cache runs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/.core $@
