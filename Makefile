# make demo    set up, distil an emulator and score it, into runs/demo
# make test    set up, and pass every test
# make check   lint, format, types and docstrings
# make docs    the documentation as web pages, in site/
# make pages   put the numbers of results/ into README and docs
# make notebooks  run all notebooks, into notebooks/executed
# make results the runs behind the pages' numbers, more than ten hours; make results-STUDY one of them
# make clean   remove the environment, the cache, runs/ and site/

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check docs pages notebooks results results-gpu package clean

help:
	@sed -n "s/^# make/make/p" Makefile

demo: .venv/.core
	rm -rf runs/demo
	$(BIN)/python experiments/distill.py demo --out runs/demo

# A process for each core; each may take 2.5 GB.
test: .venv/.dev
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile \
		--no-loadscope-reorder

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/pages.py --check

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

pages: .venv/.dev
	$(BIN)/python docs/pages.py

notebooks: .venv/.dev
	$(BIN)/python -W ignore docs/notebooks.py

# Runs into runs/, then keeps in results/ what the pages quote: `make results-STUDY`, or all of them.
PY = $(BIN)/python
RUN = $(BIN)/qdistill distill
KERNEL = --load experiments/frontier/kernel_presets.py
SCORE = $(BIN)/qdistill evaluate
# For frames this long the start is no solver worth a comparison: its errors count absolutely.
LONG = $(RUN) informed-2 --training.stages.0.n-steps 2000 --training.stages.0.no-relative \
	--training.stages.0.power 0.7
INFORMED = informed-1 informed-2 informed-3
PACKAGED = demo unitary $(INFORMED) propagator gru gru-wide informed-2-continuum tully-run \
	demo-newton-seed-0 informed-2-newton-seed-0
SEEDS = 0 1 2 3 4 5 6 7 8 9
OF_DEMO = $(addprefix demo-seed-,$(SEEDS))
OF_GRU = $(addprefix gru-demo-seed-,0 1 2 3 4)
STUDIES = emulators seeds unitary newton continuum frames solvers throughput ladder frontier insight \
	importance published curriculum placebos discovery searches laws blind corrections edges order \
	generalisation design diffraction reliability tully fuzz movie
# Keep the JSON files and the pictures of runs.
keep = for run in $(1); do mkdir -p results/$$run && cp runs/$$run/*.json results/$$run/ || exit 1; done
draw = for run in $(1); do cp runs/$$run/*.png results/$$run/ || exit 1; done

.PHONY: $(addprefix results-,$(STUDIES))
results: $(addprefix results-,$(STUDIES))

results-emulators: .venv/.core
	for run in demo unitary $(INFORMED) propagator gru gru-wide; do \
		rm -rf runs/$$run && $(RUN) $$run --out runs/$$run || exit 1; \
	done
	for run in demo unitary $(INFORMED); do $(SCORE) runs/$$run --seed 1 || exit 1; done
	$(call keep,demo unitary $(INFORMED) propagator gru gru-wide)
	$(call draw,demo gru)

results-seeds: .venv/.core
	for seed in $(SEEDS); do \
		rm -rf runs/demo-seed-$$seed && $(RUN) demo --seed $$seed --out runs/demo-seed-$$seed || exit 1; \
	done
	for run in $(OF_GRU); do \
		rm -rf runs/$$run && $(RUN) gru-demo --seed $${run##*-} --out runs/$$run || exit 1; \
	done
	$(call keep,$(OF_DEMO) $(OF_GRU))

# Ten long trainings from scratch, one or two hours.
OF_UNITARY = $(addprefix unitary-seed-,$(SEEDS))
results-unitary: results-seeds
	for seed in $(SEEDS); do \
		rm -rf runs/unitary-seed-$$seed && \
		$(RUN) unitary --seed $$seed --out runs/unitary-seed-$$seed || exit 1; \
	done
	rm -rf runs/from_scratch runs/fixed_questions runs/filtered_nulls
	$(PY) experiments/corrections/from_scratch.py $(addprefix runs/,$(OF_UNITARY)) \
		--out runs/from_scratch
	$(PY) experiments/symmetries.py $(addprefix runs/,$(OF_DEMO) $(OF_UNITARY)) --seed 1 \
		--out runs/fixed_questions
	$(PY) experiments/symmetries.py $(addprefix runs/,$(OF_DEMO) $(OF_UNITARY)) --seed 1 \
		--smoothings 0.01 0.02 0.05 --theory --out runs/filtered_nulls
	$(call keep,$(OF_UNITARY) from_scratch fixed_questions filtered_nulls)
	cp runs/filtered_nulls/nulls.png results/filtered_nulls/

OF_INFORMED = $(foreach n,1 2 3,$(addprefix informed-$(n)-newton-seed-,0 1 2))
results-newton: .venv/.core
	for seed in $(SEEDS); do \
		rm -rf runs/demo-newton-seed-$$seed && $(RUN) demo-newton --seed $$seed \
			--out runs/demo-newton-seed-$$seed || exit 1; \
	done
	for seed in 0 1 2 3 4; do \
		rm -rf runs/informed-2-newton-seed-$$seed && $(RUN) informed-2-newton --seed $$seed \
			--out runs/informed-2-newton-seed-$$seed || exit 1; \
	done
	for seed in 0 1 2; do \
		for form in 1,28 3,46; do \
			run=informed-$${form%,*}-newton-seed-$$seed && rm -rf runs/$$run && \
			$(RUN) informed-2-newton --seed $$seed --student.n-pairs $${form%,*} \
				--student.kinetic-cap $${form#*,} --out runs/$$run || exit 1; \
		done; \
	done
	for run in $(addprefix demo-newton-seed-,0 1 2 3 4) $(OF_INFORMED); do \
		$(SCORE) runs/$$run --seed 1 || exit 1; \
	done
	rm -rf runs/sharp_edges-newton runs/from_scratch-newton runs/unsmoothed runs/filtered_nulls-newton
	$(PY) experiments/corrections/sharp_edges.py $(addprefix runs/demo-newton-seed-,$(SEEDS)) \
		$(addprefix runs/informed-2-newton-seed-,0 1 2) --out runs/sharp_edges-newton
	$(PY) experiments/corrections/from_scratch.py \
		$(addprefix runs/demo-newton-seed-,$(SEEDS)) --out runs/from_scratch-newton
	$(PY) experiments/corrections/unsmoothed.py --out runs/unsmoothed
	$(PY) experiments/symmetries.py $(addprefix runs/demo-newton-seed-,$(SEEDS)) --nulls 2 --seed 1 \
		--smoothings 0.01 0.02 0.05 --theory --out runs/filtered_nulls-newton
	rm -rf runs/newton_grid runs/optimisers runs/discovery-newton
	$(PY) experiments/discovery/discover.py $(addprefix runs/demo-newton-seed-,$(SEEDS)) \
		--masses 0.99995 1.00002 1.00005 1.0001 --mass-scheme fourth-order \
		--out runs/discovery-newton
	$(PY) experiments/corrections/newton_grid.py --out runs/newton_grid
	$(PY) experiments/corrections/optimisers.py --out runs/optimisers
	$(call keep,$(addprefix demo-newton-seed-,$(SEEDS)) $(OF_INFORMED))
	$(call keep,sharp_edges-newton from_scratch-newton unsmoothed newton_grid optimisers \
		filtered_nulls-newton discovery-newton)
	$(call draw,sharp_edges-newton optimisers)
	cp runs/filtered_nulls-newton/nulls.png results/filtered_nulls-newton/

ON_CONTINUUM = --system.grid.dispersion continuum
CONTINUUM = demo-continuum $(addsuffix -newton-continuum,demo $(INFORMED))
results-continuum: .venv/.core
	rm -rf $(addprefix runs/,$(CONTINUUM) informed-2-continuum)
	for run in demo demo-newton informed-2; do \
		$(RUN) $$run $(ON_CONTINUUM) --out runs/$$run-continuum || exit 1; \
	done
	for form in 1,28 2,46 3,46; do \
		$(RUN) informed-2-newton $(ON_CONTINUUM) --student.n-pairs $${form%,*} \
			--student.kinetic-cap $${form#*,} \
			--out runs/informed-$${form%,*}-newton-continuum || exit 1; \
	done
	for run in $(CONTINUUM); do $(SCORE) runs/$$run --seed 1 || exit 1; done
	$(call keep,$(CONTINUUM) informed-2-continuum)

results-frames: .venv/.core
	rm -rf runs/informed-2-dt0.2 runs/informed-2-dt0.5 runs/informed-2-dt1
	$(LONG) --system.dt 0.2 --student.kinetic-cap 20 --benchmark.n-frames 200 \
		--out runs/informed-2-dt0.2
	$(LONG) --system.dt 0.5 --student.kinetic-cap 12 --benchmark.n-frames 80 \
		--out runs/informed-2-dt0.5
	$(LONG) --system.dt 1 --student.kinetic-cap 6 --benchmark.n-frames 40 --out runs/informed-2-dt1
	for dt in 0.2 0.5 1; do $(SCORE) runs/informed-2-dt$$dt --seed 1 || exit 1; done
	$(call keep,informed-2-dt0.2 informed-2-dt0.5 informed-2-dt1)

results-solvers: .venv/.core
	rm -rf runs/solver_accuracy runs/shelf runs/shelf-continuum runs/channels
	$(PY) experiments/solver_accuracy.py --out runs/solver_accuracy
	$(PY) experiments/shelf.py --dispersions lattice --out runs/shelf
	$(PY) experiments/shelf.py --dispersions continuum --long-frames --out runs/shelf-continuum
	$(PY) experiments/channels.py --n-rounds 5 --out runs/channels
	$(call keep,solver_accuracy shelf shelf-continuum channels)
	$(call draw,channels)

results-throughput: .venv/.core
	for frames in 200 50; do \
		rm -rf runs/throughput-$$frames && $(PY) experiments/throughput/throughput.py --devices 2 \
			--n-repeats 3 --n-frames $$frames --n-blocks 1 --out runs/throughput-$$frames || exit 1; \
	done
	rm -rf runs/throughput && mv runs/throughput-200 runs/throughput
	rm -rf runs/equal_method
	$(PY) experiments/throughput/equal_method.py --out runs/equal_method
	$(call keep,throughput throughput-50 equal_method)
	$(call draw,throughput)

results-ladder: .venv/.core
	rm -rf runs/compare_students runs/compare_students-propagator runs/compare_students-kernel
	$(PY) experiments/ladder/compare_students.py --out runs/compare_students
	for name in propagator kernel; do \
		$(PY) experiments/ladder/compare_students.py --students $$name \
			--out runs/compare_students-$$name || exit 1; \
	done
	$(call keep,compare_students compare_students-propagator compare_students-kernel)
	$(call draw,compare_students)
	rm -rf runs/factorial runs/factorial-windows runs/search
	$(PY) experiments/ladder/factorial.py --parts properties --out runs/factorial
	$(PY) experiments/ladder/factorial.py --parts windows --out runs/factorial-windows
	$(PY) experiments/ladder/search.py --out runs/search
	$(call keep,factorial factorial-windows search)

# After results-emulators and results-continuum.
COARSE = runs/propagator runs/kernel runs/kernel-barriers runs/kernel-trajectories
results-frontier: .venv/.core
	rm -rf runs/kernel* runs/work_precision* runs/coarse*
	$(RUN) kernel $(KERNEL) --out runs/kernel
	$(RUN) kernel-trajectories $(KERNEL) --out runs/kernel-trajectories
	$(RUN) kernel $(KERNEL) --curriculum.lessons barrier --out runs/kernel-barriers
	$(PY) experiments/frontier/work_precision.py \
		$(addprefix runs/,demo unitary $(INFORMED) gru gru-wide) demo-newton informed-2-newton \
		--out runs/work_precision
	$(PY) experiments/frontier/work_precision.py $(addprefix runs/,$(CONTINUUM) propagator) \
		--out runs/work_precision-continuum
	$(PY) experiments/frontier/coarse.py $(COARSE) --out runs/coarse
	$(PY) experiments/frontier/coarse.py $(COARSE) --frontier.n-units 100 \
		--frontier.n-repeats 3 --out runs/coarse-100
	$(PY) experiments/frontier/coarse_plane.py --out runs/coarse_plane
	$(call keep,kernel kernel-barriers kernel-trajectories work_precision work_precision-continuum)
	$(call keep,coarse coarse-100 coarse_plane)
	$(call draw,work_precision work_precision-continuum coarse coarse_plane)

# After results-seeds, whose trainings are audited together.
INSIGHT = symmetries symmetries-gru probes probes-gru probes-gru-demo interventions
results-insight: results-seeds
	rm -rf $(addprefix runs/,$(INSIGHT) learning_curve)
	$(PY) experiments/symmetries.py $(addprefix runs/,$(OF_DEMO)) --out runs/symmetries
	$(PY) experiments/symmetries.py $(addprefix runs/,$(OF_GRU)) --nulls --cases 8 --frames 4 \
		--out runs/symmetries-gru
	$(PY) experiments/probes.py $(addprefix runs/,$(OF_DEMO)) --out runs/probes
	$(PY) experiments/probes.py gru --nulls --no-follow --out runs/probes-gru
	$(PY) experiments/probes.py $(addprefix runs/,$(OF_GRU)) --nulls --no-follow \
		--out runs/probes-gru-demo
	$(PY) experiments/interventions.py $(addprefix runs/,$(OF_DEMO)) --out runs/interventions
	$(PY) experiments/learning_curve.py demo --out runs/learning_curve
	$(call keep,$(INSIGHT) learning_curve)
	$(call draw,symmetries symmetries-gru probes interventions learning_curve)

results-importance: .venv/.core
	rm -rf runs/importance
	$(PY) experiments/importance.py quick --out runs/importance
	$(call keep,importance)
	$(call draw,importance)

# Three trainings of some 45 minutes, kept in runs/published-trainings and continued where they
# stopped; scores of the short ones are kept in runs/changes-trainings.
results-published: .venv/.core
	rm -rf runs/published runs/changes
	$(PY) experiments/published/published.py --out runs/published
	$(PY) experiments/published/changes.py --n-forecast 100 --out runs/changes
	$(call keep,published changes)

# Trainings are kept in runs/curriculum-trainings, errors of the GRU in runs/recurrent-trainings.
# Those of the GRU were recorded with a GPU, and on a CPU with the plan `adaptive`.
results-curriculum: .venv/.core
	rm -rf runs/curriculum runs/curriculum-long runs/curriculum-long-plans runs/curriculum-gru \
		runs/curriculum-gru-adaptive runs/curriculum-gru-few
	$(PY) experiments/curriculum/curricula.py --out runs/curriculum
	$(PY) experiments/curriculum/curricula.py --long --out runs/curriculum-long
	$(PY) experiments/curriculum/curricula.py --long --plans staged "staged, reversed" ramped \
		loss-driven "loss-driven, yoked" --out runs/curriculum-long-plans
	$(PY) experiments/curriculum/recurrent.py \
		--plans mixed "rising difficulty" "easy only" "falling difficulty" --out runs/curriculum-gru
	$(PY) experiments/curriculum/recurrent.py --plans mixed "rising difficulty" "easy only" adaptive \
		--out runs/curriculum-gru-adaptive
	$(PY) experiments/curriculum/recurrent.py --few 1 3 10 30 100 --seeds 0 1 2 --n-steps 2000 \
		--out runs/curriculum-gru-few
	$(call keep,curriculum curriculum-long curriculum-long-plans curriculum-gru)
	$(call keep,curriculum-gru-adaptive curriculum-gru-few)
	$(call draw,curriculum curriculum-long curriculum-long-plans curriculum-gru-adaptive)
	$(call draw,curriculum-gru-few)

# With a GPU, after .venv/bin/pip install '.[cuda]'; on a CPU it takes days.
results-gpu: .venv/.core
	rm -rf runs/throughput-gpu runs/gru-seed-0 runs/gru-seed-1 runs/gru-seed-2 runs/left_out-unitary
	rm -rf runs/placebos-gru runs/curriculum-gru-long runs/left_out-only runs/shifted \
		runs/symmetries-gru-long
	$(PY) experiments/throughput/throughput.py --n-packets 4096 --n-frames 20 --n-repeats 5 \
		--n-blocks 2 --scaling.n-packets 64 256 1024 4096 16384 --scaling.n-frames 10 20 40 80 \
		--scaling.fixed 1024 1024 20 --scaling.teachers "chebyshev, 1e-5" "clamped, 4 substeps" \
		--out runs/throughput-gpu
	for seed in 0 1 2; do \
		.venv/bin/qdistill distill gru --seed $$seed --out runs/gru-seed-$$seed || exit 1; \
	done
	$(PY) experiments/symmetries.py runs/gru-seed-0 runs/gru-seed-1 runs/gru-seed-2 --nulls \
		--cases 8 --frames 4 --out runs/symmetries-gru-long
	$(PY) experiments/generalisation/left_out.py --out runs/left_out-unitary
	$(PY) experiments/generalisation/left_out.py --only --out runs/left_out-only
	$(PY) experiments/placebos/placebos.py --budgets gru --seeds 3 --out runs/placebos-gru
	$(PY) experiments/placebos/shifted.py --out runs/shifted
	$(PY) experiments/curriculum/recurrent.py --n-steps 40000 \
		--plans mixed "rising difficulty" "easy only" "falling difficulty" \
		--out runs/curriculum-gru-long
	$(call keep,throughput-gpu gru-seed-0 gru-seed-1 gru-seed-2 left_out-unitary left_out-only \
		placebos-gru shifted curriculum-gru-long symmetries-gru-long)
	$(call draw,curriculum-gru-long shifted left_out-unitary left_out-only)

# Errors of trainings are kept in runs/placebos-trainings.
results-placebos: .venv/.core
	rm -rf runs/placebos runs/placebos-long runs/independent
	$(PY) experiments/placebos/placebos.py --out runs/placebos
	$(PY) experiments/placebos/placebos.py --budgets long --no-attribute --out runs/placebos-long
	$(PY) -m pip install --quiet --disable-pip-version-check shapiq
	$(PY) experiments/placebos/independent.py --out runs/independent
	$(call keep,placebos placebos-long independent)
	$(call draw,placebos placebos-long)

# After results-unitary.
results-discovery: results-unitary
	rm -rf runs/discovery runs/discovery-gru runs/plane-short-seed-* runs/discovery-plane runs/spurious
	$(PY) experiments/discovery/discover.py $(addprefix runs/,$(OF_DEMO)) \
		$(addprefix runs/unitary-seed-,0 1 2 3 4) --masses 0.9995 1.0005 1.001 1.002 \
		--out runs/discovery
	$(PY) experiments/discovery/discover.py $(addprefix runs/,$(OF_GRU)) --nulls --draws 2 --packets 12 \
		--n-frames 40 --out runs/discovery-gru
	for seed in 0 1 2 3 4; do \
		$(RUN) plane --seed $$seed --training.stages.2.n-steps 160 --training.stages.3.n-steps 80 \
			--benchmark.n-frames 60 --benchmark.n-cases 8 --out runs/plane-short-seed-$$seed || exit 1; \
	done
	$(PY) experiments/discovery/discover.py $(addprefix runs/plane-short-seed-,0 1 2 3 4) --n-x 128 \
		--draws 2 --n-frames 56 --every 14 --faults --out runs/discovery-plane
	$(PY) experiments/discovery/spurious.py --out runs/spurious
	$(call keep,discovery discovery-gru discovery-plane spurious)
	$(call draw,discovery discovery-gru)

results-blind: .venv/.core
	rm -rf runs/blind runs/blind-unlisted runs/blind-wide
	$(PY) experiments/discovery/blind.py --seed 100 --workers 2 --out runs/blind
	$(PY) experiments/discovery/blind.py --unlisted --workers 2 --out runs/blind-unlisted
	$(PY) experiments/discovery/blind_wide.py --out runs/blind-wide
	$(call keep,blind blind-unlisted blind-wide)
	$(call draw,blind-unlisted)

# After results-seeds and results-unitary; masses after results-discovery and results-tully.
results-laws: results-unitary results-discovery results-tully
	rm -rf runs/laws runs/masses-plane runs/masses-tully runs/masses-tully-gru
	$(PY) experiments/discovery/emulator_laws.py \
		$(addprefix runs/,$(OF_DEMO) $(addprefix unitary-seed-,0 1 2 3 4) $(OF_GRU)) --out runs/laws
	$(PY) experiments/discovery/emulator_laws.py $(addprefix runs/plane-short-seed-,0 1 2 3 4) \
		--n-x 128 --n 8 --n-frames 4 --out runs/masses-plane
	$(PY) experiments/discovery/emulator_laws.py \
		$(addprefix runs/tully-trainings/crossing-dt10-seed,$(SEEDS)) --n 8 --n-frames 4 \
		--out runs/masses-tully
	$(PY) experiments/discovery/emulator_laws.py $(foreach kind,crossing placebo, \
		$(addprefix runs/tully-trainings/gru-$(kind)-dt10-seed,0 1 2 3 4)) --nulls --n 8 \
		--n-frames 4 --out runs/masses-tully-gru
	$(call keep,laws masses-plane masses-tully masses-tully-gru)
	$(call draw,masses-tully-gru)

# After results-seeds and results-unitary.
SPLITTINGS = $(addprefix runs/,$(OF_DEMO) $(OF_UNITARY))
results-searches: results-unitary
	rm -rf runs/symmetry_search runs/symmetry_search-gru runs/intertwiners
	$(PY) experiments/discovery/search_symmetries.py $(SPLITTINGS) --out runs/symmetry_search
	$(PY) experiments/discovery/search_symmetries.py $(addprefix runs/,$(OF_GRU)) --nulls \
		--systems well --packets 2 --n-frames 4 --step 1 --out runs/symmetry_search-gru
	$(PY) experiments/discovery/search_partners.py $(foreach seed,0 1 2 3 4,runs/demo-seed-$(seed)) \
		$(foreach seed,0 1 2 3 4,runs/unitary-seed-$(seed)) --out runs/intertwiners
	$(call keep,symmetry_search symmetry_search-gru intertwiners)
	$(call draw,symmetry_search symmetry_search-gru intertwiners)

# Trainings are kept in runs/corrections-trainings, and continued where they stopped.
results-corrections: .venv/.core
	rm -rf runs/corrections
	$(PY) experiments/corrections/corrections.py --out runs/corrections
	$(call keep,corrections)
	$(call draw,corrections)

# Recorded trainings are kept in runs/order-paths.
results-order: .venv/.core
	rm -rf runs/order
	$(PY) experiments/learning_curve.py demo --is-order --out runs/order
	$(call keep,order)
	$(call draw,order)

# Errors of trainings are kept in runs/generalisation-trainings.
OF_EACH = $(OF_DEMO) $(foreach name,unitary demo-newton informed-2-newton, \
	$(addprefix $(name)-seed-,0 1 2 3 4))
results-generalisation: results-unitary results-newton
	rm -rf runs/generalisation runs/generalisation-bounds runs/left_out-informed
	$(PY) experiments/generalisation/left_out.py --sizes.preset informed-2-newton \
		--out runs/left_out-informed
	$(PY) experiments/generalisation/generalisation.py $(addprefix runs/,$(OF_EACH)) \
		--out runs/generalisation
	for seed in 0 1 2 3 4; do \
		run=runs/demo-newton-bounds-32-seed-$$seed && rm -rf $$run && \
		$(RUN) demo-newton --seed $$seed --system.bounds -32 32 --out $$run || exit 1; \
	done
	$(PY) experiments/generalisation/generalisation.py \
		$(addprefix runs/demo-newton-bounds-32-seed-,0 1 2 3 4) --out runs/generalisation-bounds
	$(call keep,generalisation generalisation-bounds left_out-informed)
	$(call draw,generalisation left_out-informed)

# After results-seeds.
results-edges: results-seeds
	rm -rf runs/sharp_edges
	$(PY) experiments/corrections/sharp_edges.py $(addprefix runs/,$(OF_DEMO)) \
		unitary informed-2 informed-3 --out runs/sharp_edges
	$(call keep,sharp_edges)
	$(call draw,sharp_edges)

results-design: .venv/.core
	rm -rf runs/design runs/design-gru
	$(PY) experiments/design/design.py demo unitary --out runs/design
	$(PY) experiments/design/design.py gru --designs --through splitter \
		--rollout-search.n-starts 1 --rollout-search.n-steps 12 --rollout-search.rate 0.4 \
		--out runs/design-gru
	$(call keep,design design-gru)
	$(call draw,design)

results-diffraction: .venv/.core
	rm -rf runs/double_slit
	$(PY) experiments/diffraction/double_slit.py --out runs/double_slit
	$(call keep,double_slit)
	$(call draw,double_slit)
	cp runs/double_slit/double_slit.gif results/double_slit/

results-reliability: .venv/.core
	rm -rf runs/reliability
	$(PY) experiments/reliability.py --out runs/reliability
	$(call keep,reliability)

# Trainings, and what was measured of them, are kept in runs/tully-trainings.
results-tully: .venv/.core
	rm -rf runs/tully runs/tully-run runs/tully-gru runs/discovery-tully runs/discovery-tully-gru
	$(RUN) tully --out runs/tully-run
	$(PY) experiments/tully/tully.py --n-seeds 10 --kinds strong apart scratch --out runs/tully
	$(PY) experiments/tully/tully.py --student gru --n-seeds 5 --out runs/tully-gru
	$(PY) experiments/discovery/discover.py \
		$(addprefix runs/tully-trainings/crossing-dt10-seed,0 1 2 3 4) \
		--masses 0.9999 0.99995 1.00005 1.0001 1.0002 --n-frames 100 --every 20 \
		--out runs/discovery-tully
	$(PY) experiments/discovery/discover.py \
		$(addprefix runs/tully-trainings/gru-crossing-dt10-seed,0 1 2 3 4) --nulls --n-frames 100 \
		--every 20 --out runs/discovery-tully-gru
	$(call keep,tully tully-run tully-gru discovery-tully discovery-tully-gru)
	$(call draw,tully)

results-fuzz: .venv/.core
	rm -rf runs/fuzz runs/fuzz-seed-1
	$(PY) experiments/fuzz/fuzz.py --n-calls 50000 --out runs/fuzz
	$(PY) experiments/fuzz/fuzz.py --n-calls 50000 --seed 1 --out runs/fuzz-seed-1
	$(call keep,fuzz fuzz-seed-1)

results-movie: .venv/.core
	rm -rf runs/movie runs/movie-tully
	$(PY) experiments/movie.py demo --title "A staircase, held out" --out runs/movie
	$(PY) experiments/movie.py tully --case tully-2 --out runs/movie-tully \
		--title "Tully's second model, two crossings, by a student of single ones"
	$(call keep,movie movie-tully)
	for run in movie movie-tully; do cp runs/$$run/forecast.gif results/$$run/ || exit 1; done

# The packaged emulators, of the runs of results-emulators, -newton, -continuum and -tully.
package: .venv/.core
	for run in $(PACKAGED); do \
		name=$${run%-run} && file=qdistill/runs/packaged/$${name%-seed-0}.npz && rm -f $$file && \
		$(BIN)/qdistill export runs/$$run --emulator-file --out $$file || exit 1; \
	done

clean:
	rm -rf .venv .cache runs site

# An environment that is a link is somebody else's.
OWN = @if [ -L .venv ]; then echo "make: .venv is a link to another environment; remove it."; exit 1; fi

.venv/bin/python:
	$(OWN)
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml
	$(OWN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(OWN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/.core $@

.venv/.docs: .venv/bin/python pyproject.toml
	$(OWN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch .venv/.core $@
