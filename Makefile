# make demo    set up, distil a student and score it, into runs/demo
# make test    set up, and pass every test
# make check   lint, format, types and docstrings
# make results the runs behind the README's numbers, some four hours
# make clean   remove the environment, the cache and runs/

PYTHON ?= python3
BIN := .venv/bin
.PHONY: demo test check results clean

demo: .venv/.core
	rm -rf runs/demo
	$(BIN)/python experiments/distill.py demo --out runs/demo

test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Runs into runs/, then keeps what the README quotes.
RUN = $(BIN)/python experiments/distill.py
SCORES = $(BIN)/python experiments/distill.py --seed 1 --landscapes 100 --evaluate
results: .venv/.core
	rm -rf $(addprefix runs/,solver_accuracy compare_students learning_curve demo unitary informed \
		gru gru-wide)
	$(BIN)/python experiments/solver_accuracy.py --out runs/solver_accuracy
	$(BIN)/python experiments/compare_students.py --out runs/compare_students
	for run in demo unitary informed gru gru-wide; do $(RUN) $$run --out runs/$$run || exit 1; done
	for run in demo unitary informed; do $(SCORES) runs/$$run || exit 1; done
	$(BIN)/python experiments/learning_curve.py demo --out runs/learning_curve
	for run in solver_accuracy compare_students learning_curve demo unitary informed gru gru-wide; do \
		mkdir -p results/$$run; \
		cp runs/$$run/*.json results/$$run/; \
	done
	cp runs/demo/*.png results/demo/
	cp runs/compare_students/*.png results/compare_students/
	cp runs/learning_curve/*.png results/learning_curve/

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
