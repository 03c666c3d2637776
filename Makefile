# make demo    set up, distil an emulator and score it, into runs/demo
# make test    set up, and pass every test
# make check   lint, format, types and docstrings
# make docs    the documentation as web pages, in site/
# make notebooks  run all notebooks, into notebooks/executed
# make results the runs behind the pages' numbers, some five hours; make results-STUDY one of them
# make clean   remove the environment, the cache, runs/ and site/

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check docs notebooks results clean

help:
	@sed -n "s/^# make/make/p" Makefile

demo: .venv/.core
	rm -rf runs/demo
	$(BIN)/python experiments/distill.py demo --out runs/demo

test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

notebooks: .venv/.dev
	$(BIN)/python -W ignore docs/notebooks.py

# Runs into runs/, then keeps what the README quotes.
RUN = $(BIN)/python experiments/distill.py
KERNEL = $(BIN)/qdistill distill --load experiments/frontier/kernel_presets.py
SCORES = $(BIN)/python experiments/distill.py --seed 1 --landscapes 100 --evaluate
# For frames this long the start is no solver worth a comparison: its errors count absolutely.
LONG = $(RUN) informed-2 --training.stages.0.n-steps 2000 --training.stages.0.no-relative \
	--training.stages.0.power 0.7
INFORMED = informed-1 informed-2 informed-3
CONTINUUM = $(addsuffix -continuum,demo $(INFORMED))
SEEDS = demo-seed-0 demo-seed-1 demo-seed-2
FRESH = demo unitary $(INFORMED) $(CONTINUUM) informed-2-dt0.2 informed-2-dt0.5 informed-2-dt1
FRONTIER = work_precision work_precision-continuum coarse coarse_plane
COARSE = propagator kernel kernel-barriers kernel-trajectories
KEPT = solver_accuracy throughput throughput-50 $(FRONTIER) coarse-100 $(COARSE) compare_students \
	compare_students-propagator compare_students-kernel learning_curve symmetries probes \
	interventions importance design design-gru reliability movie double_slit $(SEEDS) \
	$(FRESH) gru gru-wide
# Kept in the package.
STUDENTS = demo unitary $(INFORMED) propagator gru gru-wide informed-2-continuum
results: .venv/.core
	rm -rf $(addprefix runs/,$(KEPT))
	$(BIN)/python experiments/solver_accuracy.py --out runs/solver_accuracy
	$(BIN)/python experiments/throughput/throughput.py --devices 2 --n-repeats 3 --n-frames 200 \
		--n-blocks 1 --out runs/throughput
	$(BIN)/python experiments/throughput/throughput.py --devices 2 --n-repeats 3 --n-frames 50 \
		--n-blocks 1 --out runs/throughput-50
	$(BIN)/python experiments/ladder/compare_students.py --out runs/compare_students
	$(BIN)/python experiments/ladder/compare_students.py --students propagator \
		--out runs/compare_students-propagator
	$(BIN)/python experiments/ladder/compare_students.py --students kernel \
		--out runs/compare_students-kernel
	for run in demo unitary $(INFORMED) propagator gru gru-wide; do \
		$(RUN) $$run --out runs/$$run || exit 1; \
	done
	for run in kernel kernel-trajectories; do \
		$(KERNEL) $$run --out runs/$$run || exit 1; \
	done
	$(KERNEL) kernel --curriculum.lessons barrier --out runs/kernel-barriers
	for seed in 0 1 2; do $(RUN) demo --seed $$seed --out runs/demo-seed-$$seed || exit 1; done
	for run in demo $(INFORMED); do \
		$(RUN) $$run --teacher.dispersion continuum --out runs/$$run-continuum || exit 1; \
	done
	$(LONG) --teacher.dt 0.2 --student.unitary.kinetic-cap 20 --benchmark.n-frames 200 \
		--out runs/informed-2-dt0.2
	$(LONG) --teacher.dt 0.5 --student.unitary.kinetic-cap 12 --benchmark.n-frames 80 \
		--out runs/informed-2-dt0.5
	$(LONG) --teacher.dt 1 --student.unitary.kinetic-cap 6 --benchmark.n-frames 40 \
		--out runs/informed-2-dt1
	for run in $(FRESH); do $(SCORES) runs/$$run || exit 1; done
	$(BIN)/python experiments/frontier/work_precision.py $(addprefix runs/,demo unitary $(INFORMED) gru gru-wide) \
		--out runs/work_precision
	$(BIN)/python experiments/frontier/work_precision.py $(addprefix runs/,$(CONTINUUM) propagator) \
		--out runs/work_precision-continuum
	$(BIN)/python experiments/frontier/coarse.py $(addprefix runs/,$(COARSE)) --out runs/coarse
	$(BIN)/python experiments/frontier/coarse.py $(addprefix runs/,$(COARSE)) --frontier.n-units 100 \
		--frontier.n-repeats 3 --out runs/coarse-100
	$(BIN)/python experiments/frontier/coarse_plane.py --out runs/coarse_plane
	$(BIN)/python experiments/learning_curve.py demo --out runs/learning_curve
	$(BIN)/python experiments/symmetries.py runs/demo runs/gru --out runs/symmetries
	$(BIN)/python experiments/probes.py runs/demo runs/gru --out runs/probes
	$(BIN)/python experiments/interventions.py runs/demo runs/gru --out runs/interventions
	$(BIN)/python experiments/importance.py quick --out runs/importance
	$(BIN)/python experiments/design/design.py runs/demo runs/unitary --out runs/design
	$(BIN)/python experiments/design/design.py runs/gru --designs --through splitter \
		--rollout-search.n-starts 1 --rollout-search.n-steps 12 --rollout-search.rate 0.4 \
		--out runs/design-gru
	$(BIN)/python experiments/reliability.py --out runs/reliability
	$(BIN)/python experiments/movie.py runs/demo --title "A staircase that the student never saw" \
		--out runs/movie
	$(BIN)/python experiments/diffraction/double_slit.py --out runs/double_slit
	for run in $(KEPT); do \
		mkdir -p results/$$run && cp runs/$$run/*.json results/$$run/ || exit 1; \
	done
	for run in $(FRONTIER) throughput demo gru compare_students learning_curve symmetries probes \
		interventions importance design double_slit; do \
		cp runs/$$run/*.png results/$$run/ || exit 1; \
	done
	cp runs/movie/forecast.gif results/movie/
	cp runs/double_slit/double_slit.gif results/double_slit/
	for run in $(STUDENTS); do \
		rm -f qdistill/pretrained/$$run.npz && $(BIN)/python experiments/publish.py runs/$$run \
			--out qdistill/pretrained/$$run.npz || exit 1; \
	done

clean:
	rm -rf .venv .cache runs site

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/.core $@

.venv/.docs: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch .venv/.core $@
