# make demo    set up, distil a student and score it, into runs/demo
# make test    set up, and pass every test
# make check   lint, format, types and docstrings
# make results the runs behind the README's numbers (hours)

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
