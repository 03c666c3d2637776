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
# # 2. Distil your own emulator
#
# A *student* is an emulator before its training. This one is linear and unitary by construction,
# with no prior on the kinetic energy. It learns from wave packets that meet barriers. After a
# minute or two it has learned the kinetic energy, and forecasts held-out potentials.

# %%
# %matplotlib inline
import dataclasses

import jax
import numpy as np

import qdistill as qd
from qdistill import plots
from qdistill.forecast import metrics, paper
from qdistill.physics import packets, potentials
from qdistill.runs import folder, presets
from qdistill.students import count_parameters
from qdistill.training import loop
from qdistill.training.stages import TrainingConfig

# %% [markdown]
# ## The plan
#
# A `Config` holds every setting of a run. This is the preset `demo`, shortened to a minute: single
# barriers and wells, and three stages. In the first stage the student forecasts one frame of each
# example, in the second eight frames from its own forecasts, in the third forty. The gradient flows
# through all frames.

# %% tags=["settings"]
n_steps = 300
n_frames = 300

# %%
demo = presets.PRESETS["demo"][1]
plan = tuple(dataclasses.replace(stage, n_steps=n_steps) for stage in demo.training.stages)
config = dataclasses.replace(demo, training=TrainingConfig(plan))
setup = folder.set_up(config)
system, grid = config.system, config.system.grid

print("lessons:", config.curriculum.lessons)
for stage in plan:
    many = stage.batches
    print(f"{stage.n_steps} steps of {many.n_batch} examples, {many.n_target} frames each")

# %% [markdown]
# The student is a *learned splitting*: phases of x, Fourier transform, phases of k, inverse
# transform, twice per frame,
#
# $$\psi \to e^{-ia_2(x)} F^{-1} e^{-ib_2(k)} F\,
# e^{-ia_1(x)} F^{-1} e^{-ib_1(k)} F\, e^{-ia_0(x)} \psi.$$
#
# The $b_j(k)$ are tables that start at zero, so at first packets do not move. The $a_j(x)$ are
# shares of the potential plus the output of a small network of the potential nearby.

# %%
state = setup.trainers[0].init(jax.random.key(config.seed))
print(f"{count_parameters(state.params)} parameters")

# %% [markdown]
# ## Training
#
# `loop.fit` yields the state after every block of steps. We keep the parameters of each block. No
# data set is stored: the teacher computes new examples for every block.
# (`qd.distill("demo", out="runs/demo")` does all of this in one call, with a folder, checkpoints
# and a score.)

# %%
log, album = [], {}
for new, line in loop.fit(setup.trainers, config.training.boundaries, state):
    state = new
    log.append(line)
    album[line["step"]] = state.params
seconds = sum(line["teacher_seconds"] + line["student_seconds"] for line in log)
compiling = sum(line["compile_seconds"] for line in log)
print(f"{log[-1]['step']} steps: {seconds:.0f} s, and {compiling:.0f} s of compilation")

# %%
steps, losses, rates = (
    np.array([line[name] for line in log]) for name in ("step", "loss", "learning_rate")
)
plots.plot_training(steps, losses, rates)

# %% [markdown]
# The loss is the mean squared relative error. At the beginning of a stage the task gets harder, and
# the learning rate rises again.
#
# Examples come in any order here, easy and hard ones mixed. Would another order teach more? Plans
# that sort the examples, or follow the student's own losses, were compared with this one over ten
# short trainings each. None is shown to be better, and some orders are worse
# (`results/curricula.md`). `CurriculumConfig` has the plans.

# %% [markdown]
# ## The learned kinetic energy
#
# The learned kinetic energy is the sum of the $b_j(k)$ divided by the duration of a frame. The
# teacher's lattice has $(1 - \cos k\,dx)/dx^2$.

# %%
half = grid.shape[0] // 2
k, truth = grid.wavenumbers()[:half], grid.kinetic_energy()[:half]
learned = {step: setup.student.dispersion(params)[:half] for step, params in album.items()}
taught = k <= 8
for step in list(album)[:: max(1, len(album) // 9)]:
    error = np.sqrt(np.mean((learned[step] - truth)[taught] ** 2))
    print(f"after {step:4d} steps: rms error {error:8.4f} hartree up to k = 8")

# %%
known = {"the lattice": truth, "k²/2, the continuum": k**2 / 2}
plots.plot_dispersion(k, learned[list(album)[-1]], known, taught=8.0)

# %% [markdown]
# The student has learned the lattice's dispersion, and not the continuum's, for all k that are
# frequent in its lessons. These reach a little beyond the fastest packets, since sharp edges make
# fast waves too. At larger k the lessons have almost no waves, and the curve has no meaning.

# %% [markdown]
# ## A forecast
#
# A half circle and a staircase are held out: they are in no lesson.

# %%
emulator = setup.student.bind(state.params, config=config)
x, t = np.asarray(grid.positions()), system.dt * np.arange(1, n_frames + 1)
psi = packets.gaussian(grid, centre=20.0, width=2.5, momentum=3.5)
hill = potentials.half_circle(grid.positions(), height=6.0, width=20.0, centre=50.0)
stairs = potentials.steps(grid.positions(), heights=(1.5, 3.0, 4.5, 6.0), width=24.0, centre=50.0)
for name, v in (("half circle", hill), ("staircase", stairs)):
    truth = qd.rollout(setup.teacher, psi[None], v, n_frames)
    forecast = emulator.forecast(psi, v, n_frames)
    infidelity = 1 - metrics.correlation(forecast, truth)[-1]
    error = metrics.nrmse(forecast, truth)[-1]
    print(f"{name}: after {t[-1]:.0f} a.u. 1 - correlation {infidelity:.1e}, error {error:.1e}")
published = 1 - paper.published_means("full-gru")["correlation"]
print(f"the paper's best network, mean of its test: 1 - correlation {published:.1e}")

# %%
plots.plot_spacetime(x, t, stairs, truth, forecast, "A staircase, held out")

# %% [markdown]
# The two numbers are not from the same test, and they are from one training of each. `make demo`
# trains somewhat longer and scores the emulator on all 25 runs of the paper's test. Next: [what did
# it learn?](3_what_it_learned.ipynb)
