# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Distil your own student
#
# A student that knows that quantum mechanics is linear and unitary, and nothing else, watches
# wave packets meet barriers. In a minute or two it has found a kinetic energy, and forecasts
# landscapes that it never saw.

# %%
# %matplotlib inline
import dataclasses
import os

import jax
import numpy as np

from qdistill import plots, students
from qdistill._rollout import rollout
from qdistill.forecast import benchmark, metrics
from qdistill.insight import probes
from qdistill.physics import packets, potentials
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.training import loop as training
from qdistill.training import stages

# The tests take the same path with smaller numbers.
QUICK = "QDISTILL_QUICK" in os.environ

# %% [markdown]
# ## The plan
#
# A `Config` holds every setting of a run. This is the preset `demo`, cut down to a minute: single
# barriers and wells, and three stages. First the student forecasts one frame of each example,
# then eight from its own forecasts, then forty; the gradient flows through all of them.

# %%
demo = presets.PRESETS["demo"][1]
plan = tuple(dataclasses.replace(stage, n_steps=300) for stage in demo.training.stages)
if QUICK:
    plan = tuple(presets.frames_stage(20, n, 8, peak_rate=1e-2, n_runs=4) for n in (1, 8))
settings = dataclasses.replace(demo, training=stages.TrainingConfig(plan))
setup = runs.set_up(settings)
grid, dt = setup.grid, settings.teacher.dt

print("lessons:", settings.curriculum.lessons)
for stage in plan:
    many = stage.batches
    print(f"{stage.n_steps} steps of {many.n_batch} examples, {many.n_target} frames each")

# %% [markdown]
# The student is a *learned splitting*: phases of x, Fourier transform, phases of k, and back,
# twice a frame,
#
# $$\psi \to e^{-ia_2(x)} F^{-1} e^{-ib_2(k)} F\,
# e^{-ia_1(x)} F^{-1} e^{-ib_1(k)} F\, e^{-ia_0(x)} \psi.$$
#
# The $b_j(k)$ are tables that start at zero: to this student nothing moves. The $a_j(x)$ are a
# share of the landscape and a small network of its shape nearby.

# %%
state = setup.trainers[0].init(jax.random.key(settings.seed))
print(f"{students.count_parameters(state.params)} numbers to learn")

# %% [markdown]
# ## Learning
#
# `training.fit` yields the state after every block of steps; we keep some of the parameters, to
# look at them later. Nothing is stored on disk, and no example comes twice: the teacher solves
# new ones for every block.

# %%
log, album = [], {}
for new, line in training.fit(setup.trainers, settings.training.boundaries, state):
    state = new
    log.append(line)
    album[line["step"]] = state.params
seconds = sum(line["teacher_seconds"] + line["student_seconds"] for line in log)
compiling = sum(line["compile_seconds"] for line in log)
print(f"{log[-1]['step']} steps: {seconds:.0f} s, and {compiling:.0f} s for the compiler")

# %%
steps, losses, rates = (
    np.array([line[name] for line in log]) for name in ("step", "loss", "learning_rate")
)
plots.plot_training(steps, losses, rates)

# %% [markdown]
# The loss is the mean squared relative error, so its root is the error itself. Where a stage
# begins the task gets harder, and the learning rate rises anew.

# %% [markdown]
# ## The kinetic energy that it found
#
# What the student takes the kinetic energy to be is the sum of its $b_j(k)$, over the length of a
# frame. Nobody told it; the lattice that the teacher lives on has $(1 - \cos k\,dx)/dx^2$.

# %%
k = grid.wavenumbers()[: grid.shape[0] // 2]
truth = probes.omega(grid, k)
form = settings.student.unitary


def learned(params):
    """The student's dispersion at these k, in hartree."""
    return students.unitary.dispersion(form, grid, dt, params)[: len(k)]


taught = k <= 8
for step in list(album)[:: 2 if QUICK else 5]:
    amiss = np.sqrt(np.mean((learned(album[step]) - truth)[taught] ** 2))
    print(f"after {step:4d} steps: {amiss:8.4f} hartree amiss, rms up to k = 8")

# %%
known = {"the lattice": truth, "k²/2, the continuum": k**2 / 2}
plots.plot_dispersion(k, learned(state.params), known, taught=8.0)

# %% [markdown]
# As far as its lessons hold waves it has found the lattice's dispersion, and can tell it from the
# continuum's. That is a little beyond the fastest packets, since sharp edges make fast waves too.
# Where no wave ever was it learned nothing, and there the curve means nothing.

# %% [markdown]
# ## A forecast
#
# A half circle and a staircase were in no lesson.

# %%
n_frames = 10 if QUICK else 300
x, t = np.asarray(grid.positions()), dt * np.arange(1, n_frames + 1)
psi = packets.gaussian(grid, centre=20.0, width=2.5, momentum=3.5)


@jax.jit
def both(v, params):
    """Truth and forecast."""
    exact = rollout(setup.teacher(v), psi, n_frames)
    return exact, rollout(setup.student.propagator(params)(v), psi, n_frames)


hill = potentials.half_circle(grid.positions(), height=6.0, width=20.0, centre=50.0)
truth, forecast = both(hill, state.params)
plots.plot_spacetime(x, t, hill, truth, forecast, "A half circle, taught to nobody")

# %%
stairs = potentials.steps(grid.positions(), heights=(1.5, 3.0, 4.5, 6.0), width=24.0, centre=50.0)
for name, v in (("half circle", hill), ("staircase", stairs)):
    truth, forecast = both(v, state.params)
    infidelity = 1 - metrics.correlation(forecast, truth)[-1]
    error = metrics.nrmse(forecast, truth)[-1]
    print(f"{name}: after {t[-1]:.0f} a.u. 1 - correlation {infidelity:.1e}, error {error:.1e}")
published = 1 - benchmark.published_means("full-gru")["correlation"]
print(f"the paper's best network, mean of its test: 1 - correlation {published:.1e}")

# %% [markdown]
# One seed, one minute, two landscapes: `make demo` trains somewhat longer and scores the student
# on all 25 runs of the paper's test. Next: [what did it learn?](3_what_it_learned.ipynb)
